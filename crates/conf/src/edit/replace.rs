//! Another value in the place of one. Of an array or dictionary only the items that differ are touched.

use super::{Edit, NewValue, lines, text_of};
use crate::config::Assignment;
use crate::source::Span;
use crate::tree::{Kind, Piece, significant};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

pub(super) fn value(assignment: &Assignment<'_>, new: &NewValue) -> Edit {
    let file = assignment.data.file;
    let text = text_of(assignment.config, file);
    let whole = assignment.span();
    let bytes = |range: Range<u32>, text: String| Edit {
        span: Span { file, start: range.start, end: range.end },
        text,
    };
    let pieces: Vec<Piece> = assignment.pieces().collect();
    let open = match (new, pieces[0].kind()) {
        (NewValue::Array(_), Kind::ArrayOpen) | (NewValue::Dict(_), Kind::DictOpen) => pieces[0],
        _ => return bytes(whole.start..whole.end, instead(assignment, text, whole, new)),
    };
    let old = old_items(assignment, &pieces);
    let items = new.items();
    let multiline = text[open.end() as usize..whole.end as usize].contains('\n');
    if old.is_empty() || (items.is_empty() && !multiline) {
        return bytes(whole.start..whole.end, new.written());
    }
    let same = |(old, new): &(&Item, &(Vec<&str>, String))| old.texts == new.0;
    let front = old.iter().zip(&items).take_while(same).count();
    let most = old.len().min(items.len()) - front;
    let back = old.iter().rev().zip(items.iter().rev()).take(most).take_while(same).count();
    let (gone, come) = (&old[front..old.len() - back], &items[front..items.len() - back]);

    // One item a line where the old ones stand so.
    let own_line = old.iter().all(|item| lines::is_blank(before(text, item.start)));
    let gap = match (own_line, open.kind()) {
        (true, _) => {
            let indent = lines::indent(text, old[0].start as usize);
            [lines::newline(text), indent].concat()
        }
        (false, Kind::DictOpen) => "  ".to_string(),
        (false, _) => " ".to_string(),
    };
    let written = come.iter().map(|(_, written)| written.as_str()).collect::<Vec<&str>>().join(&gap);
    match (gone, come) {
        ([], []) => bytes(whole.start..whole.start, String::new()),
        ([], _) if front > 0 => {
            let at = old[front - 1].end;
            bytes(at..at, [gap, lines::apart(text, at as usize, written)].concat())
        }
        ([], _) => {
            let at = old[0].start;
            bytes(at..at, [written, gap].concat())
        }
        (gone, []) => {
            let all = &assignment.config.files()[file as usize].tree.pieces;
            let range = out(text, all, gone[0].start, gone[gone.len() - 1].end);
            bytes(range.start as u32..range.end as u32, String::new())
        }
        (gone, _) => {
            let end = gone[gone.len() - 1].end;
            bytes(gone[0].start..end, lines::apart(text, end as usize, written))
        }
    }
}

/// An item that is there: where it is, and what tells it from others.
struct Item {
    start: u32,
    end: u32,
    texts: Vec<String>,
}

fn old_items(assignment: &Assignment<'_>, pieces: &[Piece]) -> Vec<Item> {
    let file = &assignment.config.files()[assignment.data.file as usize];
    let mut texts = pieces.iter().filter(|piece| piece.kind().is_text());
    let of = |piece: &Piece| file.text_of(assignment.data.file, *piece).text().into_owned();
    let is_dict = pieces[0].kind() == Kind::DictOpen;
    core::iter::from_fn(|| {
        let first = texts.next()?;
        let mut item = Item { start: first.start(), end: first.end(), texts: alloc::vec![of(first)] };
        if is_dict {
            let value = texts.next()?;
            item.end = value.end();
            item.texts.push(of(value));
        }
        Some(item)
    })
    .collect()
}

/// The bytes to take out so that some items are gone, with the comma behind them.
fn out(text: &str, pieces: &[Piece], start: u32, end: u32) -> Range<usize> {
    let first = pieces.partition_point(|piece| piece.start() < start);
    let mut last = pieces.partition_point(|piece| piece.end() <= end) - 1;
    if pieces.get(last + 1).is_some_and(|piece| piece.kind() == Kind::Comma) {
        last += 1;
    }
    lines::around(text, pieces, first, last)
}

/// A whole value in the place of another, which may have had no `=` before it.
fn instead(assignment: &Assignment<'_>, text: &str, whole: Span, new: &NewValue) -> String {
    let written = lines::apart(text, whole.end as usize, new.written());
    let name = assignment.data.name as usize;
    let pieces = &assignment.config.files()[assignment.data.file as usize].tree.pieces;
    let has_equals =
        significant(pieces, name + 1).next().is_some_and(|(_, piece)| piece.kind() == Kind::Equals);
    if has_equals || matches!(new, NewValue::Dict(_)) { written } else { [" = ", &written].concat() }
}

fn before(text: &str, at: u32) -> &str {
    &text[lines::start_of_line(text, at as usize)..at as usize]
}
