//! Places in a text: spans, and the line and column they are on.
//!
//! A text may be one line of 50 MB or 50 million empty lines, so neither is looked for from the start: a checkpoint every
//! 4 KiB holds line and column, and a place costs at most one such block.

use crate::chars;
use crate::finding::{Place, Spot};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// A piece of one file of a configuration, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which file: an index into the configuration's files.
    pub file: u32,
    /// The first byte, from 0.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// Where the lines of one text are.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    blocks: Vec<Checkpoint>,
}

#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    line: u32,
    column: u32,
}

const BLOCK: usize = 4096;

/// Characters shown on either side of a place.
const AROUND: usize = 100;

impl Lines {
    /// Looks through a text once.
    pub(crate) fn new(text: &str) -> Lines {
        let mut at = Checkpoint { line: 0, column: 0 };
        let mut blocks = Vec::with_capacity(text.len() / BLOCK + 1);
        blocks.push(at);
        for block in text.as_bytes().chunks_exact(BLOCK) {
            at = at.after(block);
            blocks.push(at);
        }
        Lines { blocks }
    }

    /// The place of some bytes, and of the whole of each character that any of them belongs to.
    pub(crate) fn place(&self, file: &str, text: &str, range: Range<usize>) -> Place {
        let boundary = |at: &usize| text.is_char_boundary(*at);
        let start = (0..=range.start.min(text.len())).rev().find(boundary).unwrap_or(0);
        let end = (range.end..text.len()).find(boundary).unwrap_or(text.len());
        let block = (start / BLOCK).min(self.blocks.len() - 1);
        let at = self.blocks[block].after(&text.as_bytes()[block * BLOCK..start]);

        let (from, to) = around(text, start);
        let line = text[from..to].trim_end_matches('\r');
        let covered = &text[start..end.clamp(start, to)];
        Place::from(Spot {
            file: file.to_string(),
            line: at.line + 1,
            column: at.column + 1,
            excerpt: excerpt(line),
            excerpt_column: characters(&text.as_bytes()[from..start]),
            width: characters(covered.trim_end_matches('\r').as_bytes()).max(1),
        })
    }
}

impl Checkpoint {
    fn after(self, bytes: &[u8]) -> Checkpoint {
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            None => Checkpoint { line: self.line, column: self.column + characters(bytes) },
            Some(last) => Checkpoint {
                line: self.line + count(bytes, |byte| byte == b'\n'),
                column: characters(&bytes[last + 1..]),
            },
        }
    }
}

/// The line that a place is on, or as much of it as an excerpt has room for on either side.
fn around(text: &str, start: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let is_end = |byte: &u8| *byte == b'\n';
    // As a rule the line begins and ends nearby, and then its characters need not be counted.
    let near = start.saturating_sub(AROUND);
    let from = match bytes[near..start].iter().rposition(is_end) {
        Some(at) => near + at + 1,
        None if near == 0 => 0,
        None => text[..start].char_indices().rev().take(AROUND).last().map_or(start, |(at, _)| at),
    };
    let near = bytes.len().min(start + AROUND);
    let to = match bytes[start..near].iter().position(is_end) {
        Some(at) => start + at,
        None if near == bytes.len() => near,
        None => {
            let after = text[start..].char_indices().take(AROUND).take_while(|(_, c)| *c != '\n');
            after.last().map_or(start, |(at, c)| start + at + c.len_utf8())
        }
    };
    (from, to)
}

/// The line as it is shown.
fn excerpt(line: &str) -> String {
    if line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return line.to_string();
    }
    line.chars().map(visible).collect()
}

/// How many characters begin in these bytes.
fn characters(bytes: &[u8]) -> u32 {
    count(bytes, |byte| (byte as i8) >= -0x40)
}

/// How many bytes are such.
#[inline]
fn count(bytes: &[u8], is: impl Fn(u8) -> bool) -> u32 {
    // So many that their number fits a byte: the compiler then counts a vector of bytes at a time.
    let few = bytes.chunks(u8::MAX as usize);
    few.map(|few| u32::from(few.iter().map(|byte| u8::from(is(*byte))).sum::<u8>())).sum()
}

/// One visible character for each character: an excerpt must not move a terminal's cursor.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        '\u{7f}' => '\u{2421}',
        c if (c as u32) < 0x20 => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{a0}' => '\u{237d}',
        c if c.is_control() || chars::is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

/// The span's bytes as a range.
pub(crate) fn range(start: u32, end: u32) -> Range<usize> {
    start as usize..end as usize
}

/// A text without its invalid bytes, each ill-formed sequence of which is replaced by U+FFFD, and where those are.
pub(crate) fn decode(bytes: &[u8]) -> (String, Vec<usize>) {
    let mut text = String::with_capacity(bytes.len());
    let mut invalid = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            if invalid.len() < 1000 {
                invalid.push(text.len());
            }
            text.push('\u{fffd}');
        }
    }
    (text, invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_agree_with_counting_from_the_start() {
        let text: String = (0..5000).map(|n| ["a", "é", "\n", "xyz\r\n", "\t", "漢"][n * 7 % 6]).collect();
        let long = "é".repeat(3 * BLOCK) + "\n" + &text;
        for text in [text.as_str(), long.as_str(), "", "\n"] {
            let lines = Lines::new(text);
            for offset in (0..=text.len()).filter(|offset| text.is_char_boundary(*offset)) {
                let place = lines.place("f", text, offset..offset);
                let before = &text[..offset];
                let line = before.matches('\n').count() as u32 + 1;
                let column = before.rsplit('\n').next().unwrap().chars().count() as u32 + 1;
                assert_eq!((place.line, place.column), (line, column), "at {offset}");
            }
        }
    }

    #[test]
    fn an_excerpt_is_one_safe_line_and_points_at_the_place() {
        let text = "one\n\tuser = \u{1b}[31mr\u{202e}oot\r\nthree";
        let start = text.find("user").unwrap();
        let place = Lines::new(text).place("f", text, start..start + 4);
        assert_eq!(place.excerpt, " user = \u{241b}[31mr\u{fffd}oot");
        assert_eq!((place.line, place.column, place.excerpt_column, place.width), (2, 2, 1, 4));
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides() {
        let text = "é".repeat(1000);
        let place = Lines::new(&text).place("f", &text, 1000..1004);
        assert_eq!((place.column, place.excerpt_column, place.width), (501, 100, 2));
        assert_eq!(place.excerpt.chars().count(), 200);
    }

    #[test]
    fn an_invalid_sequence_becomes_one_character() {
        let (text, invalid) = decode(b"a\xff\xfeb\xe2\x82c");
        assert_eq!(text, "a\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!(invalid, [1, 4, 8]);
    }
}
