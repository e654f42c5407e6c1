//! Reads configuration files as root may: regular files only, of bounded size, that nobody else can write to.
//!
//! A FIFO or a device given as a file must not hang or be touched, a file of another user must not steer root.
//! Not for: what is in them, nor where they are looked for.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use rustix::fd::OwnedFd;
use rustix::fs::{Access, AtFlags, Dir, Mode, OFlags, Stat, accessat, fstat, openat, stat};
use stepdown_security::errno::Errno;

use crate::error::number_of;
use crate::{read, trust};

/// What a path turned out to be.
#[derive(Debug)]
pub enum Contents {
    /// A regular file.
    File {
        /// Device and inode: the same for the same file under another name.
        identity: (u64, u64),
        /// What is in it.
        bytes: Vec<u8>,
        /// Whether this process could write to it.
        writable: bool,
    },
    /// A directory and the names in it, in no order.
    Directory {
        /// The names, those that are not valid UTF-8 left out.
        names: Vec<String>,
    },
}

/// Why a file is not read.
#[derive(Debug)]
pub enum ReadError {
    /// There is none.
    NotFound,
    /// The system says no: what it was doing, and why.
    System(&'static str, Errno),
    /// It is neither a regular file nor a directory, but this.
    NotRegular(&'static str),
    /// It is larger than the limit, in bytes.
    TooLarge(u64),
    /// Somebody else than root or this user could change it: which file or directory, and how.
    Untrusted(String, String),
}

/// The largest file that is read, in bytes.
pub const SIZE_LIMIT: u64 = read::LIMIT;

/// Who may have written a file for it to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// When this process is root: the file and every directory above it must belong to root and be writable by no
    /// one else (a sticky directory such as `/tmp` protects what is in it). Otherwise anybody.
    AsRoot,
    /// Anybody: for looking at a file without acting on it.
    Anybody,
}

/// Reads a file, or lists a directory.
///
/// # Errors
/// As [`ReadError`] says.
pub fn read(path: &[u8], trust: Trust) -> Result<Contents, ReadError> {
    // Looked at before it is opened: opening a device can have effects, opening a FIFO to read waits for a writer.
    let before = stat(path).map_err(|error| system("stat", error))?;
    kind(&before)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(rustix::fs::CWD, path, flags, Mode::empty()).map_err(|error| system("open", error))?;
    let status = fstat(&file).map_err(|error| system("stat", error))?;
    let is_directory = kind(&status)?;
    if trust == Trust::AsRoot && trust::is_privileged() {
        trusted(path, &status, is_directory)?;
    }
    if is_directory {
        return list(file);
    }
    let size = u64::try_from(status.st_size).unwrap_or(0);
    if size > SIZE_LIMIT {
        return Err(ReadError::TooLarge(SIZE_LIMIT));
    }
    let writable = accessat(rustix::fs::CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    // A file that grows while it is read is bounded all the same.
    let expected = usize::try_from(size).unwrap_or(0);
    let bytes = read::to_end(&file, expected + 1, Some(expected)).map_err(|error| match error {
        rustix::io::Errno::FBIG => ReadError::TooLarge(SIZE_LIMIT),
        error => system("read", error),
    })?;
    Ok(Contents::File { identity: (status.st_dev, status.st_ino), bytes, writable })
}

/// What on the way to a file, or the file itself, others than root (or this user) could change, and how; nothing is opened. `None`
/// where nobody could, and where the way ends: there reading says what is missing.
#[must_use]
pub fn untrusted(path: &[u8]) -> Option<(String, String)> {
    let lossy = || String::from_utf8_lossy(path).into_owned();
    match trust::way(path) {
        Ok(Ok(status)) => {
            let directory = status.st_mode & libc::S_IFMT == libc::S_IFDIR;
            trust::writable_by_others(&status, directory).map(|how| (lossy(), how))
        }
        Ok(Err(found)) => Some((found.what, found.how)),
        Err(_) => None,
    }
}

fn list(directory: OwnedFd) -> Result<Contents, ReadError> {
    let fail = |error| system("list", error);
    let mut names = Vec::new();
    for entry in Dir::new(directory).map_err(fail)? {
        if let Ok(name) = entry.map_err(fail)?.file_name().to_str()
            && !matches!(name, "." | "..")
        {
            names.push(name.to_owned());
        }
    }
    Ok(Contents::Directory { names })
}

/// Whether it is a directory; an error if it is neither that nor a regular file.
fn kind(status: &Stat) -> Result<bool, ReadError> {
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG => Ok(false),
        libc::S_IFDIR => Ok(true),
        libc::S_IFIFO => Err(ReadError::NotRegular("a FIFO")),
        libc::S_IFSOCK => Err(ReadError::NotRegular("a socket")),
        libc::S_IFCHR => Err(ReadError::NotRegular("a character device")),
        libc::S_IFBLK => Err(ReadError::NotRegular("a block device")),
        _ => Err(ReadError::NotRegular("something else")),
    }
}

/// Everything on the way, and the file itself, and that it is the one that was opened.
fn trusted(path: &[u8], status: &Stat, directory: bool) -> Result<(), ReadError> {
    let untrusted = |how: String| ReadError::Untrusted(String::from_utf8_lossy(path).into_owned(), how);
    let end = match trust::way(path).map_err(|errno| ReadError::System("find", errno))? {
        Ok(end) => end,
        Err(found) => return Err(ReadError::Untrusted(found.what, found.how)),
    };
    if let Some(how) = trust::writable_by_others(status, directory) {
        return Err(untrusted(how));
    }
    if (end.st_dev, end.st_ino) != (status.st_dev, status.st_ino) {
        return Err(untrusted("it was replaced while it was looked at".to_owned()));
    }
    Ok(())
}

fn system(what: &'static str, error: rustix::io::Errno) -> ReadError {
    match error {
        rustix::io::Errno::NOENT => ReadError::NotFound,
        error => ReadError::System(what, number_of(error)),
    }
}
