//! Capability texts and states for the differential test: right ones, nearly right ones, and noise.
//!
//! Everything follows from one seed. Part of captext_libcap.rs, not a test of its own.

use stepdown_security::capability::{CapSet, NAMED};
use stepdown_security::text::CapState;

/// SplitMix64: small, seedable, and good enough to shuffle test cases with.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// One text. It never holds a NUL, since libcap could not be asked about that.
pub(crate) fn text(random: &mut Random) -> Vec<u8> {
    let mut text = match random.below(16) {
        0..4 => valid(random),
        4..8 => {
            let mut text = valid(random);
            for _ in 0..1 + random.below(3) {
                mutate(random, &mut text);
            }
            text
        }
        8..11 => token_soup(random),
        11 => byte_soup(random),
        12 | 13 => number_clause(random),
        14 => equals_clause(random),
        _ => long_list(random),
    };
    text.retain(|&byte| byte != 0);
    text
}

/// Every sequence of up to `longest` tokens of a small alphabet in which each role of the grammar occurs.
pub(crate) fn every_sequence(longest: u32) -> impl Iterator<Item = Vec<u8>> {
    const TOKENS: [&str; 10] = ["cap_chown", "all", "63", ",", "=", "+", "-", "e", "p", " "];
    (0..=longest).flat_map(|length| {
        (0..TOKENS.len().pow(length)).map(move |mut index| {
            let mut text = Vec::new();
            for _ in 0..length {
                text.extend_from_slice(TOKENS[index % TOKENS.len()].as_bytes());
                index /= TOKENS.len();
            }
            text
        })
    })
}

/// One state: any bits, few bits, or the regular patterns in which the canonical text has its special cases.
pub(crate) fn state(random: &mut Random, count: u8) -> CapState {
    let known = CapSet::first(count);
    let mut set = |previous: CapSet| match random.below(8) {
        0 => CapSet::EMPTY,
        1 => known,
        2 => CapSet::from_bits(u64::MAX),
        3 => previous,
        4 => CapSet::from_bits(random.next() & random.next() & random.next() & random.next()),
        5 => known.difference(CapSet::from_bits(random.next() & random.next() & random.next())),
        6 => CapSet::from_bits(random.next()).difference(known),
        _ => CapSet::from_bits(random.next()),
    };
    let effective = set(CapSet::EMPTY);
    let permitted = set(effective);
    CapState { effective, permitted, inheritable: set(permitted) }
}

fn valid(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(4) {
        space(random, &mut text);
    }
    for index in 0..random.below(6) {
        if index > 0 {
            space(random, &mut text);
        }
        clause(random, &mut text);
    }
    if random.one_in(4) {
        space(random, &mut text);
    }
    text
}

fn clause(random: &mut Random, text: &mut Vec<u8>) {
    if random.one_in(6) {
        text.push(b'=');
        for _ in 0..random.below(4) {
            text.push(random.pick(b"eip"));
        }
        return;
    }
    for index in 0..1 + random.below(4) {
        if index > 0 {
            text.push(b',');
        }
        item(random, text);
    }
    let mut actions = 1 + random.below(3);
    if random.one_in(3) {
        text.push(b'=');
        for _ in 0..random.below(4) {
            text.push(random.pick(b"eip"));
        }
        actions -= 1;
    }
    for _ in 0..actions {
        text.push(random.pick(b"++-"));
        for _ in 0..1 + random.below(3) {
            text.push(random.pick(b"eip"));
        }
    }
}

fn item(random: &mut Random, text: &mut Vec<u8>) {
    match random.below(10) {
        0 => text.extend(cased(random, "all")),
        1 | 2 => text.extend(number(random, 64)),
        3 => {
            let name = random_name(random);
            text.extend(cased(random, name));
        }
        _ => text.extend(random_name(random).bytes()),
    }
}

fn random_name(random: &mut Random) -> &'static str {
    NAMED[random.below(NAMED.len())].name
}

fn cased(random: &mut Random, word: &str) -> Vec<u8> {
    let one_in = 1 + random.below(4);
    let flip = |byte: u8| if random.one_in(one_in) { byte.to_ascii_uppercase() } else { byte };
    word.bytes().map(flip).collect()
}

/// A number below `end`, in any of the notations of C, some with zeros in front.
fn number(random: &mut Random, end: usize) -> Vec<u8> {
    let value = random.below(end);
    let zeros = "0".repeat(if random.one_in(4) { random.below(4) } else { 0 });
    match random.below(5) {
        0 => format!("0x{zeros}{value:x}"),
        1 => format!("0X{zeros}{value:X}"),
        2 => format!("0{zeros}{value:o}"),
        _ => format!("{value}"),
    }
    .into_bytes()
}

fn space(random: &mut Random, text: &mut Vec<u8>) {
    for _ in 0..1 + random.below(2) {
        text.push(random.pick(b"    \t\n\x0b\x0c\r"));
    }
}

fn mutate(random: &mut Random, text: &mut Vec<u8>) {
    let at = random.below(text.len() + 1);
    let byte = match random.below(3) {
        0 => random.pick(b"+-=,eip _01x"),
        1 => random.next() as u8,
        _ => random.pick(b" \t\x0b\x1c\x85\xa0\x7fEIPAZ"),
    };
    match random.below(6) {
        0 => text.insert(at, byte),
        1 if at < text.len() => text[at] = byte,
        2 if at < text.len() => text[at] ^= 0x20,
        3 if at < text.len() => drop(text.remove(at)),
        4 => text.truncate(at),
        5 => {
            let from = random.below(text.len() + 1).min(at);
            let piece = text[from..at].to_vec();
            let to = random.below(text.len() + 1);
            text.splice(to..to, piece);
        }
        _ => text.push(byte),
    }
}

fn token_soup(random: &mut Random) -> Vec<u8> {
    const TOKENS: [&str; 40] = [
        "=",
        "=",
        "=",
        "+",
        "+",
        "-",
        "-",
        ",",
        ",",
        "e",
        "i",
        "p",
        "ep",
        "eip",
        "+ep",
        "=p",
        "+p",
        "-e",
        "=+",
        "=-",
        " ",
        " ",
        " ",
        "\t",
        "\n",
        "all",
        "ALL",
        "al",
        "alls",
        "_",
        "cap_",
        "cap",
        "0",
        "00",
        "0x",
        "63",
        "64",
        "E",
        "cap_chown",
        "é",
    ];
    let mut text = Vec::new();
    for _ in 0..random.below(12) {
        match random.below(6) {
            0 => item(random, &mut text),
            _ => text.extend_from_slice(random.pick(&TOKENS).as_bytes()),
        }
    }
    text
}

fn byte_soup(random: &mut Random) -> Vec<u8> {
    let any = random.one_in(3);
    (0..random.below(10))
        .map(|_| if any { random.next() as u8 } else { random.pick(b"+-=,eip01x9 \tal_") })
        .collect()
}

/// A clause about a number: too large, not quite one, or fine.
fn number_clause(random: &mut Random) -> Vec<u8> {
    const ODD: [&str; 18] = [
        "08",
        "0x",
        "0X",
        "0xg",
        "0x3g",
        "1_",
        "1e",
        "010",
        "077",
        "0100",
        "4294967296",
        "4294967297",
        "18446744073709551615",
        "18446744073709551616",
        "36893488147419103233",
        "0x10000000000000001",
        "1a",
        "0b1",
    ];
    let mut text = match random.below(4) {
        0 => random.pick(&ODD).into(),
        _ => number(random, 72),
    };
    text.extend(random.pick(&["+p", "=ep", "-p", ",1+p", ",all+p-e", "", " +p", "=", "+", "=-i"]).bytes());
    text
}

fn equals_clause(random: &mut Random) -> Vec<u8> {
    let mut text = valid(random);
    space(random, &mut text);
    if !random.one_in(3) {
        item(random, &mut text);
    }
    text.push(b'=');
    for _ in 0..random.below(6) {
        text.push(random.pick(b"eip+-="));
    }
    text
}

fn long_list(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    let most = if random.one_in(50) { 2_000 } else { 60 };
    for index in 0..random.below(most) {
        if index > 0 {
            text.push(b',');
        }
        item(random, &mut text);
    }
    text.extend_from_slice(b"+p");
    if random.one_in(4) {
        mutate(random, &mut text);
    }
    text
}
