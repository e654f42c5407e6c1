//! Replaces this program by another, in the same process: execve(2).

use std::ffi::CString;
use std::io;

use crate::sys;

/// Executes `path` with these arguments (the first is the name it is called by) and this environment
/// (`NAME=value`).
///
/// Comes back only with an error: what execve(2) answered, or that it reported success while this program still runs.
#[must_use]
pub fn execute(path: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    sys::execve(path, arguments, environment)
}
