//! The regular expression of `locate`, and what it may cost somebody whom others wait for.
//!
//! Matching takes time in proportion to the compiled expression times the text, whatever the expression is; but forty bytes
//! of expression can compile to megabytes. Not for: what the text is of.

use std::cell::Cell;

use regex_lite::{Regex, RegexBuilder};
use stepdown_conf::{Cause, Finding, shown};

/// The longest expression that is looked at where there is a limit, in bytes.
const LENGTH: usize = 1 << 10;
/// How deep its groups may be in each other.
const DEPTH: u32 = 32;
/// The most that it may compile to, in bytes.
const SIZE: usize = 64 << 10;
/// The most that is spent on one question: bytes of the compiled expression times bytes of text. A processor does between
/// one and ten of them in a nanosecond.
const WORK: u64 = 128 << 20;

/// An expression, and what is left to spend on it.
pub(super) struct Expression {
    regex: Regex,
    /// What a byte of text costs, and how much is left; nothing where there is no limit.
    price: Option<u64>,
    left: Cell<u64>,
    is_spent: Cell<bool>,
}

impl Expression {
    /// Reads it. `is_bounded`: with limits to what it and the matching may cost.
    ///
    /// # Errors
    /// It is no regular expression, or too large a one.
    pub(super) fn new(text: &str, is_bounded: bool) -> Result<Expression, Box<Finding>> {
        let (regex, price) = if is_bounded {
            let (regex, size) = compile(text)?;
            (regex, Some(size))
        } else {
            (Regex::new(text).map_err(|error| bad(text, &error))?, None)
        };
        Ok(Expression { regex, price, left: Cell::new(WORK), is_spent: Cell::new(false) })
    }

    /// Whether it is found in the text; not, once everything is spent.
    pub(super) fn is_in(&self, text: &str) -> bool {
        if let Some(price) = self.price {
            // The place behind the last character is one to look at as well.
            let cost = price.saturating_mul(u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(1));
            match self.left.get().checked_sub(cost).filter(|_| !self.is_spent.get()) {
                Some(left) => self.left.set(left),
                None => {
                    self.is_spent.set(true);
                    return false;
                }
            }
        }
        self.regex.is_match(text)
    }

    /// Why the answer would not be whole, if there was not enough to spend.
    pub(super) fn too_expensive(&self) -> Option<Box<Finding>> {
        self.is_spent.get().then(|| {
            Box::new(
                expensive("looking for this expression in all values takes too long")
                    .hint("write a shorter one, or ask `stepdown config locate`, which has no such limit"),
            )
        })
    }
}

/// The expression, and a number that its size is not above.
fn compile(text: &str) -> Result<(Regex, u64), Box<Finding>> {
    let too_large = |what: &'static str| {
        let finding = expensive(what);
        Box::new(finding.hint("write smaller numbers of repetitions, and fewer of them in each other"))
    };
    if text.len() > LENGTH {
        return Err(too_large("the expression is longer than 1 KiB"));
    }
    let mut builder = RegexBuilder::new(text);
    builder.nest_limit(DEPTH);
    // The size itself is not told; compiling stops as soon as it is above the limit.
    let mut size = 512;
    while size < SIZE {
        if let Ok(regex) = builder.size_limit(size).build() {
            return Ok((regex, u64::try_from(size).unwrap_or(u64::MAX)));
        }
        size *= 2;
    }
    match builder.size_limit(SIZE).build() {
        Ok(regex) => Ok((regex, u64::try_from(SIZE).unwrap_or(u64::MAX))),
        Err(error) if is_of_size(&error) => Err(too_large("the expression is too large")),
        Err(error) => Err(bad(text, &error)),
    }
}

/// Whether only the size is wrong: errors have nothing but their words, so these are compared with those of a known one.
fn is_of_size(error: &regex_lite::Error) -> bool {
    let known = RegexBuilder::new("a").size_limit(0).build();
    known.is_err_and(|known| known.to_string() == error.to_string())
}

fn expensive(what: &'static str) -> Finding {
    Finding::error("too-expensive", Cause::Text, what).because("others wait meanwhile")
}

fn bad(text: &str, error: &regex_lite::Error) -> Box<Finding> {
    let message = format!("`{}` is no regular expression: {error}", shown(text));
    Box::new(
        Finding::error("bad-expression", Cause::Text, message)
            .hint("put a backslash before a character that is meant as itself"),
    )
}
