//! Writes to standard output and standard error. A reader that has gone away is no reason for a message.

use std::io::{self, IsTerminal, Write};

/// Writes all of `text` to standard output.
pub(crate) fn out(text: &str) {
    write(io::stdout().lock(), text.as_bytes());
}

/// Writes all of `text` to standard error, in one call where the system allows, so that lines of several programs do
/// not mix.
pub(crate) fn error(text: &str) {
    write(io::stderr().lock(), text.as_bytes());
}

/// Whether what goes to standard output is coloured.
pub(crate) fn colour_out() -> bool {
    colour(io::stdout().is_terminal())
}

/// Whether what goes to standard error is coloured.
pub(crate) fn colour_error() -> bool {
    colour(io::stderr().is_terminal())
}

/// On a terminal, unless NO_COLOR is set and not empty (no-color.org), or the terminal is a dumb one.
fn colour(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn write(mut to: impl Write, text: &[u8]) {
    // Nobody is left to tell when this fails.
    let _ = to.write_all(text).and_then(|()| to.flush());
}
