//! Calls about this process as a whole, for starting children: fork(2), signals, descriptors by number.
//!
//! Sources: fork(2), unshare(2), sigprocmask(2), signal(2), signalfd(2), fcntl(2), dup(2), close_range(2), setfsuid(2),
//! select(2), prctl(2), kill(2), getsid(2).

use std::ffi::{CStr, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use stepdown_security::errno::Errno;

/// A set of signals, signal(7).
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(libc::sigset_t);

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignalSet")
    }
}

impl SignalSet {
    /// These signals.
    pub(crate) fn of(signals: &[c_int]) -> SignalSet {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the first call fills in the set, the others add plain numbers to it.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            SignalSet(set.assume_init())
        }
    }

    /// Every signal that can be blocked.
    pub(crate) fn all() -> SignalSet {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the call fills in the set.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            SignalSet(set.assume_init())
        }
    }
}

/// How [`change_mask`] takes its set.
#[derive(Clone, Copy)]
pub(crate) enum Mask {
    /// As the whole mask.
    Set,
    /// Added to the mask.
    Block,
}

/// sigprocmask(2) of the calling thread: gives the mask that was in force.
pub(crate) fn change_mask(how: Mask, set: &SignalSet) -> io::Result<SignalSet> {
    let how = match how {
        Mask::Set => libc::SIG_SETMASK,
        Mask::Block => libc::SIG_BLOCK,
    };
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets outlive the call; the second is filled in by it.
    let errno = unsafe { libc::pthread_sigmask(how, &raw const set.0, old.as_mut_ptr()) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    // SAFETY: the call succeeded and has filled it in.
    Ok(SignalSet(unsafe { old.assume_init() }))
}

/// signalfd(2), non-blocking and close-on-exec.
pub(crate) fn signal_descriptor(set: &SignalSet) -> io::Result<OwnedFd> {
    // SAFETY: the set outlives the call; -1 asks for a new descriptor.
    let number = unsafe { libc::signalfd(-1, &raw const set.0, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and gave a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The size of one record that is read from a signalfd(2).
pub(crate) const SIGNAL_RECORD: usize = size_of::<libc::signalfd_siginfo>();

/// signal(2) with the default action or none: gives whether the signal was ignored before.
pub(crate) fn ignore_signal(signal: c_int, ignored: bool) -> io::Result<bool> {
    let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: neither action runs code of this program.
    match unsafe { libc::signal(signal, action) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        before => Ok(before == libc::SIG_IGN),
    }
}

/// fork(2): the child's id, or 0 in the child. Only for a process with one thread, which the caller has made sure of.
pub(crate) fn fork() -> io::Result<u32> {
    // SAFETY: there is no other thread, so that no lock is held that the child could wait for, and no state half-changed.
    let pid = unsafe { libc::fork() };
    u32::try_from(pid).map_err(|_| io::Error::last_os_error())
}

/// _exit(2): ends this process, and runs nothing of it.
pub(crate) fn exit(status: c_int) -> ! {
    // SAFETY: takes a plain number and does not come back.
    unsafe { libc::_exit(status) }
}

/// waitpid(2) without waiting: the child that ended and its status, 0 for none that has.
pub(crate) fn wait_any() -> io::Result<(u32, c_int)> {
    let mut status = 0;
    // SAFETY: the call writes one int to the address.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    u32::try_from(pid).map(|pid| (pid, status)).map_err(|_| io::Error::last_os_error())
}

/// kill(2) of a process, or with a negative number of a group; 0 as the signal asks whether that could be.
pub(crate) fn kill(pid: i32, signal: c_int) -> io::Result<()> {
    // SAFETY: takes plain numbers.
    let result = unsafe { libc::kill(pid, signal) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// pidfd_send_signal(2).
pub(crate) fn signal_by_descriptor(pidfd: c_int, signal: c_int) -> io::Result<()> {
    // SAFETY: takes plain numbers, and null for no further information.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, ptr::null::<libc::siginfo_t>(), 0)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// getsid(2).
pub(crate) fn session_of(pid: i32) -> io::Result<u32> {
    // SAFETY: takes a plain number.
    let session = unsafe { libc::getsid(pid) };
    u32::try_from(session).map_err(|_| io::Error::last_os_error())
}

/// fcntl(2) `F_DUPFD_CLOEXEC` by number: the lowest free number from `least` on.
pub(crate) fn duplicate_above(number: c_int, least: c_int) -> io::Result<c_int> {
    // SAFETY: takes plain numbers; the new descriptor is nobody's yet.
    let new = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, least) };
    if new >= 0 { Ok(new) } else { Err(io::Error::last_os_error()) }
}

/// dup2(2): whatever was open at `to` is closed. For a child that has given up what this program's values own.
pub(crate) fn duplicate_to(from: c_int, to: c_int) -> io::Result<()> {
    // SAFETY: takes plain numbers; the callers are a child that uses none of the values that own descriptors any more, and
    // `descriptors::close_others`, whose caller owns none.
    let result = unsafe { libc::dup2(from, to) };
    if result == to { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// prctl(2) `PR_SET_NAME`.
pub(crate) fn set_name(name: &CStr) -> io::Result<()> {
    // SAFETY: a C string that outlives the call.
    let result = unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// fchmodat2(2) with an empty path, since Linux 6.6: of what was opened as a path only.
pub(crate) fn change_mode_of_path(file: c_int, mode: u32) -> io::Result<()> {
    const FCHMODAT2: libc::c_long = 452;
    // SAFETY: plain numbers and a C string.
    let result = unsafe { libc::syscall(FCHMODAT2, file, c"".as_ptr(), mode, libc::AT_EMPTY_PATH) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor that whoever started this process passed to it, taken over: open, and not marked to be closed by execve(2),
/// as every descriptor is that this program opened itself. It is marked now, so that it is taken over once.
pub(crate) fn take_passed(number: c_int) -> io::Result<OwnedFd> {
    let error = |errno: Errno| io::Error::from_raw_os_error(errno.0);
    if number <= 2 || super::is_close_on_exec(number).map_err(error)? {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    super::set_close_on_exec(number, true).map_err(error)?;
    // SAFETY: it is open, and nothing in this program owns it: what this program opens is close-on-exec from the first.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// write(2) by number, once: for the last words of a child.
pub(crate) fn tell(number: c_int, words: &[u8]) {
    // SAFETY: the call reads the words.
    unsafe { libc::write(number, words.as_ptr().cast(), words.len()) };
}

/// read(2) by number.
pub(crate) fn read_number(number: c_int, bytes: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the call writes at most as many bytes as there is room for.
    let length = unsafe { libc::read(number, bytes.as_mut_ptr().cast(), bytes.len()) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}
