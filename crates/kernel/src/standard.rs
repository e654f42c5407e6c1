//! Standard output and standard error, to write to and to ask whether a person reads them: stdio(3), isatty(3).
//!
//! Not for: writing without waiting, which is for a process that lives.

use rustix::fd::BorrowedFd;
use stepdown_security::errno::Errno;

use crate::error::number_of;
use crate::sys;

/// Standard output.
#[must_use]
pub fn output() -> BorrowedFd<'static> {
    sys::standard_output()
}

/// Standard error.
#[must_use]
pub fn error() -> BorrowedFd<'static> {
    sys::standard_error()
}

/// Writes all of it, in one call where the system allows, so that lines of several programs do not mix.
///
/// # Errors
/// What write(2) answered, such as EPIPE where nobody will ever read.
pub fn write(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(Errno(libc::EIO)),
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(number_of(error)),
        }
    }
    Ok(())
}

/// Whether it is a terminal.
#[must_use]
pub fn is_terminal(descriptor: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(descriptor)
}
