//! Which bytes and characters may stand where.
//!
//! One table for bytes, because the lexer spends its time here. See "Words" in the language reference.

/// A name of an option or scope may hold this byte: letters, digits, `_`, `-`, `:`.
pub(crate) const NAME: u8 = 1;
/// A bare word may hold this byte.
pub(crate) const WORD: u8 = 2;
/// A bare word in an array or dictionary may hold this byte: as `WORD`, but a comma separates.
pub(crate) const LISTED: u8 = 4;
/// White space.
pub(crate) const SPACE: u8 = 8;
/// Part of a character beyond ASCII; words that hold one are looked at again, by character.
pub(crate) const WIDE: u8 = 16;
/// `*`; words that hold one are looked at again, for what may be a comment.
pub(crate) const STAR: u8 = 32;

/// What each byte may be part of.
pub(crate) static CLASS: [u8; 256] = classes();

/// The class bits of a byte.
#[inline]
pub(crate) fn class(byte: u8) -> u8 {
    CLASS[byte as usize]
}

/// Characters that nobody sees, or that change the order in which others are seen: harmless in quotes, a trap in a bare
/// word.
pub(crate) fn is_invisible(character: char) -> bool {
    !character.is_ascii()
        && (character.is_whitespace()
            || character.is_control()
            || reorders(character)
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'))
}

/// Characters that make a line look different from what it says.
pub(crate) fn reorders(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b':' => NAME | WORD | LISTED,
            b'#' | b'"' | b'\'' | b'=' | b'{' | b'}' | b'[' | b']' | b'(' | b')' => 0,
            b',' => WORD,
            b'*' => WORD | LISTED | STAR,
            0..=0x1f | 0x7f => 0,
            0x80..=0xff => WORD | LISTED | WIDE,
            _ => WORD | LISTED,
        };
        byte += 1;
    }
    table
}
