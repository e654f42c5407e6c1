//! One element of a list of capabilities: a name, a number, or `all`. The same in capability text and in plain
//! lists of names.

use super::error::{TextError, TextErrorKind};
use crate::capability::Capability;
use alloc::string::String;

/// What one element of a list stands for.
pub(super) enum Item {
    /// The capability of that name or number.
    One(Capability),
    /// All that the kernel knows.
    All,
}

/// A place in a text that is being read.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    /// The next byte, if there is one.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Goes past white space, as isspace(3) has it in the C locale.
    #[inline]
    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Whether a name, a number or `all` begins here.
    #[inline]
    pub(super) fn at_item(&self) -> bool {
        self.peek().is_some_and(is_word)
    }

    /// Reads the name, number or `all` that begins here.
    #[inline]
    pub(super) fn item(&mut self) -> Result<Item, TextError> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
        let word = &rest[..length];
        let start = self.at;
        self.at += length;
        if let Some(capability) = Capability::from_name_bytes(word) {
            Ok(Item::One(capability))
        } else if word.eq_ignore_ascii_case(b"all") {
            Ok(Item::All)
        } else {
            number(word).map(Item::One).map_err(|kind| TextError { offset: start, length, kind })
        }
    }

    /// An error about the next `length` bytes.
    #[cold]
    pub(super) fn error<T>(&self, length: usize, kind: TextErrorKind) -> Result<T, TextError> {
        let kind = if self.peek() == Some(0) { TextErrorKind::Nul } else { kind };
        Err(TextError { offset: self.at, length, kind })
    }
}

#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    // Unlike is_ascii_whitespace, C counts the vertical tab.
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[inline]
fn is_word(byte: u8) -> bool {
    /// A look-up instead of four comparisons, for this is asked once for every letter of every name.
    static WORD: [bool; 256] = {
        let mut word = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            word[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
            byte += 1;
        }
        word
    };
    WORD[usize::from(byte)]
}

/// The capability that a word is the number of, in strtoul(3)'s notation for base 0.
#[cold]
fn number(word: &[u8]) -> Result<Capability, TextErrorKind> {
    let (radix, digits) = match word {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', ..] => (8, word),
        [b'1'..=b'9', ..] => (10, word),
        _ => return Err(TextErrorKind::UnknownName { word: shown(word) }),
    };
    if digits.is_empty() {
        return Err(TextErrorKind::BrokenNumber);
    }
    let mut value: u32 = 0;
    for &digit in digits {
        let digit = char::from(digit).to_digit(radix).ok_or(TextErrorKind::BrokenNumber)?;
        // Where it stops growing is far above any capability.
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    u8::try_from(value).ok().and_then(Capability::new).ok_or(TextErrorKind::NumberTooLarge)
}

fn shown(word: &[u8]) -> String {
    let end = word.len().min(TextErrorKind::WORD_LIMIT);
    String::from_utf8_lossy(&word[..end]).into_owned()
}
