//! All unsafe code of the project but the C library's border and the start of `stepdown-run`: the calls of Linux that rustix
//! has no safe form of.
//!
//! Here are those that a launcher needs, each by one bare system call (`sys/raw.rs`), without the C library. The others are for
//! programs that have it: those about this process as a whole in `sys/process.rs`, those about messages over sockets in
//! `sys/message.rs`, those about keyrings that have a name in `sys/keys.rs`, the signal handler that takes threads along in `sys/threads.rs`.
//!
//! Each function here is safe to call and turns its arguments and results into Rust's own types; nothing else
//! happens in this file. Sources: execve(2), close_range(2), fcntl(2), prctl(2), getresuid(2), keyctl(2), unshare(2), clone(2).
#![allow(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_long};
use core::ptr;

use rustix::fd::BorrowedFd;
use rustix::fs::FileType;
#[cfg(feature = "std")]
use stepdown_security::credentials::sorted;
use stepdown_security::errno::Errno;

use crate::Error;
use crate::error::number_of;

#[cfg(feature = "std")]
mod host;
#[cfg(feature = "std")]
mod keys;
#[cfg(feature = "std")]
mod memory;
#[cfg(feature = "std")]
mod message;
#[cfg(feature = "std")]
mod process;
mod raw;
#[cfg(feature = "std")]
pub(crate) mod threads;

#[cfg(feature = "std")]
pub(crate) use host::*;
#[cfg(feature = "std")]
pub(crate) use keys::*;
#[cfg(feature = "std")]
pub(crate) use memory::*;
#[cfg(feature = "std")]
pub(crate) use message::{MOST_DESCRIPTORS, network_cookie, peer, peer_groups, receive, send};
#[cfg(feature = "std")]
pub(crate) use process::*;

/// execve(2). Comes back only when it failed, or claims to have succeeded while this program still runs.
pub(crate) fn execve(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Error {
    let vector = |strings: &[&CStr]| -> Vec<*const c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (vector(arguments), vector(environment));
    let words = [path.as_ptr() as usize, arguments.as_ptr() as usize, environment.as_ptr() as usize, 0, 0];
    // SAFETY: path and both vectors are C strings, the vectors end in null, and all of them outlive the call.
    match unsafe { raw::call(libc::SYS_execve, words) } {
        Ok(_) => Error::from("execve(2) reported success, but this program is still running"),
        Err(errno) => errno.into(),
    }
}

/// Standard output, by its number.
pub(crate) fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: nothing in this program closes it; where it was closed before, `descriptors::fill_standard` has opened it.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// Standard error, by its number.
pub(crate) fn standard_error() -> BorrowedFd<'static> {
    // SAFETY: as for standard output.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// fchdir(2) by number, for a descriptor that nobody in this program owns.
pub(crate) fn fchdir(number: c_int) -> Result<(), Errno> {
    plain(libc::SYS_fchdir, [number as usize, 0, 0, 0, 0]).map(drop)
}

/// fcntl(2) `F_GETFD`: whether the descriptor is closed by execve(2).
pub(crate) fn is_close_on_exec(number: c_int) -> Result<bool, Errno> {
    let flags = plain(libc::SYS_fcntl, [number as usize, libc::F_GETFD as usize, 0, 0, 0])?;
    Ok(flags & libc::FD_CLOEXEC as usize != 0)
}

/// fcntl(2) `F_SETFD`: sets or clears the close-on-exec flag.
pub(crate) fn set_close_on_exec(number: c_int, set: bool) -> Result<(), Errno> {
    let flags = if set { libc::FD_CLOEXEC as usize } else { 0 };
    plain(libc::SYS_fcntl, [number as usize, libc::F_SETFD as usize, flags, 0, 0]).map(drop)
}

/// fstat(2) by number: whether the descriptor is a directory, and whether it is a character device.
pub(crate) fn descriptor_kind(number: c_int) -> Result<FileType, Errno> {
    let status = rustix::fs::fstat(borrowed(number)?).map_err(number_of)?;
    Ok(FileType::from_raw_mode(status.st_mode))
}

/// Whether it is an io_uring(7): of any other descriptor io_uring_enter(2) is not supported. Nothing is submitted.
pub(crate) fn is_ring(number: c_int) -> bool {
    let entered = plain(libc::SYS_io_uring_enter, [number as usize, 0, 0, 0, 0]);
    !matches!(entered, Err(Errno(libc::EOPNOTSUPP | libc::EBADF | libc::ENOSYS | libc::EPERM)))
}

/// isatty(3).
pub(crate) fn is_terminal(number: c_int) -> bool {
    borrowed(number).is_ok_and(rustix::termios::isatty)
}

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`: marks `first` to `last` close-on-exec.
pub(crate) fn close_on_exec_range(first: u32, last: u32) -> Result<(), Errno> {
    // Marking descriptors closes none in this process.
    let mark = libc::CLOSE_RANGE_CLOEXEC as usize;
    plain(libc::SYS_close_range, [first as usize, last as usize, mark, 0, 0]).map(drop)
}

/// close_range(2), or one by one where the kernel has no such call. For a child that uses none of the values that own descriptors
/// any more, or a caller that owns none.
pub(crate) fn close_range(first: c_int, last: c_int) -> Result<(), Errno> {
    if first > last {
        return Ok(());
    }
    match plain(libc::SYS_close_range, [first as usize, last as usize, 0, 0, 0]) {
        Err(Errno(libc::ENOSYS | libc::EPERM)) => {}
        answer => return answer.map(drop),
    }
    for number in first..=last.min(descriptor_bound().saturating_sub(1)) {
        // A number that is not open is EBADF.
        let _ = plain(libc::SYS_close, [number as usize, 0, 0, 0, 0]);
    }
    Ok(())
}

/// A number that no open descriptor reaches. select(2), "BUGS": descriptors greater than the largest number that the
/// process has room for are ignored in a set, where any other that is not open is EBADF. So doubling a number finds where the
/// kernel's table ends, and what was opened before a limit was lowered is found all the same.
pub(crate) fn descriptor_bound() -> c_int {
    let limit = {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let most = limit.current.max(limit.maximum).unwrap_or(1 << 20);
        c_int::try_from(most).unwrap_or(1 << 30).clamp(1024, 1 << 30)
    };
    let mut number: c_int = 255;
    while number < (1 << 22) {
        let mut set = vec![0_u64; usize::try_from(number / 64 + 1).unwrap_or(1)];
        set[(number / 64).unsigned_abs() as usize] = 1 << (number % 64);
        let mut nothing = [0_i64; 2];
        let words = [number as usize + 1, set.as_mut_ptr() as usize, 0, 0, nothing.as_mut_ptr() as usize];
        // SAFETY: a set with room for number + 1 bits and a timespec of zeros, which the call reads and writes; it does not wait.
        if unsafe { raw::call(libc::SYS_pselect6, words) }.is_ok() && is_close_on_exec(number).is_err() {
            return number;
        }
        number = number * 2 + 1;
    }
    limit
}

/// prctl(2) `PR_SET_PDEATHSIG`, with any number, real-time signals included.
pub(crate) fn set_parent_death_signal(signal: c_int) -> Result<(), Errno> {
    plain(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, signal as usize, 0, 0, 0]).map(drop)
}

/// prctl(2) `PR_GET_PDEATHSIG`: 0 for none.
pub(crate) fn parent_death_signal() -> Result<c_int, Error> {
    // No signal has this number, so that a call that claims success and writes nothing is told from "none".
    let mut signal: c_int = -1;
    let words = [libc::PR_GET_PDEATHSIG as usize, &raw mut signal as usize, 0, 0, 0];
    // SAFETY: the operation writes one int to the address, which is that of `signal`.
    unsafe { raw::call(libc::SYS_prctl, words) }?;
    match signal {
        -1 => Err(Error::from("prctl(PR_GET_PDEATHSIG) reported success, and answered nothing")),
        signal => Ok(signal),
    }
}

/// getresuid(2): real, effective and saved.
pub(crate) fn user_ids() -> Result<(u32, u32, u32), Errno> {
    three_ids(libc::SYS_getresuid)
}

/// getresgid(2): real, effective and saved.
pub(crate) fn group_ids() -> Result<(u32, u32, u32), Errno> {
    three_ids(libc::SYS_getresgid)
}

/// setfsuid(2) and setfsgid(2) of an id that is none: they change nothing, and answer with the ids in force.
#[cfg(feature = "std")]
pub(crate) fn filesystem_ids() -> (u32, u32) {
    // These calls know no error.
    let none = [u32::MAX as usize, 0, 0, 0, 0];
    let of = |number| plain(number, none).map_or(u32::MAX, |id| id as u32);
    (of(libc::SYS_setfsuid), of(libc::SYS_setfsgid))
}

/// getgroups(2), sorted.
#[cfg(feature = "std")]
pub(crate) fn groups() -> Result<Vec<u32>, Errno> {
    let groups = rustix::process::getgroups().map_err(number_of)?;
    Ok(sorted(groups.into_iter().map(rustix::process::Gid::as_raw).collect()))
}

/// Whether the process has no thread but this one, by unshare(2) `CLONE_THREAD`: of a process with one thread it changes
/// nothing, of others it is EINVAL. Any other error is the answer of a filter, and no answer.
#[cfg(feature = "std")]
pub(crate) fn has_one_thread() -> Result<bool, Errno> {
    match plain(libc::SYS_unshare, [libc::CLONE_THREAD as usize, 0, 0, 0, 0]) {
        Ok(_) => Ok(true),
        Err(Errno::INVAL) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// unshare(2) `CLONE_FS`: root and working directory are this process's own from here on.
pub(crate) fn unshare_directories() -> Result<(), Errno> {
    plain(libc::SYS_unshare, [libc::CLONE_FS as usize, 0, 0, 0, 0]).map(drop)
}

/// keyctl(2) `KEYCTL_JOIN_SESSION_KEYRING` without a name: the number of a new, empty session keyring.
pub(crate) fn new_session_keyring() -> Result<usize, Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
    plain(libc::SYS_keyctl, [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0])
}

/// keyctl(2) `KEYCTL_GET_KEYRING_ID`: the number of the session keyring, none being made.
pub(crate) fn session_keyring() -> Result<usize, Errno> {
    const KEYCTL_GET_KEYRING_ID: usize = 0;
    const KEY_SPEC_SESSION_KEYRING: c_int = -3;
    plain(libc::SYS_keyctl, [KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING as usize, 0, 0, 0])
}

/// clock_gettime(2) of the clock that nobody sets, in nanoseconds.
pub(crate) fn now() -> i64 {
    let mut time = [0_i64; 2];
    let words = [libc::CLOCK_MONOTONIC as usize, time.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the call writes a timespec, two numbers, to the address.
    let _ = unsafe { raw::call(libc::SYS_clock_gettime, words) };
    time[0] * 1_000_000_000 + time[1]
}

/// What SIGCHLD did before [`hold_child_signal`].
pub(crate) struct ChildSignal {
    action: Action,
    mask: u64,
}

/// sigaction(2) as the kernel takes it. Not every machine has the third word; it is room then.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// Sees to it that the status of a child can be waited for: SIGCHLD is blocked in this thread, so that a handler comes when
/// the child has been waited for, and where ignoring it would throw the status away, the default action is set.
pub(crate) fn hold_child_signal() -> ChildSignal {
    let mask = change_signal_mask(libc::SIG_BLOCK, 1 << (libc::SIGCHLD - 1));
    let mut held = ChildSignal { action: Action::default(), mask };
    act(libc::SIGCHLD, None, Some(&mut held.action));
    if held.throws_away() {
        act(libc::SIGCHLD, Some(&Action::default()), None);
    }
    held
}

impl ChildSignal {
    /// Makes SIGCHLD do what it did, flags and all.
    pub(crate) fn restore(self) {
        if self.throws_away() {
            act(libc::SIGCHLD, Some(&self.action), None);
        }
        change_signal_mask(libc::SIG_SETMASK, self.mask);
    }

    fn throws_away(&self) -> bool {
        self.action.handler == libc::SIG_IGN || self.action.flags & libc::SA_NOCLDWAIT as usize != 0
    }
}

/// Executes a program in a child, with `output` as its standard output, nothing to read, nobody to listen to its errors, no
/// environment, and no descriptor besides. The child's process id.
///
/// The child is a copy of this thread alone, which makes bare system calls and nothing else, so that it does not matter what
/// other threads were doing.
pub(crate) fn execute_in_child(
    path: &CStr,
    arguments: &[&CStr],
    output: BorrowedFd<'_>,
    nothing: BorrowedFd<'_>,
) -> Result<c_int, Errno> {
    use rustix::fd::AsRawFd;
    let vector: Vec<*const c_char> =
        arguments.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
    let environment: [*const c_char; 1] = [ptr::null()];
    // A signal that came to the child before its program did would run a handler of this program in it.
    let mask = change_signal_mask(libc::SIG_SETMASK, u64::MAX);
    // SAFETY: a process of its own, with a copy of this memory, on a copy of this stack; as fork(2) does it.
    let child = unsafe { raw::call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0]) };
    if child != Ok(0) {
        change_signal_mask(libc::SIG_SETMASK, mask);
        return child.map(|child| child as c_int);
    }
    for signal in 1..=64 {
        act(signal, Some(&Action::default()), None);
    }
    change_signal_mask(libc::SIG_SETMASK, 0);
    // First out of the way of the numbers that they get, should this process have begun without some of those.
    let [output, nothing] = [output, nothing].map(|fd| {
        let number = fd.as_raw_fd() as usize;
        plain(libc::SYS_fcntl, [number, libc::F_DUPFD_CLOEXEC as usize, 3, 0, 0]).unwrap_or(number)
    });
    for (from, to) in [(nothing, 0), (output, 1), (nothing, 2)] {
        let _ = plain(libc::SYS_dup3, [from, to, 0, 0, 0]);
    }
    // What can't be marked is passed on, as to any child; what is marked here is closed in the child alone.
    let _ = close_on_exec_range(3, u32::MAX);
    let words = [path.as_ptr() as usize, vector.as_ptr() as usize, environment.as_ptr() as usize, 0, 0];
    // SAFETY: C strings and a vector of them that ends in null, all of which outlive the call.
    let _ = unsafe { raw::call(libc::SYS_execve, words) };
    end(127)
}

/// _exit(2).
pub(crate) fn end(status: u8) -> ! {
    loop {
        let _ = plain(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0]);
    }
}

/// rt_sigprocmask(2): gives the mask that was in force.
fn change_signal_mask(how: c_int, set: u64) -> u64 {
    let mut old = 0_u64;
    let words = [how as usize, &raw const set as usize, &raw mut old as usize, size_of::<u64>(), 0];
    // SAFETY: both sets are of the size that is named, and outlive the call; the second is written by it.
    let _ = unsafe { raw::call(libc::SYS_rt_sigprocmask, words) };
    old
}

/// rt_sigaction(2). Only for actions that run no code: the default, and what was in force before.
fn act(signal: c_int, action: Option<&Action>, old: Option<&mut Action>) {
    let new = action.map_or(0, |action| ptr::from_ref(action) as usize);
    let old = old.map_or(0, |old| ptr::from_mut(old) as usize);
    // SAFETY: both are the kernel's own structure or null, and outlive the call.
    let _ = unsafe { raw::call(libc::SYS_rt_sigaction, [signal as usize, new, old, size_of::<u64>(), 0]) };
}

fn three_ids(number: c_long) -> Result<(u32, u32, u32), Errno> {
    let mut ids = [u32::MAX; 3];
    let [real, effective, saved] = &mut ids;
    let words = [
        ptr::from_mut(real) as usize,
        ptr::from_mut(effective) as usize,
        ptr::from_mut(saved) as usize,
        0,
        0,
    ];
    // SAFETY: the call writes three ids to the addresses of three variables.
    unsafe { raw::call(number, words) }?;
    Ok((ids[0], ids[1], ids[2]))
}

/// A call that takes numbers alone: no memory is read or written by it.
fn plain(number: c_long, arguments: [usize; 5]) -> Result<usize, Errno> {
    // SAFETY: every caller passes plain numbers; one that means nothing is an error.
    unsafe { raw::call(number, arguments) }
}

/// The descriptor of that number, for one call, if there is one.
fn borrowed(number: c_int) -> Result<BorrowedFd<'static>, Errno> {
    if number < 0 {
        return Err(Errno(libc::EBADF));
    }
    // SAFETY: it is given to one call that looks at it; a number that is not open is EBADF there.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}
