//! Unix sockets with a file: whose it is, who may connect, and what is in the way. unix(7), "Pathname socket ownership and
//! permissions".
//!
//! The directory may belong to another user, who could put something else in the place of the file at any moment. So root
//! works in the directory that it holds, see [`crate::parent`], and changes mode and owner of a descriptor only, of what
//! can be nothing else than the socket made a moment before, or the one that was handed over.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, Stat, chmod, chownat, fstat};
use rustix::net::{AddressFamily, SocketAddrUnix, listen};
use rustix::process::{Gid, Uid, umask};
use stepdown_security::errno::Errno;

use super::{BindError, Kind, Options, Settled, called, file_of, new};
use crate::parent::{Parent, ParentError};
use crate::sys;

pub(super) fn bind(path: &Path, options: &Options) -> Result<OwnedFd, BindError> {
    let address = SocketAddrUnix::new(path).map_err(called("bind"))?;
    let parent = Parent::make(path, options.owner, user(options))?;
    clear(&parent, &address, options)?;
    let socket = new(AddressFamily::UNIX, options)?;
    // What it is made as counts at once. Where more has to be changed, nobody but root may connect until it is.
    let foreign = options.owner.filter(|&owner| owner != own());
    let mode = if foreign.is_some() { 0 } else { options.mode.unwrap_or(0o777) };
    let mask = Mode::from_raw_mode(!mode & 0o777);
    let before = umask(mask);
    if options.mode.is_none() && foreign.is_none() {
        umask(before);
    }
    // By its path, which is what the service will see of it; it leads to the directory that is held.
    let bound = rustix::net::bind(&socket, &address);
    umask(before);
    bound.map_err(called("bind"))?;
    let finished = match foreign {
        Some(owner) => give(&parent, owner, options.mode.unwrap_or(0o777 & !before.as_raw_mode())),
        None => Ok(()),
    };
    let listening = finished.and_then(|()| match options.kind {
        Kind::Stream => listen(&socket, options.backlog).map_err(called("listen")),
        Kind::Datagram => Ok(()),
    });
    match listening {
        Ok(()) => Ok(socket),
        Err(error) => {
            remove_in(&parent);
            Err(error)
        }
    }
}

/// Removes the file of a socket that is listened on no more. What is no socket stays, and so does everything that another could
/// have led a privileged process to.
pub fn remove(path: &Path) {
    if let Ok((parent, _)) = Parent::find(path, None) {
        remove_in(&parent);
    }
}

/// Sets the mode of a Unix socket's file: who may connect.
///
/// # Errors
/// See [`BindError`]: also where the file is no socket, or another decides what the path leads to.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), BindError> {
    let (parent, _) = Parent::find(path, None)?;
    let file = parent.open(OFlags::PATH, 0).map_err(called("open"))?;
    let status = fstat(&file).map_err(called("fstat"))?;
    if let Some(what) = not_a_socket(&status) {
        return Err(BindError::NotASocket(what));
    }
    change_mode(&file, mode)
}

/// Makes the file of a socket that was bound before what it is to be, if the path leads to it.
pub(super) fn settle(path: &Path, socket: BorrowedFd<'_>, options: &Options) -> Result<Settled, BindError> {
    let (parent, another) = match Parent::find(path, user(options)) {
        Err(ParentError::System("find", Errno::NOENT)) => return Ok(Settled::Lost),
        result => result?,
    };
    let file = match parent.open(OFlags::PATH, 0) {
        Err(rustix::io::Errno::NOENT) => return Ok(Settled::Lost),
        result => result.map_err(called("open"))?,
    };
    let status = fstat(&file).map_err(called("fstat"))?;
    // Where the kernel does not say which file it is, it has to be a socket that is nowhere else.
    let is_it = kind(&status) == libc::S_IFSOCK
        && match file_of::number(socket) {
            Some(number) => u64::from(number) == status.st_ino & 0xffff_ffff,
            None => status.st_nlink == 1,
        };
    if !is_it {
        return Ok(Settled::Lost);
    }
    let before = status.st_mode & 0o7777;
    let mode = options.mode.unwrap_or(before);
    let owner = options.owner.filter(|owner| *owner != (status.st_uid, status.st_gid));
    // At no time may anybody connect who could neither before nor after.
    if owner.is_some() && before & mode != before {
        change_mode(&file, before & mode)?;
    }
    if let Some(owner) = owner {
        change_owner(&file, owner)?;
    }
    if mode != before || owner.is_some() {
        change_mode(&file, mode)?;
    }
    Ok(another.map_or(Settled::Kept, Settled::Shared))
}

fn user(options: &Options) -> Option<u32> {
    options.owner.map(|(user, _)| user)
}

fn remove_in(parent: &Parent) {
    if parent.status().is_ok_and(|status| kind(&status) == libc::S_IFSOCK) {
        let _ = parent.unlink();
    }
}

/// Makes way: removes a socket that nobody listens on, and refuses everything else.
fn clear(parent: &Parent, address: &SocketAddrUnix, options: &Options) -> Result<(), BindError> {
    let file = match parent.open(OFlags::PATH, 0) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(called("open")(error)),
    };
    if let Some(what) = not_a_socket(&fstat(&file).map_err(called("fstat"))?) {
        return Err(BindError::NotASocket(what));
    }
    let probe = new(AddressFamily::UNIX, options)?;
    // One whose queue is full is not waited for: it is alive.
    rustix::fs::fcntl_setfl(&probe, OFlags::NONBLOCK).map_err(called("fcntl"))?;
    // What was looked at, and not what whoever has the directory puts in its place: root may connect to anything.
    let held = SocketAddrUnix::new(by_number(&file).as_str()).map_err(called("connect"))?;
    let connected = match rustix::net::connect(&probe, &held) {
        // Without /proc, which is so in a root directory where there is no root any more.
        Err(rustix::io::Errno::NOENT) if own().0 != 0 => rustix::net::connect(&probe, address),
        result => result,
    };
    match connected {
        Err(rustix::io::Errno::CONNREFUSED) => match parent.unlink() {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(called("unlink")(error)),
        },
        Err(rustix::io::Errno::NOENT) => Ok(()),
        // Also where it can't be asked, EACCES, or is of another kind, EPROTOTYPE.
        _ => Err(BindError::Live),
    }
}

/// Gives the file that was just made to its owner. It is opened as a path only, and has to be what only this process can have
/// made: a socket of this process's user, with one name and no permissions at all.
fn give(parent: &Parent, owner: (u32, u32), mode: u32) -> Result<(), BindError> {
    let file = parent.open(OFlags::PATH, 0).map_err(called("open"))?;
    let status = fstat(&file).map_err(called("fstat"))?;
    let ours = kind(&status) == libc::S_IFSOCK
        && status.st_uid == own().0
        && status.st_nlink == 1
        && status.st_mode & 0o7777 == 0;
    if !ours {
        return Err(BindError::NotASocket("something that was put there meanwhile"));
    }
    change_owner(&file, owner)?;
    change_mode(&file, mode)
}

fn change_owner(file: &OwnedFd, (user, group): (u32, u32)) -> Result<(), BindError> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    chownat(file, c"", Some(user), Some(group), AtFlags::EMPTY_PATH).map_err(called("chown"))
}

/// fchmodat2(2), or where the kernel has no such call, through `/proc`.
fn change_mode(file: &OwnedFd, mode: u32) -> Result<(), BindError> {
    match sys::change_mode_of_path(file.as_raw_fd(), mode) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            chmod(by_number(file).as_str(), Mode::from_raw_mode(mode)).map_err(called("chmod"))
        }
        Err(error) => Err(BindError::System("chmod", Errno(error.raw_os_error().unwrap_or(libc::EIO)))),
    }
}

fn by_number(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn kind(status: &Stat) -> u32 {
    status.st_mode & libc::S_IFMT
}

fn not_a_socket(status: &Stat) -> Option<&'static str> {
    match kind(status) {
        libc::S_IFSOCK => None,
        libc::S_IFLNK => Some("a symbolic link"),
        libc::S_IFDIR => Some("a directory"),
        libc::S_IFREG => Some("a regular file"),
        _ => Some("a device or a FIFO"),
    }
}

impl From<ParentError> for BindError {
    fn from(error: ParentError) -> BindError {
        match error {
            ParentError::Untrusted(untrusted) => BindError::Untrusted(untrusted),
            ParentError::System(call, errno) => BindError::System(call, errno),
        }
    }
}
