//! Tables for a person: rows and lines that fit the terminal. What a thread holds is put into rows by the library.
//!
//! Nothing is read here but the terminal's width.

use std::fmt::Write;

use serde_json::Value;
pub(crate) use stepdown::held::{Held, Words, rows};
use stepdown_kernel::terminal;

/// What is held, for a machine.
pub(crate) fn json(held: &Held<'_>) -> Value {
    stepdown::held::json(held).into()
}

/// How many columns there are: those of the terminal on standard output, or 80.
pub(crate) fn width() -> usize {
    terminal::columns_of_output().map_or(80, |columns| usize::from(columns).max(20))
}

/// A row: a name, and a value that goes on below itself where the line is too short for it. On a terminal too narrow for
/// two columns it goes on below the name.
pub(crate) fn row(text: &mut String, name: &str, value: &str, width: usize) {
    const COLUMN: usize = 20;
    let start = text.len();
    let _ = write!(text, "  {name:<18}");
    if width < 2 * COLUMN {
        text.truncate(text.trim_end().len().max(start));
        text.push('\n');
        wrap(text, value, 4, width);
    } else {
        let at = text.len();
        wrap(text, value, COLUMN, width);
        text.replace_range(at..at + COLUMN, "");
    }
}

/// A paragraph, indented, broken at white space and behind commas so that it fits the width where its words do.
pub(crate) fn wrap(text: &mut String, paragraph: &str, indent: usize, width: usize) {
    let room = width.saturating_sub(indent).max(12);
    let margin = " ".repeat(indent);
    let mut column = 0;
    text.push_str(&margin);
    for word in paragraph.split(' ') {
        for (index, part) in word.split_inclusive(',').enumerate() {
            let length = part.chars().count();
            let space = usize::from(index == 0 && column > 0);
            if column > 0 && column + space + length > room {
                text.push('\n');
                text.push_str(&margin);
                column = 0;
            } else if space == 1 {
                text.push(' ');
                column += 1;
            }
            text.push_str(part);
            column += length;
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_stays_in_its_column() {
        let mut text = String::new();
        row(&mut text, "bounding", "cap_chown,cap_kill,cap_setuid and more", 40);
        let column = " ".repeat(20);
        assert_eq!(text, format!("  bounding          cap_chown,cap_kill,\n{column}cap_setuid and more\n"));
        let mut text = String::new();
        row(&mut text, "bounding", "cap_chown,cap_kill and more", 30);
        assert_eq!(text, "  bounding\n    cap_chown,cap_kill and\n    more\n");
    }

    #[test]
    fn a_word_wider_than_the_terminal_is_not_cut() {
        let mut text = String::new();
        wrap(&mut text, "a cap_checkpoint_restore b", 4, 10);
        assert_eq!(text, "    a\n    cap_checkpoint_restore\n    b\n");
    }
}
