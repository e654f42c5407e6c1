//! The directory that a file or a socket is made in, made itself where it is missing: mkdir(2), openat(2).
//!
//! One level and no more: what is above it is somebody's decision. No link is followed at the end.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, fchmod, fchown, fstat, mkdirat, openat};
use rustix::process::{Gid, Uid};

/// Makes the directory that `path` is in, if it is missing, with mode 0755 and this owner (this process's own without one).
pub(crate) fn make_missing(path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    // Nobody else's until it is what it has to be.
    match mkdirat(CWD, parent, Mode::RWXU) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        // On a file system that can't be written to, it may be there all the same.
        Err(_) if parent.is_dir() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory: OwnedFd = openat(CWD, parent, flags, Mode::empty())?;
    if !is_new(&directory)? {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    if let Some((user, group)) = owner {
        fchown(&directory, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    Ok(fchmod(&directory, Mode::from_raw_mode(0o755))?)
}

/// Whether it is what was made a moment ago, and not what somebody put in its place.
fn is_new(directory: &OwnedFd) -> io::Result<bool> {
    let status = fstat(directory)?;
    Ok(status.st_uid == rustix::process::geteuid().as_raw() && status.st_mode & 0o077 == 0)
}
