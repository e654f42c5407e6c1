//! `--help` of a command, printed from the table of [`crate::flags`].

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use crate::flags::{Command, EVERYWHERE, Flag};

/// The version line of a program.
#[must_use]
pub fn version(program: &str) -> String {
    format!("{program} {}\n", env!("CARGO_PKG_VERSION"))
}

/// The synopsis of a command, one line. `typed` is how the command is called: `stepdown run`, or `stepdown-run`.
#[must_use]
pub fn synopsis(command: &Command, typed: &str) -> String {
    let mut text = typed.to_owned();
    for flag in command.flags {
        // A flag that the operands already show is not shown twice.
        let shows = |word: &str| word.strip_prefix("--") == Some(flag.long);
        if command.operands.split([' ', '[', ']']).any(shows) {
            continue;
        }
        text.push_str(" [-");
        match flag.short {
            Some(letter) => text.push(letter),
            None => {
                text.push('-');
                text.push_str(flag.long);
            }
        }
        if let Some(value) = flag.value {
            text.push(' ');
            text.push_str(value);
        }
        text.push(']');
    }
    if !command.operands.is_empty() {
        let _ = write!(text, " {}", command.operands);
    }
    text
}

/// The help of a command.
#[must_use]
pub fn of_command(command: &Command, typed: &str) -> String {
    let mut text = String::new();
    wrap(&mut text, &format!("{typed}: {}", command.summary), 0);
    let _ = write!(text, "\nUsage: {}\n", synopsis(command, typed));
    for paragraph in command.description {
        text.push('\n');
        wrap(&mut text, paragraph, 0);
    }
    text.push_str("\nFlags:\n");
    flags(&mut text, command.flags.iter().chain(&EVERYWHERE));
    text.push_str("\nExit status:\n");
    for (status, meaning) in command.exit {
        row(&mut text, &format!("  {status}"), 10, meaning);
    }
    text
}

/// Flags as rows.
pub fn flags<'a>(text: &mut String, list: impl Iterator<Item = &'a Flag>) {
    for flag in list {
        let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        let name = format!("  {short}--{}{value}", flag.long);
        row(text, &name, 29, flag.help);
    }
}

/// A name and, from a column on, what it means.
pub fn row(text: &mut String, name: &str, column: usize, meaning: &str) {
    let mut wrapped = String::new();
    wrap(&mut wrapped, meaning, column);
    let _ = writeln!(text, "{name:<column$}{}", wrapped.trim());
}

/// Breaks a paragraph at 80 columns.
pub fn wrap(text: &mut String, paragraph: &str, indent: usize) {
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && indent + column + 1 + length > 80 {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(&" ".repeat(indent));
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}
