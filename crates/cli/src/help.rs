//! `--help`, printed from the table of [`crate::flags`].

use std::fmt::Write;

use crate::flags::{COMMANDS, Command, EVERYWHERE, Flag};

/// The version line.
pub(crate) fn version() -> String {
    format!("stepdown {}\n", env!("CARGO_PKG_VERSION"))
}

/// The help of a command, or of the program.
pub(crate) fn text(command: Option<&'static Command>) -> String {
    match command {
        Some(command) => of_command(command),
        None => of_program(),
    }
}

/// The synopsis of a command, one line.
pub(crate) fn synopsis(command: &Command) -> String {
    let mut text = format!("stepdown {}", command.name);
    for flag in command.flags {
        let name = flag.short.map_or_else(|| format!("--{}", flag.long), |letter| format!("-{letter}"));
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        // A flag that the operands already show is not shown twice.
        if !command.operands.contains(&format!("--{}", flag.long)) {
            let _ = write!(text, " [{name}{value}]");
        }
    }
    if !command.operands.is_empty() {
        let _ = write!(text, " {}", command.operands);
    }
    text
}

fn of_program() -> String {
    let mut text = String::from(
        "stepdown: start as root, serve without it, and have it proven\n\nUsage: stepdown COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n",
    );
    for command in COMMANDS {
        row(&mut text, &format!("  {}", command.name), 15, command.summary);
    }
    text.push_str("\nFlags:\n");
    flags(&mut text, EVERYWHERE.iter());
    text.push_str("\n`stepdown COMMAND --help` tells more of each.\n");
    text
}

fn of_command(command: &Command) -> String {
    let mut text = String::new();
    wrap(&mut text, &format!("stepdown {}: {}", command.name, command.summary), 0);
    let _ = write!(text, "\nUsage: {}\n", synopsis(command));
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

fn flags<'a>(text: &mut String, list: impl Iterator<Item = &'a Flag>) {
    for flag in list {
        let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        let name = format!("  {short}--{}{value}", flag.long);
        row(text, &name, 29, flag.help);
    }
}

/// A name and, from a column on, what it means.
fn row(text: &mut String, name: &str, column: usize, meaning: &str) {
    let mut wrapped = String::new();
    wrap(&mut wrapped, meaning, column);
    let _ = writeln!(text, "{name:<column$}{}", wrapped.trim());
}

/// Breaks a paragraph at 80 columns.
pub(crate) fn wrap(text: &mut String, paragraph: &str, indent: usize) {
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
