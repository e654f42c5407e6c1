//! Namespaces of one's own, for trying things without touching the host: namespaces(7), user_namespaces(7),
//! mount_namespaces(7), network_namespaces(7).

use std::fs;
use std::io;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::sys;

/// Gives this process a mount namespace of its own, in which mounts are seen by nobody else.
///
/// # Errors
/// What unshare(2) or mount(2) answered: EPERM without CAP_SYS_ADMIN.
pub fn private_mounts() -> io::Result<()> {
    sys::unshare_namespaces(false, true, false)?;
    Ok(mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?)
}

/// Gives this process a network namespace of its own, with a loopback interface and nothing else.
///
/// # Errors
/// What unshare(2) or the interface's ioctls answered.
pub fn private_network() -> io::Result<()> {
    sys::unshare_namespaces(false, false, true)?;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    use std::os::fd::AsFd;
    sys::interface_up(socket.as_fd(), "lo")
}

/// Gives this process a user namespace of its own, in which it has every capability and is user and group 0; no
/// other ids exist there, and setgroups(2) is denied.
///
/// # Errors
/// What unshare(2) or the writing of the maps answered: EPERM, ENOSPC or EUSERS where the host forbids it.
pub fn private_users() -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    sys::unshare_namespaces(true, false, false)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1\n"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1\n"))
}

/// Has the file `over` show the contents of `file`, in this mount namespace: mount(2) `MS_BIND`.
///
/// # Errors
/// What mount(2) answered.
pub fn cover(over: &Path, file: &Path) -> io::Result<()> {
    Ok(mount_bind(file, over)?)
}
