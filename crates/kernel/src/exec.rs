//! Replaces this program by another, in the same process: execve(2).

use core::ffi::CStr;

use crate::{Error, sys};

/// Executes `path` with these arguments (the first is the name it is called by) and this environment
/// (`NAME=value`).
///
/// Comes back only with an error: what execve(2) answered, or that it reported success while this program still runs.
#[must_use]
pub fn execute(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Error {
    sys::execve(path, arguments, environment)
}

/// Ends this process, _exit(2), and runs nothing of it.
pub fn end(status: u8) -> ! {
    sys::end(status)
}
