//! What is on a line besides a statement, and how lines are begun and ended here.

use crate::tree::{Kind, Piece};
use alloc::string::String;
use core::ops::Range;

/// The bytes to take out so that a statement is gone: `first` and `last` are its pieces.
///
/// Alone on its lines it goes with them and a comment behind it; else it goes with the white space that set it off.
pub(super) fn around(text: &str, pieces: &[Piece], first: usize, last: usize) -> Range<usize> {
    let (start, end) = (pieces[first].start() as usize, pieces[last].end() as usize);
    let begin = start_of_line(text, start);
    let begins = is_blank(&text[begin..start]);
    let next = pieces.get(last + 1);
    let (tail, next) = match next {
        Some(piece) if is_behind(text, end, piece) && ends_line(text, piece.end() as usize).is_some() => {
            (piece.end() as usize, pieces.get(last + 2))
        }
        _ => (end, next),
    };
    if let Some(line_end) = ends_line(text, tail) {
        if begins {
            return begin..line_end;
        }
        let before = first.checked_sub(1).map_or(start, |piece| pieces[piece].end() as usize);
        return before..tail;
    }
    let Some(next) = next else { return start..end };
    let before = first.checked_sub(1).map(|piece| pieces[piece]);
    let is_first =
        before.is_none_or(|before| matches!(before.kind(), Kind::Open | Kind::ArrayOpen | Kind::DictOpen));
    match (next.kind(), before) {
        // The last of several on a line.
        (Kind::Close | Kind::ArrayClose | Kind::DictClose, Some(before)) if !begins && !is_first => {
            before.end() as usize..end
        }
        _ => start..next.start() as usize,
    }
}

/// Where the line of a byte begins.
pub(super) fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The byte after the line's end, if there is nothing but blanks up to it.
pub(super) fn ends_line(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let end = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    is_blank(&rest[..end]).then_some(at + end)
}

/// The white space that a line begins with.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = &text[start_of_line(text, at)..];
    let end = line.find(|c| !matches!(c, ' ' | '\t')).unwrap_or(line.len());
    &line[..end]
}

/// How lines end here.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The text, with a space behind it where it would otherwise run into what follows it at `end`.
pub(super) fn apart(text: &str, end: usize, mut written: String) -> String {
    let next = text[end..].chars().next();
    let ends_itself = written.is_empty() || written.ends_with([')', ']']);
    let separates =
        |c: char| is_blank(c.encode_utf8(&mut [0; 4])) || matches!(c, '}' | ')' | ']' | ',' | '#');
    if !ends_itself && next.is_some_and(|next| !separates(next)) {
        written.push(' ');
    }
    written
}

pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c))
}

/// Whether a piece is a comment on the line that ends at `end`, and on no other.
fn is_behind(text: &str, end: usize, piece: &Piece) -> bool {
    piece.kind() == Kind::Comment && !text[end..piece.end() as usize].contains('\n')
}
