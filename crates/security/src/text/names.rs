//! Plain lists of capabilities, as the option `bounding_set` takes them.
//!
//! Ours: libcap has no such text. The elements are those of capability text, so that what is learnt there holds.

use super::error::{TextError, TextErrorKind};
use super::item::{Cursor, Item};
use crate::capability::CapSet;

/// Reads a list of names or numbers, separated by white space, by a comma, or by both. `all` stands for the first
/// `count` capabilities. An empty list is the empty set.
///
/// ```
/// use stepdown_security::text::parse_names;
/// assert_eq!(parse_names("cap_chown, 1 CAP_KILL", 41)?.bits(), 0b10_0011);
/// assert_eq!(parse_names("all", 41)?.len(), 41);
/// assert!(parse_names("", 41)?.is_empty());
/// assert!(parse_names("cap_chown+p", 41).is_err());
/// # Ok::<(), stepdown_security::text::TextError>(())
/// ```
///
/// # Errors
///
/// For a word that is neither a name nor a number to 63, a comma too many, and operators or flags, which belong to
/// the text that [`parse`](super::parse) reads.
pub fn parse_names(text: &str, count: u8) -> Result<CapSet, TextError> {
    let known = CapSet::first(count);
    let mut cursor = Cursor { text: text.as_bytes(), at: 0 };
    let mut set = CapSet::EMPTY;
    let mut after_comma = false;
    cursor.skip_space();
    loop {
        match cursor.peek() {
            None if after_comma => return cursor.error(0, TextErrorKind::MissingName),
            None => return Ok(set),
            Some(_) if cursor.at_item() => match cursor.item()? {
                Item::One(capability) => set.insert(capability),
                Item::All => set = set.union(known),
            },
            Some(b',') => return cursor.error(0, TextErrorKind::MissingName),
            Some(b'=' | b'+' | b'-') => return cursor.error(1, TextErrorKind::FlagsInNames),
            Some(byte) => return cursor.error(1, TextErrorKind::Unexpected(byte)),
        }
        cursor.skip_space();
        after_comma = cursor.peek() == Some(b',');
        if after_comma {
            cursor.at += 1;
            cursor.skip_space();
        }
    }
}
