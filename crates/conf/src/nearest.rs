//! "Did you mean": the nearest of some words to one that is not among them.
//!
//! For capability, option and user names alike. Not for searching: the words are few, and short.

use alloc::vec::Vec;

/// The candidate nearest to `word`, if one is near enough to be what was meant.
///
/// Letters of both cases are the same (ASCII). An inserted, left-out or wrong character counts one, as do two
/// neighbours that changed places. A word of up to three characters may be off by one, longer ones by a third of their
/// length, never by more than six. Of several equally near, the first wins. A word of more than 128 bytes is near
/// nothing.
pub fn nearest<'a>(word: &str, mut candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    among(word, &mut candidates)
}

/// One piece of code for whatever the candidates come from.
fn among<'a>(word: &str, candidates: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let word: Vec<char> = word.chars().map(|c| c.to_ascii_lowercase()).collect();
    let allowed = (word.len() / 3).clamp(1, 6);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates.filter(|candidate| candidate.len() <= LONGEST) {
        let other: Vec<char> = candidate.chars().map(|c| c.to_ascii_lowercase()).collect();
        if other.len().abs_diff(word.len()) > allowed {
            continue;
        }
        let distance = distance(&word, &other);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

const LONGEST: usize = 128;

/// The optimal string alignment distance: edits and swaps of neighbours, no place edited twice.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = core::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 5] = ["user", "group", "capabilities", "chroot", "supplemental_groups"];

    fn near(word: &str) -> Option<&'static str> {
        nearest(word, WORDS.into_iter())
    }

    #[test]
    fn slips_of_the_finger_are_recognised() {
        assert_eq!(near("usre"), Some("user"));
        assert_eq!(near("CAPABILTIES"), Some("capabilities"));
        assert_eq!(near("groups"), Some("group"));
        assert_eq!(near("suplemental-groups"), Some("supplemental_groups"));
    }

    #[test]
    fn other_words_are_not() {
        assert_eq!(near("privileges"), None);
        assert_eq!(near(""), None);
        assert_eq!(near("xy"), None);
        assert_eq!(near(&"user".repeat(100_000)), None);
    }

    #[test]
    fn a_swap_counts_one_and_the_first_of_equals_wins() {
        assert_eq!(distance(&['a', 'b', 'c'], &['b', 'a', 'c']), 1);
        assert_eq!(distance(&['k', 'i', 't', 't', 'e', 'n'], &['s', 'i', 't', 't', 'i', 'n', 'g']), 3);
        assert_eq!(nearest("bat", ["cat", "hat"].into_iter()), Some("cat"));
    }
}
