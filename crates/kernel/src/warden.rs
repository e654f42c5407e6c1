//! The warden: a small process that outlives a supervisor that was killed, and ends what it left behind.
//!
//! It sleeps in read(2) at one end of a socket. At the other, the supervisor says which sessions there are. When the socket
//! ends without a goodbye the supervisor is dead: each session is told to end (SIGTERM), and killed after its time. It holds no
//! other descriptor, so that it keeps no listening socket open. Sources: setsid(2), kill(2), getsid(2), prctl(2)
//! `PR_SET_NAME`, socketpair(2). Not for: processes that have left their session.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::{observe, reap, signals, sys};

/// The warden, as the supervisor sees it. To drop it without [`Warden::goodbye`] is to die, as far as the warden is concerned.
#[derive(Debug)]
pub struct Warden {
    socket: OwnedFd,
    pid: u32,
    pidfd: OwnedFd,
}

/// The warden's name among processes, proc_pid_comm(5).
pub const NAME: &str = "stepdown-warden";

impl Warden {
    /// Starts the warden: a child that is what this process is, in a session of its own. For a process with one thread.
    ///
    /// # Errors
    /// EINVAL for a process with more than one thread, else what fork(2) and others answered.
    pub fn start() -> io::Result<Warden> {
        if !observe::has_one_thread()? {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::fs::fcntl_setfl(&ours, rustix::fs::OFlags::NONBLOCK)?;
        let pid = sys::fork()?;
        if pid == 0 {
            let theirs = theirs.as_raw_fd();
            // Nothing above this call on the stack is gone back to.
            let _ = catch_unwind(AssertUnwindSafe(|| be_warden(theirs)));
            sys::exit(0);
        }
        let child = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let pidfd = child
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|child| rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()))?;
        Ok(Warden { socket: ours, pid, pidfd })
    }

    /// Its number. When [`reap::reap`] says that it has ended, another has to be started and told everything.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Tells it of a session, or of another time for one it knows: how long the session gets between SIGTERM and SIGKILL.
    ///
    /// # Errors
    /// What write(2) answered: EPIPE if it is dead. Does not wait.
    pub fn watch(&self, session: u32, graceful: Duration) -> io::Result<()> {
        let millis = u64::try_from(graceful.as_millis()).unwrap_or(u64::MAX);
        self.say(WATCH, session, millis)
    }

    /// Tells it that a session has ended, or is none of its business any more.
    ///
    /// # Errors
    /// As [`Warden::watch`].
    pub fn forget(&self, session: u32) -> io::Result<()> {
        self.say(FORGET, session, 0)
    }

    /// Has it end without doing anything, and remain as a child to be waited for.
    pub fn goodbye(self) {
        if self.say(GOODBYE, 0, 0).is_err() {
            // It does not read: stopped, or gone.
            let _ = reap::signal(self.pidfd.as_fd(), signals::KILL);
        }
    }

    fn say(&self, what: u32, session: u32, millis: u64) -> io::Result<()> {
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&what.to_ne_bytes());
        record[4..8].copy_from_slice(&session.to_ne_bytes());
        record[8..].copy_from_slice(&millis.to_ne_bytes());
        sys::send(self.socket.as_fd(), &record, &[], false).map(drop)
    }
}

/// What is said, which session, and a time: 4, 4 and 8 bytes.
const RECORD: usize = 16;
const WATCH: u32 = 1;
const FORGET: u32 = 2;
const GOODBYE: u32 = 3;

/// How often it is looked whether the sessions have ended, once the supervisor is dead.
const PAUSE: Duration = Duration::from_millis(20);

/// How long is waited for what was killed to be gone. A zombie that nobody waits for is never gone.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// The warden's life.
fn be_warden(socket: std::ffi::c_int) {
    // What is meant for the supervisor, from a terminal or a service manager, is not meant for the warden.
    if sys::change_mask(sys::Mask::Set, &sys::SignalSet::all()).is_err()
        || rustix::process::setsid().is_err()
        || sys::close_range(0, socket - 1).is_err()
        || sys::close_range(socket + 1, i32::MAX).is_err()
    {
        return;
    }
    let _ = rustix::process::chdir(c"/");
    let _ = sys::set_name(c"stepdown-warden");
    crate::memory::release();
    let mut sessions: Vec<(u32, Duration)> = Vec::new();
    let mut record = [0; RECORD];
    loop {
        match sys::read_number(socket, &mut record) {
            Ok(RECORD) => {}
            Ok(_) => break,
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => continue,
            Err(_) => break,
        }
        let [what, session] = [0, 4].map(|at| record[at..at + 4].try_into().map_or(0, u32::from_ne_bytes));
        let millis = record[8..].try_into().map_or(0, u64::from_ne_bytes);
        match what {
            GOODBYE => return,
            WATCH | FORGET => {
                sessions.retain(|&(known, _)| known != session);
                if what == WATCH {
                    sessions.push((session, Duration::from_millis(millis)));
                }
            }
            _ => {}
        }
    }
    end(&sessions);
}

/// Ends the sessions.
fn end(sessions: &[(u32, Duration)]) {
    let dead = Instant::now();
    for &(session, _) in sessions {
        tell(session, signals::TERM);
    }
    loop {
        let passed = dead.elapsed();
        let mut left = false;
        for &(session, graceful) in sessions {
            let killed = passed >= graceful;
            if passed.saturating_sub(graceful) < AFTER_KILL
                && tell(session, if killed { signals::KILL } else { 0 })
            {
                left = true;
            }
        }
        if !left {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Sends a signal to a session: to the group of its first process, and to the processes that have left that group but not the
/// session. Whether there was anyone.
fn tell(session: u32, signal: std::ffi::c_int) -> bool {
    // EPERM is that there is somebody, who has become another user.
    let mut anyone =
        reap::signal_group(session, signal).unwrap_or_else(|error| error.raw_os_error() == Some(libc::EPERM));
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if reap::session_of(pid) == Some(session) && reap::group_of(pid) != Some(session) {
            anyone = true;
            let _ = sys::kill(pid.cast_signed(), signal);
        }
    }
    anyone
}
