//! Signals as something to read, and as children get them: signalfd(2), signal(7).
//!
//! A process that starts others must not hand down what it blocked and ignored for itself: both survive execve(2).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::{self, Mask, SignalSet};

/// Hangup: reload.
pub const HUP: c_int = libc::SIGHUP;
/// End, in good order.
pub const TERM: c_int = libc::SIGTERM;
/// Interrupt, from a terminal.
pub const INT: c_int = libc::SIGINT;
/// A child has ended.
pub const CHLD: c_int = libc::SIGCHLD;
/// The first of two without a meaning of their own.
pub const USR1: c_int = libc::SIGUSR1;
/// The second of them.
pub const USR2: c_int = libc::SIGUSR2;
/// End at once; nobody can refuse.
pub const KILL: c_int = libc::SIGKILL;
/// Write a core dump and end.
pub const ABRT: c_int = libc::SIGABRT;

/// The signals that arrive here instead of interrupting.
#[derive(Debug)]
pub struct Signals {
    descriptor: OwnedFd,
    inherited: Inherited,
}

/// What a process was given by whoever started it, and gives to those it starts.
#[derive(Clone, Copy, Debug)]
pub struct Inherited {
    mask: SignalSet,
    child_ignored: bool,
}

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: c_int,
    /// Who sent it; 0 for the kernel, and for a process that is not in this one's pid namespace.
    pub pid: u32,
    /// The sender's user.
    pub uid: u32,
}

impl Signals {
    /// Blocks HUP, TERM, INT, CHLD, USR1 and USR2 and opens what they are read from. PIPE is ignored from now on, so that
    /// writing to a client that has gone is an error and not the end; CHLD is not ignored, so that children can be waited for.
    ///
    /// # Errors
    /// What sigprocmask(2) or signalfd(2) answered.
    pub fn block_and_open() -> io::Result<Signals> {
        let set = SignalSet::of(&[HUP, TERM, INT, CHLD, USR1, USR2]);
        let descriptor = sys::signal_descriptor(&set)?;
        let mask = sys::change_mask(Mask::Block, &set)?;
        let child_ignored = sys::ignore_signal(CHLD, false)?;
        sys::ignore_signal(libc::SIGPIPE, true)?;
        Ok(Signals { descriptor, inherited: Inherited { mask, child_ignored } })
    }

    /// The signals that have arrived; several of a kind may be one. Does not wait.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn read(&self) -> io::Result<Vec<Received>> {
        let mut list = Vec::new();
        let mut bytes = [0; sys::SIGNAL_RECORD * 16];
        loop {
            match rustix::io::read(&self.descriptor, &mut bytes) {
                Ok(length) => list.extend(bytes[..length].chunks_exact(sys::SIGNAL_RECORD).map(received)),
                Err(rustix::io::Errno::AGAIN) => return Ok(list),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What children are to get.
    #[must_use]
    pub fn inherited(&self) -> &Inherited {
        &self.inherited
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Inherited {
    /// What this process has now, for one that changes nothing of it.
    ///
    /// # Errors
    /// What sigprocmask(2) answered.
    pub fn current() -> io::Result<Inherited> {
        let mask = sys::change_mask(Mask::Block, &SignalSet::of(&[]))?;
        let child_ignored = sys::ignore_signal(CHLD, false)?;
        if child_ignored {
            sys::ignore_signal(CHLD, true)?;
        }
        Ok(Inherited { mask, child_ignored })
    }

    /// Gives it to this process, a child: the dispositions first, so that nothing that is pending meets the wrong one. PIPE is
    /// back to ending a process that writes to nobody, as programs expect.
    pub(crate) fn restore(&self) -> io::Result<()> {
        sys::ignore_signal(libc::SIGPIPE, false)?;
        sys::ignore_signal(CHLD, self.child_ignored)?;
        sys::change_mask(Mask::Set, &self.mask).map(drop)
    }
}

/// The name of a signal, such as `SIGTERM`.
#[must_use]
pub fn name(signal: c_int) -> String {
    let named = NAMES.iter().find(|(number, _)| *number == signal);
    named.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

/// `ssi_signo`, `ssi_pid` and `ssi_uid` of a signalfd_siginfo: three numbers of 32 bits, signalfd(2).
fn received(record: &[u8]) -> Received {
    let number = |at: usize| record[at..at + 4].try_into().map_or(0, u32::from_ne_bytes);
    Received { signal: number(0).cast_signed(), pid: number(12), uid: number(16) }
}

const NAMES: [(c_int, &str); 31] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGSYS, "SIGSYS"),
];
