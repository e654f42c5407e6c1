//! The unsafe calls about namespaces, network interfaces and children that the standard library starts.
//!
//! Sources: ioctl_ns(2), unshare(2), netdevice(7), getauxval(3).

use std::ffi::c_char;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// ioctl_ns(2) `NS_GET_USERNS`: the user namespace that owns a namespace; of a user namespace, its parent.
pub(crate) fn owning_user_namespace(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    // SAFETY: the call takes no argument besides the descriptor, which is open.
    let number = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and gave a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Has `change` run in the child of `command`, between fork(2) and execve(2).
///
/// What runs there may allocate: the C libraries of Linux keep their heap usable in a child of a process with several
/// threads. It must not take any other lock that another thread could have held at the fork, nor write to Rust's standard
/// streams.
pub(crate) fn before_exec(
    command: &mut Command,
    change: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: the callers are `child::spawn`, whose change reads files and makes system calls by descriptors of its own,
    // and allocates, and `getent`, whose change is one system call; they take no locks and leave memory that is shared with the
    // parent alone.
    unsafe { command.pre_exec(change) };
}

/// getauxval(3) `AT_SECURE`.
pub(crate) fn is_secure_execution() -> bool {
    // SAFETY: the call takes a plain number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// unshare(2) for namespaces (not for `CLONE_FILES`, which would part descriptor tables under Rust's feet).
pub(crate) fn unshare_namespaces(user: bool, mount: bool, network: bool) -> io::Result<()> {
    let mut flags = 0;
    for (wanted, flag) in
        [(user, libc::CLONE_NEWUSER), (mount, libc::CLONE_NEWNS), (network, libc::CLONE_NEWNET)]
    {
        if wanted {
            flags |= flag;
        }
    }
    // SAFETY: namespaces change what names mean to the kernel; no memory and no descriptor is affected.
    let result = unsafe { libc::unshare(flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Brings an interface up: netdevice(7) `SIOCGIFFLAGS`, `SIOCSIFFLAGS` with `IFF_UP`.
pub(crate) fn interface_up(socket: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // SAFETY: an ifreq of zeros is a valid one: a name of no length and numbers.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    // SAFETY: the request is an ifreq that outlives the call, which writes its flags.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: SIOCGIFFLAGS has just written this member of the union.
    unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
    // SAFETY: the request is an ifreq that outlives the call, which reads it.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
