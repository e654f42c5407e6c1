//! Finds bytes, eight at a time: for texts of the system that a launch goes through, each of them once.

/// How many bytes come before the first that is either of these two; all of them, if none is.
pub(crate) fn before(bytes: &[u8], one: u8, other: u8) -> usize {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (ones, others) = (LOW * one as u64, LOW * other as u64);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // A byte that is zero borrows from its highest bit, and the lowest such borrow is a true one.
        let (a, b) = (word ^ ones, word ^ others);
        let found = (a.wrapping_sub(LOW) & !a | b.wrapping_sub(LOW) & !b) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    for byte in rest {
        if *byte == one || *byte == other {
            break;
        }
        at += 1;
    }
    at
}

/// The lines of a text, without their ends.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = before(rest.as_bytes(), b'\n', b'\n');
        // A line end is ASCII, so that there is a character on either side of it.
        let (line, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found_wherever_it_is() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'a'; length];
                assert_eq!(before(&bytes, b':', b'\n'), length);
                bytes[at] = b':';
                assert_eq!(before(&bytes, b':', b'\n'), at);
                assert_eq!(before(&bytes, b'\n', b':'), at);
                bytes[length - 1] = b'\n';
                assert_eq!(before(&bytes, b':', b'\n'), at);
                // A byte that differs from the one wanted in its lowest bit alone, right behind it.
                bytes[length - 1] = b';';
                assert_eq!(before(&bytes, b':', b':'), if at + 1 == length { length } else { at });
            }
        }
    }

    #[test]
    fn lines_are_those_of_the_text() {
        let text = "one\n\ntwo and more\nlast";
        assert!(lines(text).eq(["one", "", "two and more", "last"]));
        assert!(lines("").next().is_none() && lines("a\n").eq(["a"]));
    }
}
