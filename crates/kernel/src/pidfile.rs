//! The file that says which process this is, locked for as long as it lives: flock(2).
//!
//! The lock belongs to the open file and not to its name, so that a process that crashed leaves none behind, whatever the
//! file says. Whoever can open the file, for reading even, can lock it, or have a lock of another kind in the way; so it
//! is readable by its owner alone from the first moment on. Not for: finding a process, which may have ended.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, Stat, fchmod, flock, fstat, ftruncate};
use stepdown_security::errno::Errno;

use crate::errno_of;
use crate::error::number_of;
use crate::parent::{Parent, ParentError};
use crate::trust::Untrusted;

/// A pid file that this process has locked. The lock is gone with this value, and with the process.
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
    file: OwnedFd,
}

/// Why there is no pid file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PidfileError {
    /// Another process has it locked; its number, where the file says one.
    Held(Option<u32>),
    /// There is something else in its place that is not to be written to: what it is.
    NotOurs(&'static str),
    /// Somebody else decides what the path leads to.
    Untrusted(Untrusted),
    /// A call failed.
    System(&'static str, Errno),
}

impl Pidfile {
    /// Opens or makes the file, locks it and writes the number of this process into it. A directory that is missing is made, one
    /// level, and is this process's own: whoever has the directory can put another number there. `user` is who may have it
    /// all the same, besides root, if it exists.
    ///
    /// # Errors
    /// See [`PidfileError`]. No link is followed at the end of the path, none of another user's before it if this process has
    /// privileges, and nothing is written to a file that has another owner or another name.
    pub fn lock(path: &Path, user: Option<u32>) -> Result<Pidfile, PidfileError> {
        let said =
            |call: &'static str| move |error: rustix::io::Errno| PidfileError::System(call, number_of(error));
        let parent = Parent::make(path, None, user)?;
        // Whoever ends removes its file, perhaps between our opening it and locking it: then it is another by now.
        for _ in 0..100 {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK | OFlags::NOCTTY;
            let file = match parent.open(flags, 0o600) {
                Err(rustix::io::Errno::LOOP) => return Err(PidfileError::NotOurs("a symbolic link")),
                Err(rustix::io::Errno::ISDIR) => return Err(PidfileError::NotOurs("a directory")),
                result => result.map_err(said("open"))?,
            };
            let status = fstat(&file).map_err(said("fstat"))?;
            if let Some(what) = not_ours(&status) {
                return Err(PidfileError::NotOurs(what));
            }
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(PidfileError::Held(number_in(&file))),
                Err(error) => return Err(said("flock")(error)),
            }
            if !parent.has(&status) {
                continue;
            }
            let pidfile = Pidfile { path: path.to_owned(), file };
            pidfile
                .write(std::process::id())
                .map_err(|error| PidfileError::System("write", errno_of(&error)))?;
            pidfile.close_to_others().map_err(said("fchmod"))?;
            return Ok(pidfile);
        }
        Err(PidfileError::System("open", Errno(libc::EAGAIN)))
    }

    /// Takes over the file from a process that has it locked, by the very descriptor: the lock goes with it. `None` if it is not the
    /// file at the path, or none that could be locked here. The number in it stays until [`Pidfile::write`].
    #[must_use]
    pub fn adopt(path: &Path, file: OwnedFd) -> Option<Pidfile> {
        let status = fstat(&file).ok()?;
        if not_ours(&status).is_some() || !is_at(path, &status) {
            return None;
        }
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        let pidfile = Pidfile { path: path.to_owned(), file };
        pidfile.close_to_others().ok()?;
        Some(pidfile)
    }

    /// Writes another number: that of the process that is to be found by it.
    ///
    /// # Errors
    /// What ftruncate(2) or write(2) answered.
    pub fn write(&self, pid: u32) -> io::Result<()> {
        ftruncate(&self.file, 0)?;
        let text = format!("{pid}\n");
        let written = rustix::io::pwrite(&self.file, text.as_bytes(), 0)?;
        if written == text.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Removes the file, at an orderly end, and gives the lock back. A process that may not (no longer being root) leaves it
    /// empty; a file that somebody has put in its place is left alone.
    pub fn remove(self) {
        let removed = fstat(&self.file).is_ok_and(|status| {
            Parent::find(&self.path, None)
                .is_ok_and(|(parent, _)| parent.has(&status) && parent.unlink().is_ok())
        });
        if !removed {
            let _ = ftruncate(&self.file, 0);
        }
    }

    /// One that was there before, or was made by another version, may have been open to others.
    fn close_to_others(&self) -> rustix::io::Result<()> {
        fchmod(&self.file, Mode::from_raw_mode(0o600))
    }
}

/// To hand it on to the process that comes after this one.
impl AsFd for Pidfile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl fmt::Display for PidfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidfileError::Held(Some(pid)) => write!(f, "it is held by process {pid}"),
            PidfileError::Held(None) => f.write_str("it is held by another process"),
            PidfileError::NotOurs(what) => write!(f, "there is {what} in its place"),
            PidfileError::Untrusted(untrusted) => write!(f, "{untrusted}"),
            PidfileError::System(call, errno) => write!(f, "{call} answered {errno}"),
        }
    }
}

impl std::error::Error for PidfileError {}

impl From<ParentError> for PidfileError {
    fn from(error: ParentError) -> PidfileError {
        match error {
            ParentError::Untrusted(untrusted) => PidfileError::Untrusted(untrusted),
            ParentError::System(call, errno) => PidfileError::System(call, errno),
        }
    }
}

/// What speaks against writing to it: root's file must not be one that a user has linked to from here.
fn not_ours(status: &Stat) -> Option<&'static str> {
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Some("something that is not a regular file");
    }
    if status.st_uid != rustix::process::geteuid().as_raw() {
        return Some("a file of another user");
    }
    // None, where whoever held it has just removed it: that is found out below.
    (status.st_nlink > 1).then_some("a file that has another name as well")
}

fn is_at(path: &Path, status: &Stat) -> bool {
    Parent::find(path, None).is_ok_and(|(parent, _)| parent.has(status))
}

fn number_in(file: &OwnedFd) -> Option<u32> {
    let mut text = [0; 32];
    let length = rustix::io::pread(file, &mut text, 0).ok()?;
    std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
}
