//! Taking statements out.

use super::{Edit, lines, text_of};
use crate::config::{Assignment, Scope};
use crate::source::Span;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) fn assignment(assignment: &Assignment<'_>) -> Edit {
    let (file, first) = (assignment.data.file, assignment.data.name as usize);
    let pieces = &assignment.config.files()[file as usize].tree.pieces;
    let end = assignment.span().end;
    let last = first + pieces[first..].iter().take_while(|piece| piece.end() <= end).count() - 1;
    edit(assignment.config, file, first, last)
}

pub(super) fn scope(scope: &Scope<'_>, file: u32) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for definition in scope.all().filter(|definition| definition.file == file) {
        let edit = edit(scope.config, file, definition.name as usize, definition.close as usize);
        // A file included twice defines the same place twice.
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    edits
}

fn edit(config: &crate::Config, file: u32, first: usize, last: usize) -> Edit {
    let pieces = &config.files()[file as usize].tree.pieces;
    let bytes = lines::around(text_of(config, file), pieces, first, last);
    Edit { span: Span { file, start: bytes.start as u32, end: bytes.end as u32 }, text: String::new() }
}
