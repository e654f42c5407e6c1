//! All unsafe code of the project but the C library's border: the calls of the C library and of Linux that rustix has no safe form
//! of. Those about this process as a whole are in `sys/process.rs`, those about messages over sockets in `sys/message.rs`, and
//! the signal handler that takes threads along in `sys/threads.rs`.
//!
//! Each function here is safe to call and turns its arguments and results into Rust's own types; nothing else
//! happens in this file. Sources: execve(2), close_range(2), fcntl(2), prctl(2), unshare(2), netdevice(7).
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

mod memory;
mod message;
mod process;
pub(crate) mod threads;

pub(crate) use memory::*;
pub(crate) use message::{MOST_DESCRIPTORS, network_cookie, peer, peer_groups, receive, send};
pub(crate) use process::*;

/// execve(2). Comes back only when it failed, or claims to have succeeded while this program still runs.
pub(crate) fn execve(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let vector = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (vector(arguments), vector(environment));
    // SAFETY: path and both vectors are C strings, the vectors end in null, and all of them outlive the call.
    let result = unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    if result == 0 {
        return io::Error::other("execve(2) reported success, but this program is still running");
    }
    io::Error::last_os_error()
}

/// fchdir(2) by number, for a descriptor that nobody in this program owns.
pub(crate) fn fchdir(number: c_int) -> io::Result<()> {
    // SAFETY: the call takes a plain number; one that is not open is EBADF.
    let result = unsafe { libc::fchdir(number) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// fcntl(2) `F_GETFD`: whether the descriptor is closed by execve(2).
pub(crate) fn is_close_on_exec(number: c_int) -> io::Result<bool> {
    // SAFETY: the call takes plain numbers; a descriptor that is not open is EBADF.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags >= 0 { Ok(flags & libc::FD_CLOEXEC != 0) } else { Err(io::Error::last_os_error()) }
}

/// fcntl(2) `F_SETFD`: sets or clears the close-on-exec flag.
pub(crate) fn set_close_on_exec(number: c_int, set: bool) -> io::Result<()> {
    let flags = if set { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: the call takes plain numbers; a descriptor that is not open is EBADF.
    let result = unsafe { libc::fcntl(number, libc::F_SETFD, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

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

/// fstat(2) by number: whether the descriptor is a directory, and whether it is a character device.
pub(crate) fn descriptor_kind(number: c_int) -> io::Result<(bool, bool)> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call fills in the stat structure at the address, which is that of `status`.
    if unsafe { libc::fstat(number, status.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded and has filled it in.
    let kind = unsafe { status.assume_init() }.st_mode & libc::S_IFMT;
    Ok((kind == libc::S_IFDIR, kind == libc::S_IFCHR))
}

/// isatty(3).
pub(crate) fn is_terminal(number: c_int) -> bool {
    // SAFETY: the call takes a plain number; one that is not open is no terminal.
    unsafe { libc::isatty(number) == 1 }
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

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`: marks `first` to `last` close-on-exec.
pub(crate) fn close_on_exec_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: the call takes plain numbers, and marking descriptors closes none in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// prctl(2) `PR_SET_PDEATHSIG`, with any number, real-time signals included.
pub(crate) fn set_parent_death_signal(signal: c_int) -> io::Result<()> {
    // SAFETY: the operation takes one plain number.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// prctl(2) `PR_GET_PDEATHSIG`: 0 for none.
pub(crate) fn parent_death_signal() -> io::Result<c_int> {
    // No signal has this number, so that a call that claims success and writes nothing is told from "none".
    let mut signal: c_int = -1;
    // SAFETY: the operation writes one int to the address, which is that of `signal`.
    let result = unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal, 0, 0, 0) };
    match (result, signal) {
        (0, -1) => Err(io::Error::other("prctl(PR_GET_PDEATHSIG) reported success, and answered nothing")),
        (0, signal) => Ok(signal),
        _ => Err(io::Error::last_os_error()),
    }
}

/// getresuid(2): real, effective and saved.
pub(crate) fn user_ids() -> io::Result<(u32, u32, u32)> {
    let (mut real, mut effective, mut saved) = (u32::MAX, u32::MAX, u32::MAX);
    // SAFETY: the call writes three ids to the addresses of three variables.
    let result = unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) };
    if result == 0 { Ok((real, effective, saved)) } else { Err(io::Error::last_os_error()) }
}

/// getresgid(2): real, effective and saved.
pub(crate) fn group_ids() -> io::Result<(u32, u32, u32)> {
    let (mut real, mut effective, mut saved) = (u32::MAX, u32::MAX, u32::MAX);
    // SAFETY: the call writes three ids to the addresses of three variables.
    let result = unsafe { libc::getresgid(&raw mut real, &raw mut effective, &raw mut saved) };
    if result == 0 { Ok((real, effective, saved)) } else { Err(io::Error::last_os_error()) }
}

/// unshare(2) `CLONE_FS`: root and working directory are this process's own from here on.
pub(crate) fn unshare_directories() -> io::Result<()> {
    // SAFETY: a process of its own root and working directory; no memory and no descriptor is affected.
    let result = unsafe { libc::unshare(libc::CLONE_FS) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// keyctl(2) `KEYCTL_JOIN_SESSION_KEYRING` without a name: the number of a new, empty session keyring.
pub(crate) fn new_session_keyring() -> io::Result<i64> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: the operation takes a name, and null for none.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<c_char>()) };
    if result >= 0 { Ok(result) } else { Err(io::Error::last_os_error()) }
}

/// keyctl(2) `KEYCTL_GET_KEYRING_ID`: the number of the session keyring, none being made.
pub(crate) fn session_keyring() -> io::Result<i64> {
    const KEYCTL_GET_KEYRING_ID: c_int = 0;
    const KEY_SPEC_SESSION_KEYRING: c_int = -3;
    // SAFETY: the operation takes plain numbers.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) };
    if result >= 0 { Ok(result) } else { Err(io::Error::last_os_error()) }
}

/// getauxval(3) `AT_SECURE`.
pub(crate) fn is_secure_execution() -> bool {
    // SAFETY: the call takes a plain number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// What SIGCHLD did before [`hold_child_signal`].
pub(crate) struct ChildSignal {
    action: libc::sigaction,
    mask: libc::sigset_t,
}

/// Sees to it that the status of a child can be waited for: SIGCHLD is blocked in this thread, so that a handler comes when
/// the child has been waited for, and where ignoring it would throw the status away, the default action is set.
pub(crate) fn hold_child_signal() -> ChildSignal {
    // SAFETY: all of it is plain data, for which zeroes are valid: the default action, and an empty set of signals.
    let (mut held, mut blocked, default): (ChildSignal, libc::sigset_t, libc::sigaction) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: the calls read and write these variables; the default action runs no code of this program.
    unsafe {
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGCHLD);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, &raw mut held.mask);
        libc::sigaction(libc::SIGCHLD, ptr::null(), &raw mut held.action);
        if held.throws_away() {
            libc::sigaction(libc::SIGCHLD, &raw const default, ptr::null_mut());
        }
    }
    held
}

impl ChildSignal {
    /// Makes SIGCHLD do what it did, flags and all.
    pub(crate) fn restore(self) {
        // SAFETY: both are what was in force before.
        unsafe {
            if self.throws_away() {
                libc::sigaction(libc::SIGCHLD, &raw const self.action, ptr::null_mut());
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
        }
    }

    fn throws_away(&self) -> bool {
        self.action.sa_sigaction == libc::SIG_IGN || self.action.sa_flags & libc::SA_NOCLDWAIT != 0
    }
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
