//! The directory that a file or a socket is made in: found by a way that nobody else steers, made where it is missing, and
//! held, so that what is done in it is done there. path_resolution(7), mkdir(2), openat(2).
//!
//! For root, everything above that directory has to be root's alone, as for a root directory ([`trust::way`]); the directory
//! itself may be of the user that the file will belong to, unless that user could put another in its place. So the path
//! leads to the held directory for as long as root does not change its mind. Others are not steered by anybody but
//! themselves, and go where the path leads. One level is made and no more: what is above it is somebody's decision.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, Stat, fchmod, fchown, fstat, mkdirat, openat, statat, unlinkat,
};
use rustix::process::{Gid, Uid};
use stepdown_security::errno::Errno;

use crate::errno_of;
use crate::trust::{self, End, Untrusted};

/// A directory that is held, and the name in it.
#[derive(Debug)]
pub(crate) struct Parent {
    directory: OwnedFd,
    name: OsString,
}

/// Why there is no directory to work in.
#[derive(Debug)]
pub(crate) enum ParentError {
    /// Another could change what the path leads to.
    Untrusted(Untrusted),
    /// A call failed.
    System(&'static str, Errno),
}

impl Parent {
    /// The directory of `path`, which may belong to `user` besides root. If it is missing it is made, with mode 0755 and this
    /// owner (this process's own without one).
    pub(crate) fn make(
        path: &Path,
        owner: Option<(u32, u32)>,
        user: Option<u32>,
    ) -> Result<Parent, ParentError> {
        let (parent, name) = split(path)?;
        if !trust::is_privileged() {
            if let Some((above, last)) = above(&parent) {
                // What is above is looked at by the call below.
                if let Ok(above) = open(&above, OFlags::empty()) {
                    make_one(&above, &last, owner).map_err(failed("mkdir"))?;
                }
            }
            return Ok(Parent { directory: open(&parent, OFlags::empty()).map_err(failed("mkdir"))?, name });
        }
        let end = match walk(&parent) {
            Err(Errno::NOENT) => {
                let Some((above, last)) = above(&parent) else {
                    return Err(ParentError::System("mkdir", Errno::NOENT));
                };
                let above = trusted(walk(&above).map_err(said("mkdir"))?)?;
                if let Some(how) = trust::writable_by_others(&above.status, true) {
                    return Err(ParentError::Untrusted(above.untrusted(how)));
                }
                let directory = hold(&above).map_err(failed("open"))?;
                make_one(&directory, &last, owner).map_err(failed("mkdir"))?;
                walk(&parent)
            }
            result => result,
        };
        let end = trusted(end.map_err(said("find"))?)?;
        match of_another(&end, user).map_err(failed("stat"))? {
            Some(how) => Err(ParentError::Untrusted(end.untrusted(how))),
            None => Ok(Parent { directory: hold(&end).map_err(failed("open"))?, name }),
        }
    }

    /// The directory of `path`, whoever it belongs to; and who could put something else in the place of what is in it, if that is
    /// neither root nor `user`.
    pub(crate) fn find(path: &Path, user: Option<u32>) -> Result<(Parent, Option<Untrusted>), ParentError> {
        let (parent, name) = split(path)?;
        if !trust::is_privileged() {
            let directory = open(&parent, OFlags::empty()).map_err(failed("open"))?;
            return Ok((Parent { directory, name }, None));
        }
        let end = trusted(walk(&parent).map_err(said("find"))?)?;
        let directory = hold(&end).map_err(failed("open"))?;
        let how = of_another(&end, user).map_err(failed("stat"))?;
        Ok((Parent { directory, name }, how.map(|how| end.untrusted(how))))
    }

    /// What is there by the name; no link is followed.
    pub(crate) fn status(&self) -> rustix::io::Result<Stat> {
        statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens what is there by the name; no link is followed.
    pub(crate) fn open(&self, flags: OFlags, mode: u32) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, &self.name, flags, Mode::from_raw_mode(mode))
    }

    /// Removes the name.
    pub(crate) fn unlink(&self) -> rustix::io::Result<()> {
        unlinkat(&self.directory, &self.name, AtFlags::empty())
    }

    /// Whether this file is the one by the name.
    pub(crate) fn has(&self, file: &Stat) -> bool {
        self.status().is_ok_and(|there| is_same(&there, file))
    }
}

fn failed(call: &'static str) -> impl Fn(io::Error) -> ParentError {
    move |error| ParentError::System(call, errno_of(&error))
}

fn said(call: &'static str) -> impl Fn(Errno) -> ParentError {
    move |errno| ParentError::System(call, errno)
}

fn walk(path: &Path) -> Result<Result<End, Untrusted>, Errno> {
    trust::walk(path.as_os_str().as_bytes())
}

fn trusted(end: Result<End, Untrusted>) -> Result<End, ParentError> {
    end.map_err(ParentError::Untrusted)
}

fn split(path: &Path) -> Result<(PathBuf, OsString), ParentError> {
    let name = path.file_name().ok_or(ParentError::System("find", Errno(libc::EISDIR)))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((parent.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

/// What a directory would be made in, and its name.
fn above(directory: &Path) -> Option<(PathBuf, OsString)> {
    let name = directory.file_name()?;
    split(directory).ok().map(|(above, _)| (above, name.to_owned()))
}

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// Opens what was looked at, and nothing else.
fn hold(end: &End) -> io::Result<OwnedFd> {
    let directory = open(Path::new(OsStr::from_bytes(&end.path)), OFlags::NOFOLLOW)?;
    if is_same(&fstat(&directory)?, &end.status) { Ok(directory) } else { Err(changed()) }
}

/// How somebody who is neither root nor `user` could replace what is in the directory, or `user` the directory itself.
fn of_another(end: &End, user: Option<u32>) -> io::Result<Option<String>> {
    let Some(how) = trust::foreign_owner(&end.status, true) else { return Ok(None) };
    if user != Some(end.status.st_uid) {
        return Ok(Some(how));
    }
    // Above it all is trusted; but in a sticky directory an entry is its owner's, too.
    let Some(above) = Path::new(OsStr::from_bytes(&end.path)).parent() else { return Ok(None) };
    let above_status = rustix::fs::lstat(above)?;
    let is_shared = above_status.st_mode & 0o022 != 0;
    Ok(is_shared
        .then(|| format!("{how}, who can put another in its place, since {} is shared", above.display())))
}

/// Makes one directory, where there is nothing.
fn make_one(above: &OwnedFd, name: &OsStr, owner: Option<(u32, u32)>) -> io::Result<()> {
    // Nobody else's until it is what it has to be.
    match mkdirat(above, name, Mode::RWXU) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        // On a file system that can't be written to, it may be there all the same.
        Err(_) if statat(above, name, AtFlags::empty()).is_ok() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let made = statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(above, name, flags, Mode::empty())?;
    let status = fstat(&directory)?;
    let is_new = is_same(&made, &status)
        && status.st_uid == rustix::process::geteuid().as_raw()
        && status.st_mode & 0o077 == 0
        && is_empty(directory.as_fd())?;
    if !is_new {
        return Err(changed());
    }
    if let Some((user, group)) = owner {
        fchown(&directory, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    Ok(fchmod(&directory, Mode::from_raw_mode(0o755))?)
}

fn is_empty(directory: BorrowedFd<'_>) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// What was looked at is not there any more.
fn changed() -> io::Error {
    io::Error::from_raw_os_error(libc::ESTALE)
}
