//! Unix sockets with a file: whose it is, who may connect, and what is in the way. unix(7), "Pathname socket ownership and
//! permissions".
//!
//! The directory may belong to another user, who could put something else in the place of the file at any moment. So root
//! changes mode and owner of a descriptor only, of what can be nothing else than the socket made a moment before.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, chmod, chownat, fstat, openat, statat, unlink};
use rustix::net::{AddressFamily, SocketAddrUnix, listen};
use rustix::process::{Gid, Uid, umask};
use stepdown_security::errno::Errno;

use super::{BindError, Kind, Options, called, new};
use crate::{errno_of, parent, sys};

pub(super) fn bind(path: &Path, options: &Options) -> Result<OwnedFd, BindError> {
    let address = SocketAddrUnix::new(path).map_err(called("bind"))?;
    parent::make_missing(path, options.owner)
        .map_err(|error| BindError::System("mkdir", errno_of(&error)))?;
    clear(path, &address, options)?;
    let socket = new(AddressFamily::UNIX, options)?;
    // What it is made as counts at once. Where more has to be changed, nobody but root may connect until it is.
    let foreign = options.owner.filter(|&owner| owner != own());
    let mode = if foreign.is_some() { 0 } else { options.mode.unwrap_or(0o777) };
    let mask = Mode::from_raw_mode(!mode & 0o777);
    let before = umask(mask);
    if options.mode.is_none() && foreign.is_none() {
        umask(before);
    }
    let bound = rustix::net::bind(&socket, &address);
    umask(before);
    bound.map_err(called("bind"))?;
    let finished = match foreign {
        Some(owner) => give(path, owner, options.mode.unwrap_or(0o777 & !before.as_raw_mode())),
        None => Ok(()),
    };
    let listening = finished.and_then(|()| match options.kind {
        Kind::Stream => listen(&socket, options.backlog).map_err(called("listen")),
        Kind::Datagram => Ok(()),
    });
    match listening {
        Ok(()) => Ok(socket),
        Err(error) => {
            remove(path);
            Err(error)
        }
    }
}

/// Removes the file of a socket that is listened on no more. What is no socket stays.
pub fn remove(path: &Path) {
    if statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|status| kind(&status) == libc::S_IFSOCK) {
        let _ = unlink(path);
    }
}

/// Makes way: removes a socket that nobody listens on, and refuses everything else.
fn clear(path: &Path, address: &SocketAddrUnix, options: &Options) -> Result<(), BindError> {
    let status = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => status,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(called("stat")(error)),
    };
    match kind(&status) {
        libc::S_IFSOCK => {}
        libc::S_IFLNK => return Err(BindError::NotASocket("a symbolic link")),
        libc::S_IFDIR => return Err(BindError::NotASocket("a directory")),
        libc::S_IFREG => return Err(BindError::NotASocket("a regular file")),
        _ => return Err(BindError::NotASocket("a device or a FIFO")),
    }
    let probe = new(AddressFamily::UNIX, options)?;
    // One whose queue is full is not waited for: it is alive.
    rustix::fs::fcntl_setfl(&probe, OFlags::NONBLOCK).map_err(called("fcntl"))?;
    match rustix::net::connect(&probe, address) {
        Err(rustix::io::Errno::CONNREFUSED) => match unlink(path) {
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
fn give(path: &Path, (user, group): (u32, u32), mode: u32) -> Result<(), BindError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).map_err(called("open"))?;
    let status = fstat(&file).map_err(called("fstat"))?;
    let ours = kind(&status) == libc::S_IFSOCK
        && status.st_uid == own().0
        && status.st_nlink == 1
        && status.st_mode & 0o7777 == 0;
    if !ours {
        return Err(BindError::NotASocket("something that was put there meanwhile"));
    }
    chownat(&file, c"", Some(Uid::from_raw(user)), Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)
        .map_err(called("chown"))?;
    change_mode(&file, mode)
}

/// fchmodat2(2), or where the kernel has no such call, through `/proc`.
fn change_mode(file: &OwnedFd, mode: u32) -> Result<(), BindError> {
    match sys::change_mode_of_path(file.as_raw_fd(), mode) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            chmod(path.as_str(), Mode::from_raw_mode(mode)).map_err(called("chmod"))
        }
        Err(error) => Err(BindError::System("chmod", Errno(error.raw_os_error().unwrap_or(libc::EIO)))),
    }
}

fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn kind(status: &Stat) -> u32 {
    status.st_mode & libc::S_IFMT
}
