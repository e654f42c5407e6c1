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

/// How many bytes come before the first that is either of these two; all of them, if none is.
#[inline]
pub(crate) fn until(bytes: &[u8], one: u8, other: u8) -> usize {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Eight bytes at a time: a byte that is zero borrows from its highest bit, and the lowest such borrow is a true one.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (ones, others) = (LOW * u64::from(one), LOW * u64::from(other));
    let (words, rest) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ ones) | zeros(word ^ others);
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let last = rest.iter().position(|byte| *byte == one || *byte == other);
    bytes.len() - rest.len() + last.unwrap_or(rest.len())
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

#[cfg(test)]
mod tests {
    use super::until;
    use alloc::vec::Vec;

    #[test]
    fn looking_for_two_bytes_eight_at_a_time_finds_what_one_at_a_time_finds() {
        // Neighbours of what is looked for, and what differs from it in the highest bit alone.
        let near = [
            b'"' - 1,
            b'"',
            b'"' + 1,
            b'"' | 0x80,
            b'\\',
            b'\\' - 1,
            b'\\' | 0x80,
            0,
            1,
            0xff,
            b'x',
            b'x',
            b'x',
        ];
        let mut state = 1_u32;
        for length in (0..40).cycle().take(20_000) {
            let text: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    near[(state >> 16) as usize % near.len()]
                })
                .collect();
            let slow = text.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(length);
            assert_eq!(until(&text, b'"', b'\\'), slow, "{text:?}");
        }
    }
}
