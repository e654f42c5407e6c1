//! What can be wrong with capability text, in words.
//!
//! libcap has one answer to all of these, EINVAL. The kinds here are the places where cap_from_text(3) gives up.

use crate::capability::{Capability, NAMES};
use alloc::format;
use alloc::string::String;
use core::{error, fmt};
use stepdown_conf::nearest;

/// What is wrong with a capability text, and where.
///
/// Displayed, it is a sentence without a full stop; the place is for the caller to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Where the trouble begins, in bytes from the start of the text; the text's length when something is missing
    /// at its end.
    pub offset: usize,
    /// How many bytes are to blame; 0 when something is missing at `offset`.
    pub length: usize,
    /// What is wrong.
    pub kind: TextErrorKind,
}

/// The ways in which capability text can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// A word that names no capability.
    UnknownName {
        /// The word as it was written, letters, digits and `_`; cut after [`TextErrorKind::WORD_LIMIT`].
        word: String,
    },
    /// A number above 63: no kernel's sets have room for it.
    NumberTooLarge,
    /// A word that begins with a digit and is not a number as C writes it.
    BrokenNumber,
    /// A comma with no name or number after it (or, in a plain list, before it).
    MissingName,
    /// A list of capabilities with no `=`, `+` or `-` directly behind it.
    MissingOperator,
    /// Something that can neither begin a clause nor continue a list.
    Unexpected(u8),
    /// A `+` or `-` without a list of capabilities at the beginning of the clause.
    MissingList,
    /// An operator with none of the flags `e`, `i` and `p` behind it.
    MissingFlags,
    /// A flag that is not one of `e`, `i` and `p`.
    BadFlag(u8),
    /// A comma after the flags.
    CommaAfterFlags,
    /// A `=` that is not the first operator of its clause.
    LateEquals,
    /// A NUL byte, at which libcap would stop reading.
    Nul,
    /// An operator in what should be a plain list of names.
    FlagsInNames,
}

impl TextErrorKind {
    /// How many characters of a wrong name an error keeps; the longest right one has 22.
    pub const WORD_LIMIT: usize = 48;
}

impl TextError {
    /// What was probably meant by a name that is unknown: a capability's name, or `all`.
    ///
    /// A missing `cap_` is put in front, a name left unfinished is completed where there is one way to, and otherwise
    /// the nearest name is taken, if it is near.
    ///
    /// ```
    /// use stepdown_security::text::parse;
    /// for (written, meant) in [("net_raw", "cap_net_raw"), ("cap_net_bind", "cap_net_bind_service"), ("cap_chwon", "cap_chown")] {
    ///     assert_eq!(parse(&format!("{written}+p"), 41).unwrap_err().suggestion(), Some(meant));
    /// }
    /// ```
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        let TextErrorKind::UnknownName { word } = &self.kind else {
            return None;
        };
        let names = || NAMES.iter().copied();
        if word.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("cap")) {
            return completed(word).or_else(|| nearest(word, names()));
        }
        let prefixed = format!("cap_{word}");
        completed(&prefixed)
            .or_else(|| nearest(word, ["all"].into_iter()))
            .or_else(|| nearest(&prefixed, names()))
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TextErrorKind::UnknownName { word } => {
                write!(f, "no capability is called `{word}`")?;
                match self.suggestion() {
                    Some(name) => write!(f, "; did you mean `{name}`?"),
                    None => Ok(()),
                }
            }
            TextErrorKind::NumberTooLarge => {
                write!(f, "the number of a capability is at most {}", Capability::ROOM - 1)
            }
            TextErrorKind::BrokenNumber => f.write_str(
                "this begins like a number and is none (a leading 0 makes it octal, 0x hexadecimal)",
            ),
            TextErrorKind::MissingName => {
                f.write_str("a comma stands between two names, and one is missing here")
            }
            TextErrorKind::MissingOperator => f.write_str(
                "after the capabilities must come, without a space, one of = + - and then flags, as in `+ep`",
            ),
            TextErrorKind::Unexpected(byte) => write!(
                f,
                "`{}` has no meaning here; a clause is a list of capabilities, then one of = + -, then flags",
                byte.escape_ascii()
            ),
            TextErrorKind::MissingList => f.write_str(
                "+ and - need a list of capabilities at the beginning of the clause (`all` is one)",
            ),
            TextErrorKind::MissingFlags => {
                f.write_str("at least one of the flags e, i and p must follow directly after + or -")
            }
            TextErrorKind::BadFlag(byte @ (b'E' | b'I' | b'P')) => {
                write!(f, "flags are lower case: `{}`", byte.to_ascii_lowercase().escape_ascii())
            }
            TextErrorKind::BadFlag(byte) => write!(
                f,
                "`{}` is not a flag: these are e (effective), i (inheritable) and p (permitted)",
                byte.escape_ascii()
            ),
            TextErrorKind::CommaAfterFlags => {
                f.write_str("clauses are separated by white space, not by a comma")
            }
            TextErrorKind::LateEquals => f.write_str("= can only be the first operator of a clause"),
            TextErrorKind::Nul => f.write_str("a NUL byte cannot be part of capability text"),
            TextErrorKind::FlagsInNames => {
                f.write_str("this is a plain list of names, which takes no operators and no flags")
            }
        }
    }
}

impl error::Error for TextError {}

/// The one name that begins like this.
fn completed(word: &str) -> Option<&'static str> {
    let begins = |name: &&str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let mut names = NAMES.iter().copied().filter(begins);
    names.next().filter(|_| names.next().is_none())
}
