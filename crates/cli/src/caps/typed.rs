//! What an operand of `stepdown caps` means: a number, a mask, names, or capability text, tried in this order.
//!
//! No two of them can be meant at once but by a number: `10` is capability 10, while a mask has `0x` or all of its 16
//! digits, proc_pid_status(5).

use stepdown::conf::{Cause, Finding, shown};
use stepdown::security::capability::{CapSet, Capability};
use stepdown::security::text::{CapState, TextError, parse, parse_names};

/// What was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Capabilities, and nothing about which sets they are in.
    Set(CapSet),
    /// The state that a text describes.
    State(CapState),
}

impl Typed {
    /// Every capability that it is about.
    pub(super) fn mentioned(&self) -> CapSet {
        match self {
            Typed::Set(set) => *set,
            Typed::State(state) => state.mentioned(),
        }
    }
}

/// Every capability that has a name.
pub(super) fn everything() -> Typed {
    Typed::Set(CapSet::upto(Capability::LAST_NAMED))
}

/// Reads an operand; `count` is how many capabilities the kernel knows, which `all` depends on.
pub(super) fn read(text: &str, count: u8) -> Result<Typed, Box<Finding>> {
    let word = text.trim();
    if let Some(mask) = mask(word) {
        return mask.map(Typed::Set).ok_or_else(|| too_wide(word));
    }
    if let Some(capability) = Capability::from_name(&format!("cap_{word}")) {
        return Ok(Typed::Set(CapSet::only(capability)));
    }
    // Without an operator it can't be a text, but for the empty one, which is the text of the empty state.
    if !word.is_empty() && !word.contains(['=', '+', '-']) {
        return names(word, count).map(Typed::Set).map_err(|error| wrong(text, &error));
    }
    parse(text, count).map(Typed::State).map_err(|error| wrong(text, &error))
}

/// A mask, where it is one by its form; the inner `None` is one of more than 64 bits.
fn mask(word: &str) -> Option<Option<CapSet>> {
    let digits = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => digits,
        None if word.len() == 16 => word,
        None => return None,
    };
    let hexadecimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| u64::from_str_radix(digits, 16).ok().map(CapSet::from_bits))
}

/// Names, each with or without its `cap_`, and numbers.
fn names(text: &str, count: u8) -> Result<CapSet, TextError> {
    let short = |word: &str| Capability::from_name(&format!("cap_{word}"));
    let mut set = CapSet::EMPTY;
    let mut whole = String::new();
    for word in text.split_inclusive([' ', '\t', '\n', ',']) {
        let bare = word.trim_end_matches([' ', '\t', '\n', ',']);
        match short(bare) {
            // Its number is as short as any name, so that the place of an error behind it would not be true: the
            // text is looked at once more as it was typed.
            Some(capability) => {
                set.insert(capability);
                whole.push_str(&capability.number().to_string());
                whole.push_str(&word[bare.len()..]);
            }
            None => whole.push_str(word),
        }
    }
    match parse_names(&whole, count) {
        Ok(others) => Ok(set.union(others)),
        Err(error) => Err(parse_names(text, count).err().unwrap_or(error)),
    }
}

fn too_wide(word: &str) -> Box<Finding> {
    Box::new(
        Finding::error("bad-mask", Cause::Text, format!("`{}` has more than 64 bits", shown(word)))
            .because("the sets of the kernel have 64, one for each capability there could ever be"),
    )
}

fn wrong(text: &str, error: &TextError) -> Box<Finding> {
    let at = characters(text, error.offset) + 1;
    let message = format!("`{}`, at character {at}: {error}", shown(text));
    Box::new(
        Finding::error("bad-capability-text", Cause::Text, message)
            .because("it is no capability text, no list of names, no number to 63 and no mask"),
    )
}

fn characters(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> u64 {
        match read(text, 41) {
            Ok(Typed::Set(set)) => set.bits(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_way_of_writing_capabilities_is_told_apart() {
        for (text, bits) in [
            ("10", 1 << 10),
            ("63", 1 << 63),
            ("0", 1),
            ("0x10", 0x10),
            ("0X0", 0),
            ("0000000000000010", 0x10),
            ("00000000a80425fb", 0xa804_25fb),
            ("ffffffffffffffff", u64::MAX),
            ("cap_chown", 1),
            ("CHOWN", 1),
            ("net_raw,cap_chown 5", 1 << 13 | 1 | 1 << 5),
            ("all", (1 << 41) - 1),
        ] {
            assert_eq!(set(text), bits, "{text}");
        }
        for text in ["cap_chown+ep", "=ep", "", " ", "10=p", "0x1+p"] {
            assert!(matches!(read(text, 41), Ok(Typed::State(_))), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_read_says_why_and_what_was_meant() {
        let finding = |text: &str| *read(text, 41).unwrap_err();
        for (text, at) in
            [("cap_net_rwa", 1), ("net_rwa", 1), ("cap_kill,net_rwa", 10), ("é cap_net_rwa+p", 1)]
        {
            let message = finding(text).message.clone();
            assert!(message.contains(&format!("at character {at}: ")), "{message}");
            assert_eq!(message.contains("`cap_net_raw`"), at != 1 || !text.starts_with('é'), "{message}");
        }
        for text in ["64", "0x", "0x10000000000000000", "cap_chown++p", "cap_chown+p,", "é", "\0"] {
            assert!(read(text, 41).is_err(), "{text}");
        }
    }
}
