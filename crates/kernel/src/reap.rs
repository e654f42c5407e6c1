//! Children that have ended, and how processes, groups and sessions are told to: waitpid(2), kill(2), getsid(2),
//! pidfd_send_signal(2).

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::{signals, sys};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit status.
    Exited(c_int),
    /// By this signal, with or without a core dump.
    Signaled(c_int, bool),
}

/// The children that have ended since, and no longer are zombies. Does not wait.
///
/// It takes whatever child there is: no other part of a program that calls this may wait for a child of its own.
///
/// # Errors
/// What waitpid(2) answered; to have no child is no error.
pub fn reap() -> io::Result<Vec<(u32, End)>> {
    let mut list = Vec::new();
    loop {
        match sys::wait_any() {
            Ok((0, _)) => return Ok(list),
            Ok((pid, status)) => list.push((pid, End::of(status))),
            Err(error) => match error.raw_os_error() {
                Some(libc::ECHILD) => return Ok(list),
                Some(libc::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
}

/// Sends a signal to the process that the descriptor stands for, and to no other that has its number since. `false` if it has
/// ended.
///
/// # Errors
/// What pidfd_send_signal(2) answered: EPERM.
pub fn signal(process: BorrowedFd<'_>, signal: c_int) -> io::Result<bool> {
    there(sys::signal_by_descriptor(process.as_raw_fd(), signal))
}

/// Sends a signal to every process of a group, whose number is that of the process that began it. `false` if there is none.
///
/// # Errors
/// What kill(2) answered: EPERM, if none of them may be sent it. The numbers 0 and 1 are EINVAL: to kill(2) they mean this
/// process's own group, and everybody.
pub fn signal_group(group: u32, signal: c_int) -> io::Result<bool> {
    match i32::try_from(group) {
        Ok(group @ 2..) => there(sys::kill(-group, signal)),
        _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

/// Makes this process the one that orphans come to: what a descendant leaves behind becomes a child of this process, whose end
/// [`reap`] tells, and not one of the first process of the system. prctl(2) `PR_SET_CHILD_SUBREAPER`.
///
/// # Errors
/// What prctl(2) answered.
pub fn adopt_orphans() -> io::Result<()> {
    // Whichever process is named is not looked at: that there is one says yes.
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The children of this process that have not been waited for, proc_pid_task(5). For a process with one thread: those of others are
/// not among them.
///
/// # Errors
/// ENOENT where there is no `/proc`, or a kernel that does not list them.
pub fn children() -> io::Result<Vec<u32>> {
    let listed = std::fs::read_to_string("/proc/thread-self/children")?;
    Ok(listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// The group that a process belongs to: the number of the process that began it. `None` if there is no such process.
#[must_use]
pub fn group_of(pid: u32) -> Option<u32> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::getpgid(Some(pid)).ok().map(|group| group.as_raw_nonzero().get().unsigned_abs())
}

/// The session that a process belongs to: the number of the process that began it. `None` if there is no such process.
#[must_use]
pub fn session_of(pid: u32) -> Option<u32> {
    sys::session_of(i32::try_from(pid).ok().filter(|&pid| pid > 0)?).ok()
}

pub(crate) fn there(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

impl End {
    /// Whether it ended by itself, with 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == End::Exited(0)
    }

    fn of(status: c_int) -> End {
        if libc::WIFEXITED(status) {
            End::Exited(libc::WEXITSTATUS(status))
        } else {
            End::Signaled(libc::WTERMSIG(status), libc::WCOREDUMP(status))
        }
    }
}

/// `exit status 1`, or `SIGSEGV (core dumped)`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(status) => write!(f, "exit status {status}"),
            End::Signaled(signal, core) => {
                write!(f, "{}{}", signals::name(*signal), if *core { " (core dumped)" } else { "" })
            }
        }
    }
}
