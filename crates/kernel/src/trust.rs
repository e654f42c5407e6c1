//! Whether what a path leads to is root's alone: each directory on the way, each link, and what is at the end.
//!
//! Whoever can replace a directory or a link on the way decides what the path leads to, and when. Follows
//! path_resolution(7), step by step. Not for: reading anything, see [`crate::files`].

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Stat, lstat, readlink};

use crate::host;

/// Something on the way that another could change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The directory, link or file.
    pub what: PathBuf,
    /// How it could be changed.
    pub how: String,
}

/// Whether this process has anything that another user should not steer: it is root, or holds capabilities.
#[must_use]
pub fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
        || rustix::process::getuid().is_root()
        || rustix::thread::capabilities(None).is_ok_and(|sets| !sets.permitted.is_empty())
}

/// Goes along `path` and looks at every directory and link on the way; what is at its end is given back, not judged.
///
/// # Errors
/// What lstat(2) or readlink(2) answered; in the inner result, the first thing that another could change.
pub fn way(path: &Path) -> io::Result<Result<Stat, Untrusted>> {
    Ok(walk(path)?.map(|end| end.status))
}

/// What a path leads to, by a way that is trusted.
pub(crate) struct End {
    /// Without a link in it.
    pub(crate) path: PathBuf,
    pub(crate) status: Stat,
}

/// As [`way`], with the path that it came to.
pub(crate) fn walk(path: &Path) -> io::Result<Result<End, Untrusted>> {
    let absolute = if path.is_absolute() { path.to_owned() } else { std::env::current_dir()?.join(path) };
    let mut left = parts(&absolute);
    let mut here = PathBuf::from("/");
    let mut status = lstat("/")?;
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if let Some(how) = writable_by_others(&status, true) {
            return Ok(Err(Untrusted { what: here, how }));
        }
        if part == ".." {
            here.pop();
            status = lstat(&here)?;
            continue;
        }
        let next = here.join(&part);
        status = lstat(&next)?;
        if status.st_mode & libc::S_IFMT != libc::S_IFLNK {
            here = next;
            continue;
        }
        // A link in a sticky directory can't be replaced, but whoever made it may have been anybody.
        if let Some(how) = foreign_owner(&status, false) {
            return Ok(Err(Untrusted { what: next, how }));
        }
        links += 1;
        if links > 40 {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let target = PathBuf::from(as_os(readlink(&next, Vec::new())?.into_bytes()));
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        status = lstat(&here)?;
        for part in parts(&target).into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(Ok(End { path: here, status }))
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not trusted: {}", self.what.display(), self.how)
    }
}

/// How somebody other than root (or this process's own user) could change the file, or what a directory's names lead to.
#[must_use]
pub fn writable_by_others(status: &Stat, directory: bool) -> Option<String> {
    if let Some(how) = foreign_owner(status, directory) {
        return Some(how);
    }
    // In a sticky directory only the owner of an entry can replace it, and that was root.
    if directory && status.st_mode & libc::S_ISVTX != 0 {
        return None;
    }
    let mode = status.st_mode & 0o7777;
    if mode & 0o002 != 0 {
        return Some(format!("everybody can write to it (mode {mode:04o})"));
    }
    if mode & 0o020 != 0 {
        return Some(format!("group {} can write to it (mode {mode:04o})", status.st_gid));
    }
    None
}

/// How somebody other than root (or this process's own user) owns it.
pub(crate) fn foreign_owner(status: &Stat, directory: bool) -> Option<String> {
    let uid = status.st_uid;
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return None;
    }
    // In a user namespace the directories above its own belong, as a rule, to the root of the one around it, who has no id
    // here and is shown as the overflow id; user_namespaces(7).
    if uid == OVERFLOW_ID && host::is_overflow_id(uid) {
        return (!directory)
            .then(|| "it belongs to a user who does not exist in this user namespace".to_owned());
    }
    Some(format!("it belongs to user {uid}"))
}

/// `/proc/sys/kernel/overflowuid`, which nobody changes.
const OVERFLOW_ID: u32 = 65534;

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn as_os(bytes: Vec<u8>) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes)
}
