//! Writes to standard error without waiting: a reader that doesn't read must not stop a process that serves others. And pipes
//! through which others write.
//!
//! The descriptor is shared with whoever started the process, so that it is not made non-blocking, fcntl(2); it is asked
//! before each write instead, poll(2). Not for: what is written.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};

/// The most that is written in one call: pipe(7) takes this much whole once it says that it takes anything.
pub const PIECE: usize = 4096;

/// Writes at most [`PIECE`] bytes to standard error, and says how many; 0 where it would have to wait.
///
/// # Errors
/// What write(2) answered, such as EPIPE where nobody will ever read.
pub fn write_standard_error(bytes: &[u8]) -> io::Result<usize> {
    let standard_error = rustix::stdio::stderr();
    if !is_writable(standard_error)? {
        return Ok(0);
    }
    match rustix::io::write(standard_error, &bytes[..bytes.len().min(PIECE)]) {
        Ok(count) => Ok(count),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// A pipe: the end to read from, which does not wait, and the end for a writer, which does.
///
/// # Errors
/// What pipe2(2) or fcntl(2) answered.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (from, to) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&from, OFlags::NONBLOCK)?;
    Ok((from, to))
}

/// Reads what is there: how much; 0 at the end, `None` where there is nothing yet.
///
/// # Errors
/// What read(2) answered.
pub fn read(from: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::io::read(from, bytes) {
        Ok(count) => Ok(Some(count)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `/dev/null`, to read nothing from: closed by execve(2) where it is not passed on.
///
/// # Errors
/// What open(2) answered.
pub fn nothing() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, rustix::fs::Mode::empty())?)
}

/// Standard output, to hand on.
#[must_use]
pub fn standard_output() -> BorrowedFd<'static> {
    rustix::stdio::stdout()
}

/// Standard error, to hand on or to wait for.
#[must_use]
pub fn standard_error() -> BorrowedFd<'static> {
    rustix::stdio::stderr()
}

/// Whether a write would not wait now. A regular file never makes a writer wait.
fn is_writable(descriptor: impl AsFd) -> io::Result<bool> {
    let mut asked = [PollFd::new(&descriptor, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut asked, Some(&at_once)) {
        // An error or a reader that has gone is for the write to report.
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
