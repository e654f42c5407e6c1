//! Writes to standard output and standard error. A reader that has gone away is no reason for a message.

use stepdown::Environment;
use stepdown_kernel::standard;

/// Writes all of `text` to standard output.
pub fn out(text: &str) {
    // Nobody is left to tell when this fails.
    let _ = standard::write(standard::output(), text.as_bytes());
}

/// Writes all of `text` to standard error, in one call where the system allows, so that lines of several programs do
/// not mix.
pub fn error(text: &str) {
    let _ = standard::write(standard::error(), text.as_bytes());
}

/// Whether what goes to standard output is coloured.
#[must_use]
pub fn colour_out(environment: &Environment) -> bool {
    standard::is_terminal(standard::output()) && colour(environment)
}

/// Whether what goes to standard error is coloured.
#[must_use]
pub fn colour_error(environment: &Environment) -> bool {
    standard::is_terminal(standard::error()) && colour(environment)
}

/// On a terminal, unless NO_COLOR is set and not empty (no-color.org), or the terminal is a dumb one.
fn colour(environment: &Environment) -> bool {
    environment.variable("NO_COLOR").is_none_or(<[u8]>::is_empty)
        && environment.variable("TERM").is_none_or(|term| term != b"dumb")
}
