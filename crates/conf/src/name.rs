//! Names of options and scopes, which are the same in any case, and the numbers by which most of them are told apart.

use core::cmp::Ordering;

/// A name, compared without regard to the case of ASCII letters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a>(pub(crate) &'a str);

/// The first eight bytes as a number, zeros where there are fewer. Texts of different numbers are in the numbers' order;
/// texts of the same number have to be compared.
pub(crate) fn prefix(text: &str) -> u64 {
    let bytes = text.as_bytes();
    match bytes.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => bytes.iter().enumerate().map(|(at, byte)| u64::from(*byte) << (56 - 8 * at)).sum(),
    }
}

impl Name<'_> {
    /// [`prefix`] in lower case.
    pub(crate) fn prefix(self) -> u64 {
        u64::from_be_bytes(prefix(self.0).to_be_bytes().map(|byte| byte.to_ascii_lowercase()))
    }
}

impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        crate::count::comparison();
        let (a, b) = (self.0.bytes(), other.0.bytes());
        a.map(|byte| byte.to_ascii_lowercase()).cmp(b.map(|byte| byte.to_ascii_lowercase()))
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        crate::count::comparison();
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Name<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_in_the_order_of_the_texts() {
        let texts = [
            "",
            "\0",
            "\0\0",
            "A",
            "a",
            "a\0",
            "aa",
            "B",
            "é",
            "abcdefg",
            "ABCDEFGH",
            "abcdefgh",
            "abcdefghi",
            "abcdefgi",
        ];
        for a in texts {
            for b in texts {
                assert!(prefix(a) == prefix(b) || prefix(a).cmp(&prefix(b)) == a.cmp(b), "{a:?} {b:?}");
                let (a, b) = (Name(a), Name(b));
                assert!(a.prefix() == b.prefix() || a.prefix().cmp(&b.prefix()) == a.cmp(&b), "{a:?} {b:?}");
                assert!(a != b || a.prefix() == b.prefix(), "{a:?} {b:?}");
            }
        }
    }
}
