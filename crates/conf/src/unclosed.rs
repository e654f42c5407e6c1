//! Which scope is it that was not closed?
//!
//! At the end of a file only the number of missing braces is known. Where each was forgotten shows in the indentation:
//! a scope whose closing brace stands further left than the line it was opened on was probably closed by the brace of
//! another. This is for one message; nothing else depends on indentation.

use crate::lex::{Lexer, syntax};
use crate::tree::{Kind, Piece};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// Other scopes shown with the one that is blamed.
const SHOWN: usize = 5;

/// Reports the scopes still open at the end; `open` has their `Open` pieces, of which there is at least one.
pub(crate) fn scopes(lex: &mut Lexer<'_>, open: &[u32]) {
    let suspect = first_mismatch(lex.text, &lex.pieces);
    let mut related: Vec<(Range<usize>, String)> = Vec::new();
    let blamed = match suspect {
        Some((open, close)) => {
            related
                .push((close..close + 1, "this `}` closes it, but is indented like another's".to_string()));
            open
        }
        None => open[open.len() - 1] as usize,
    };
    let at = name_of(&lex.pieces, blamed);
    let others = open.iter().rev().map(|&piece| piece as usize).filter(|piece| *piece != blamed);
    related.extend(
        others.take(SHOWN).map(|piece| (name_of(&lex.pieces, piece), "still open at the end".into())),
    );
    let name = crate::finding::shown(&lex.text[at.clone()]).to_string();
    let missing = match open.len() {
        1 => "the file ends with one scope open".to_string(),
        n => format!("the file ends with {n} scopes open"),
    };
    let finding = syntax("unclosed-scope", format!("the scope `{name}` is not closed"))
        .because(missing)
        .hint("did you mean to close it with `}` before the next scope begins?");
    lex.sink.add(at, finding, &related);
}

/// The first scope closed further left than it was opened: its `Open` piece, and where its `Close` begins.
fn first_mismatch(text: &str, pieces: &[Piece]) -> Option<(usize, usize)> {
    let mut stack: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    let mut line_start = 0;
    let mut indent = 0;
    for (index, piece) in pieces.iter().enumerate() {
        let start = piece.start() as usize;
        let newline = text.as_bytes()[at..start].iter().rposition(|byte| *byte == b'\n');
        if let Some(newline) = newline {
            line_start = at + newline + 1;
        }
        let first_on_line = newline.is_some() || at == 0;
        if first_on_line {
            indent = start - line_start;
        }
        match piece.kind() {
            Kind::Open => stack.push((index, indent)),
            Kind::Close => {
                if let Some((open, opened_at)) = stack.pop()
                    && first_on_line
                    && indent < opened_at
                {
                    return Some((open, start));
                }
            }
            _ => {}
        }
        at = start;
    }
    None
}

/// Where the name of the scope is whose `Open` piece this is.
fn name_of(pieces: &[Piece], open: usize) -> Range<usize> {
    // Between name and brace are an instance, a stray `=` and comments at most.
    let mut name = pieces[..open].iter().rev().take_while(|piece| {
        piece.kind() == Kind::ScopeName
            || piece.kind().is_text()
            || matches!(piece.kind(), Kind::Comment | Kind::Equals)
    });
    let piece = name.find(|piece| piece.kind() == Kind::ScopeName).unwrap_or(&pieces[open]);
    piece.start() as usize..piece.end() as usize
}
