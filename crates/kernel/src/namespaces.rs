//! Namespaces of one's own, for trying things without touching the host: namespaces(7), user_namespaces(7),
//! mount_namespaces(7), network_namespaces(7).

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::{accounts, sys};

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

/// Gives this process a user namespace of its own, in which it has every capability. No ids exist there until
/// somebody outside maps them, see [`map_ids`].
///
/// # Errors
/// What unshare(2) answered: EPERM, ENOSPC or EUSERS where the host forbids it.
pub fn private_users() -> io::Result<()> {
    sys::unshare_namespaces(true, false, false)
}

/// How the ids of a user namespace were mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// Id 0 is this process's user and group, and 1 and up are ids that `/etc/subuid` and `/etc/subgid` give it;
    /// setgroups(2) is allowed.
    Range,
    /// Id 0 is this process's user and group; there are no others, and setgroups(2) is denied.
    One,
}

/// Maps the ids of the user namespace that process `pid`, a child of this one, has just made: a whole range by
/// newuidmap(1) and newgidmap(1) where those are installed and this user has subordinate ids, else one id each.
///
/// # Errors
/// What writing the maps answered.
pub fn map_ids(pid: u32) -> io::Result<Mapped> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if let (Some(users), Some(groups)) = (subordinate("/etc/subuid", uid), subordinate("/etc/subgid", uid)) {
        let map = |program: &str, own: u32, (first, count): (u32, u32)| {
            // No further than 65533: 65534 stands for all owners who have no id in the namespace.
            let arguments = [pid, 0, own, 1, 1, first, count.min(65_533)].map(|number| number.to_string());
            Command::new(program)
                .args(arguments)
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        // The group map first: newuidmap(1) then is root's business in the namespace no more.
        if map("newgidmap", gid, groups) && map("newuidmap", uid, users) {
            return Ok(Mapped::Range);
        }
    }
    fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    fs::write(format!("/proc/{pid}/uid_map"), format!("0 {uid} 1\n"))?;
    fs::write(format!("/proc/{pid}/gid_map"), format!("0 {gid} 1\n"))?;
    Ok(Mapped::One)
}

/// The first range of subordinate ids that a file gives the user, subuid(5); by name or by number.
fn subordinate(file: &str, uid: u32) -> Option<(u32, u32)> {
    let name = accounts::name_of(uid);
    fs::read_to_string(file).ok()?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?);
        (Some(owner) == name.as_deref() || owner == uid.to_string()).then_some(range)
    })
}

/// Puts an empty file system in memory over a directory, in this mount namespace: tmpfs(5). What is written there is
/// gone with the namespace.
///
/// # Errors
/// What mount(2) answered.
pub fn empty_directory(over: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount(c"tmpfs", over, c"tmpfs", flags, Some(c"mode=0755"))?)
}

/// Has the file `over` show the contents of `file`, in this mount namespace: mount(2) `MS_BIND`.
///
/// # Errors
/// What mount(2) answered.
pub fn cover(over: &Path, file: &Path) -> io::Result<()> {
    Ok(mount_bind(file, over)?)
}
