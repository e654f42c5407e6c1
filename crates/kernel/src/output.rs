//! Writes to standard error without waiting: a reader that doesn't read must not stop a process that serves others. And pipes
//! through which others write.
//!
//! Not for: what is written. Sources: open(2) `O_NONBLOCK`, pipe(7), send(2) `MSG_DONTWAIT`, proc_pid_fd(5).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};

/// The most that is written in one call: pipe(7) takes this much whole once it says that it takes anything.
pub const PIECE: usize = 4096;

/// Standard error, to write to without waiting.
#[derive(Debug)]
pub struct StandardError(Way);

#[derive(Debug)]
enum Way {
    /// An open file description of its own, on the same pipe or terminal, that does not wait.
    Reopened(OwnedFd),
    /// A socket, where each call says that it does not wait.
    Socket,
    /// A regular file, which never makes a writer wait; or something that can't be opened once more.
    Plain,
}

impl StandardError {
    /// Makes standard error ready. To be called while the process may still open what it was given: a pipe or a terminal is opened
    /// once more, since to make the one that is shared non-blocking would make it so for others, and to ask poll(2) before a write
    /// says only that there is room for one byte.
    #[must_use]
    pub fn open() -> StandardError {
        use rustix::fs::{FileType, Mode, fstat};
        let Ok(status) = fstat(standard_error()) else { return StandardError(Way::Plain) };
        StandardError(match FileType::from_raw_mode(status.st_mode) {
            FileType::Socket => Way::Socket,
            FileType::RegularFile => Way::Plain,
            _ => {
                let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                match rustix::fs::open(c"/proc/self/fd/2", flags, Mode::empty()) {
                    Ok(own) => Way::Reopened(own),
                    Err(_) => Way::Plain,
                }
            }
        })
    }

    /// Before it is made ready: as it is.
    #[must_use]
    pub fn as_it_is() -> StandardError {
        StandardError(Way::Plain)
    }

    /// Writes at most [`PIECE`] bytes, and says how many; 0 where it would have to wait.
    ///
    /// # Errors
    /// What write(2) answered, such as EPIPE where nobody will ever read.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::net::{SendFlags, send};
        let bytes = &bytes[..bytes.len().min(PIECE)];
        let written = match &self.0 {
            Way::Reopened(own) => rustix::io::write(own, bytes),
            Way::Socket => send(standard_error(), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Plain if is_writable(standard_error())? => rustix::io::write(standard_error(), bytes),
            Way::Plain => Ok(0),
        };
        match written {
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

/// To wait for room in it.
impl AsFd for StandardError {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Way::Reopened(own) => own.as_fd(),
            Way::Socket | Way::Plain => standard_error(),
        }
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
