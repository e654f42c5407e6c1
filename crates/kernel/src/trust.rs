//! Whether what a path leads to is root's alone: each directory on the way, each link, and what is at the end.
//!
//! Whoever can replace a directory or a link on the way decides what the path leads to, and when. Follows
//! path_resolution(7), step by step. Not for: reading anything, see [`crate::files`].

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rustix::fs::{Stat, lstat, readlink};
use stepdown_security::errno::Errno;

use crate::error::number_of;
use crate::host;
use crate::scan::before;

/// Something on the way that another could change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The directory, link or file.
    pub what: String,
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
pub fn way(path: &[u8]) -> Result<Result<Stat, Untrusted>, Errno> {
    Ok(walk(path)?.map(|end| end.status))
}

/// What a path leads to, by a way that is trusted.
pub(crate) struct End {
    /// Without a link in it.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "for those who make files"))]
    pub(crate) path: Vec<u8>,
    pub(crate) status: Stat,
}

impl End {
    /// What is there is not to be trusted.
    #[cfg(feature = "std")]
    pub(crate) fn untrusted(&self, how: String) -> Untrusted {
        Untrusted { what: String::from_utf8_lossy(&self.path).into_owned(), how }
    }
}

/// As [`way`], with the path that it came to.
pub(crate) fn walk(path: &[u8]) -> Result<Result<End, Untrusted>, Errno> {
    let untrusted = |what: &[u8], how| Untrusted { what: String::from_utf8_lossy(what).into_owned(), how };
    // What is left of the way; its names are taken off the front.
    let mut left = Vec::new();
    if !path.starts_with(b"/") {
        left = rustix::process::getcwd(left).map_err(number_of)?.into_bytes();
        left.push(b'/');
    }
    left.extend_from_slice(path);
    let mut at = 0;
    let mut here = Vec::from(b"/");
    let mut status = lstat(c"/").map_err(number_of)?;
    let mut links = 0;
    while at < left.len() {
        let length = before(&left[at..], b'/', b'/');
        let part = &left[at..at + length];
        at += length + 1;
        if part.is_empty() || part == b"." {
            continue;
        }
        if let Some(how) = writable_by_others(&status, true) {
            return Ok(Err(untrusted(&here, how)));
        }
        let above = here.len();
        if part == b".." {
            while here.len() > 1 && here.pop() != Some(b'/') {}
        } else {
            if above > 1 {
                here.push(b'/');
            }
            here.extend_from_slice(part);
        }
        status = lstat(&here[..]).map_err(number_of)?;
        if status.st_mode & libc::S_IFMT != libc::S_IFLNK {
            continue;
        }
        // A link in a sticky directory can't be replaced, but whoever made it may have been anybody.
        if let Some(how) = foreign_owner(&status, false) {
            return Ok(Err(untrusted(&here, how)));
        }
        links += 1;
        if links > 40 {
            return Err(Errno(libc::ELOOP));
        }
        let mut target = readlink(&here[..], Vec::new()).map_err(number_of)?.into_bytes();
        here.truncate(if target.starts_with(b"/") { 1 } else { above });
        status = lstat(&here[..]).map_err(number_of)?;
        target.push(b'/');
        target.extend_from_slice(left.get(at..).unwrap_or_default());
        (left, at) = (target, 0);
    }
    Ok(Ok(End { path: here, status }))
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not trusted: {}", self.what, self.how)
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
