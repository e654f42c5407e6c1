//! Takes every thread of this process through a plan, in one pass, and proves each of them before any goes on.
//!
//! Credentials belong to threads, credentials(7). Each thread but the calling one is interrupted once, by the signal
//! [`SIGNAL`], and held in its handler. When all are held, so that there is none and can be none besides, each takes every
//! step for itself, all at once; then the kernel's account of each is read, and the ways back are tried; then they are let
//! go. What threads share, root and working directory, is changed once. Until the first step everything can be given
//! back; after it there is no error but only the end of the process: [`take_all`].
//!
//! While threads are held nothing here allocates or takes a lock, since a held thread may have it. Not for: processes that
//! share memory and are no threads, such as a child of vfork(2); a child that has been made before keeps what it is.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::process::umask;
use rustix::thread;
use stepdown_security::errno::Errno;
use stepdown_security::plan::Plan;
use stepdown_security::ways::Way;

use crate::observe::{self, Witness};
use crate::sys::threads::{self as signal, NoMeeting};
use crate::{errno_of, perform, sys};

use pass::{DONE, HERE_DIFFERENT, INVITED, Pass, own_id};
use stop::stop;
use tasks::Tasks;

pub use stop::stop_process;
pub use tasks::Thread;

mod gather;
mod keyring;
mod pass;
mod stop;
mod tasks;

/// The signal that interrupts a thread: the one that the C library keeps for changes of credentials, which no mask made
/// through it can block. 33 with glibc (SIGSETXID), 34 with musl (SIGSYNCCALL).
pub const SIGNAL: i32 = signal::SIGNAL;

/// How long the threads are waited for, where nothing else is said.
pub const LIMIT: Duration = Duration::from_secs(5);

/// What a pass needs besides the plan.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What of `/proc/self` was opened before.
    pub witness: &'a Witness,
    /// The directory of `Chroot`, opened before.
    pub root: Option<BorrowedFd<'a>>,
    /// Descriptors on directories that are this transition's own business.
    pub own_descriptors: &'a [i32],
    /// Whether every thread leaves its session keyring.
    pub leave_keyring: bool,
    /// How long threads are waited for before it is given up.
    pub limit: Duration,
    /// Whether the state is proven and the ways back are tried. For measuring alone; whoever does not prove, knows
    /// nothing.
    pub prove: bool,
}

/// Why nothing was done. Every thread goes on as what it was.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The signal is ignored, or handled by somebody else than the C library.
    SignalTaken,
    /// Another thread is at it.
    Busy,
    /// This thread blocks the signal, by a system call of its own, as the kernel's own threads for io_uring(7) do.
    Blocked(Thread),
    /// This thread did not come in time, and is in this state, proc_pid_status(5): `D`, waiting in the kernel and not to be
    /// interrupted; `t`, stopped by a debugger.
    Absent(Thread, char),
    /// The first thread has ended before the process, and can't be changed any more.
    FirstEnded,
    /// This thread is not in the state that the plan begins in.
    Differs(Thread),
    /// Root or working directory is no longer what it was when the plan was made.
    Moved,
    /// This thread has a root and working directory of its own.
    Directories(Thread),
    /// This descriptor is open on a directory and would lead out of the new root directory.
    DirectoryOpen(i32),
    /// More threads were started, while they were being stopped, than there was room for.
    TooMany,
    /// No session keyring could be made: what keyctl(2) answered.
    Keyring(Errno),
    /// There is no account of the threads to be had, or no signal to be sent: the call, and what it answered.
    System(&'static str, Errno),
}

/// Whether [`SIGNAL`] is free to be used.
///
/// # Errors
/// What the system call answered.
pub fn signal_is_free() -> Result<bool, Errno> {
    signal::is_free().map_err(|error| errno_of(&error))
}

/// Takes every thread of this process through the plan, and gives their number. The plan has to begin in the state of the
/// calling thread. Threads that are being started meanwhile are waited for and taken along.
///
/// Once the first step is taken, a thread that fails, vanishes or does not end its steps in time, a state that differs from
/// the plan's end, and a way back that is open all lead to the end of the process by SIGABRT, with one line on standard
/// error that names the thread and the reason.
///
/// # Errors
/// See [`Refused`]: nothing has changed then, in any thread.
pub fn take_all(plan: &Plan, around: &Around<'_>) -> Result<usize, Refused> {
    let system = |call| move |errno| Refused::System(call, errno);
    let groups = plan.end.groups.len().max(plan.start.groups.len());
    // By system calls alone, the other threads can't be seen.
    let Some(process) = around.witness.process() else { return Err(Refused::System("open", Errno::NOENT)) };
    let mut tasks = Tasks::open(process.as_fd(), groups).map_err(system("open"))?;
    let first = std::process::id();
    let count = tasks.read(first).map_err(system("open"))?.and_then(|account| account.threads()).unwrap_or(1);
    let pass = Pass::new(plan, around.leave_keyring, around.prove, count as usize * 2 + 512);
    // Allocated now: what a step needs must be there before.
    let ways: Vec<_> = plan
        .attempts
        .iter()
        .map(|attempt| match &attempt.way {
            Way::Step(step) => perform::groups(step),
            _ => Vec::new(),
        })
        .collect();
    let mut held = Held { plan, around, tasks: &mut tasks, first, own: own_id() };
    signal::hold(pass, |pass, post| {
        let _dismissed = Dismissed(pass);
        let ready = held.gather(pass, post).and_then(|()| held.look(pass));
        let result = ready.and_then(|()| pass.go().map_err(Refused::Keyring)).map(|()| {
            held.go(pass);
            if around.prove {
                held.prove(pass);
                held.try_ways_back(&ways);
            }
            pass.threads().count() + 1
        });
        (result, pass.threads().any(|slot| slot.place.load(SeqCst) == INVITED))
    })
    .unwrap_or_else(|none| {
        Err(match none {
            NoMeeting::Taken => Refused::SignalTaken,
            NoMeeting::Busy => Refused::Busy,
            NoMeeting::System(error) => Refused::System("rt_sigaction", errno_of(&error)),
        })
    })
}

/// Every thread leaves when this is dropped.
struct Dismissed<'a>(&'a Pass);

impl Drop for Dismissed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && self.0.has_begun() {
            stop(format_args!("a mistake in the library, after threads had begun to change"));
        }
        self.0.dismiss();
    }
}

/// The calling thread's part.
struct Held<'a> {
    plan: &'a Plan,
    around: &'a Around<'a>,
    tasks: &'a mut Tasks,
    /// The first thread, whose id is the process's.
    first: u32,
    own: u32,
}

const LONGEST_PAUSE: Duration = Duration::from_millis(50);
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// How long the steps themselves may take at least.
const STEPS: Duration = Duration::from_secs(20);

impl Held<'_> {
    /// All are held. Looks for what is in the way, as long as nothing has changed.
    fn look(&mut self, pass: &Pass) -> Result<(), Refused> {
        let own = self.own;
        let start = &self.plan.start;
        let is = |path, directory| observe::directory(path).is_ok_and(|now| now == directory);
        let signal = sys::parent_death_signal().unwrap_or(-1);
        if !pass.begins() || signal != start.parent_death_signal {
            return Err(Refused::Differs(self.tasks.thread(own)));
        }
        if !is(c"/", start.root) || !is(c".", start.working_directory) {
            return Err(Refused::Moved);
        }
        if let Some(slot) = pass.threads().find(|slot| slot.place.load(SeqCst) == HERE_DIFFERENT) {
            return Err(Refused::Differs(self.tasks.thread(slot.thread.load(SeqCst))));
        }
        if self.around.root.is_some() {
            let open = self.tasks.open_directory(own, self.around.own_descriptors);
            match open.map_err(|errno| Refused::System("open", errno))? {
                None => self.directories(pass)?,
                Some(number) => return Err(Refused::DirectoryOpen(number)),
            }
        }
        Ok(())
    }

    /// That all threads share one root and working directory, `CLONE_FS` of clone(2): the mask of file modes belongs to the
    /// same structure, so that it is seen to change in each of them, without any right that kcmp(2) would need.
    fn directories(&mut self, pass: &Pass) -> Result<(), Refused> {
        let before = umask(Mode::from_raw_mode(0o077));
        let mut result = Ok(());
        for mask in [0o707, 0o070] {
            umask(Mode::from_raw_mode(mask));
            for slot in pass.threads() {
                let id = slot.thread.load(SeqCst);
                match self.tasks.read(id) {
                    Ok(Some(account)) if account.umask() == Some(mask) => {}
                    Ok(_) => result = Err(Refused::Directories(self.tasks.thread(id))),
                    Err(errno) => result = Err(Refused::System("open", errno)),
                }
            }
        }
        umask(before);
        result
    }

    /// Every thread takes every step. From here on there is nothing to go back to.
    fn go(&mut self, pass: &Pass) {
        // The leading thread last, where it takes the user that all were to close what they had in common.
        let last = pass.is_open();
        if !last {
            self.take(pass);
        }
        let deadline = Instant::now() + self.around.limit.max(STEPS);
        let mut pause = FIRST_PAUSE;
        while !pass.all_done() {
            pass.wait_for_the_rest(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            if pause < LONGEST_PAUSE || pass.all_done() {
                continue;
            }
            for slot in pass.threads().filter(|slot| slot.place.load(SeqCst) != DONE) {
                let id = slot.thread.load(SeqCst);
                let ended = self
                    .tasks
                    .read(id)
                    .is_ok_and(|account| account.is_none_or(|account| matches!(account.state(), 'Z' | 'X')));
                // One that says that it is done has not ended before.
                if slot.place.load(SeqCst) != DONE && (ended || Instant::now() >= deadline) {
                    let how = if ended { "ended in the middle" } else { "did not take its steps in time" };
                    self.behind(id, how);
                }
            }
        }
        for slot in pass.threads() {
            if let Some(failed) = slot.failed() {
                self.failed(pass, slot.thread.load(SeqCst), failed);
            }
        }
        if last {
            if let Err(failed) = pass.close() {
                self.failed(pass, self.own, failed);
            }
            self.take(pass);
        }
    }

    /// The steps of the calling thread.
    fn take(&mut self, pass: &Pass) {
        if let Err(failed) = pass.take(true, self.around.root, self.plan.end.parent_death_signal) {
            self.failed(pass, self.own, failed);
        }
    }

    /// Reads the kernel's account of every thread.
    fn prove(&mut self, pass: &Pass) {
        let end = &self.plan.end;
        // For a thread that is held the kernel may have made one of its own, io_uring(7), as what that thread was then. One that
        // is made from here on is made by a thread that has taken its steps.
        let (held, there) = (pass.threads().count() as u32 + 1, self.count());
        if !there.is_ok_and(|there| there == held) {
            stop(format_args!("a thread was started while the others were held, and is left behind"));
        }
        for id in pass.threads().map(|slot| slot.thread.load(SeqCst)).chain([self.own]) {
            let line = match self.tasks.read(id) {
                Ok(Some(account)) => account.differs(end),
                Ok(None) => Some("a state at all"),
                Err(errno) => {
                    let thread = self.tasks.thread(id);
                    stop(format_args!("the account of thread {thread} can't be read: {errno}"))
                }
            };
            if let Some(line) = line {
                let thread = self.tasks.thread(id);
                stop(format_args!(
                    "thread {thread} is left behind: the kernel's account of it differs in {line}"
                ))
            }
        }
        let is = |path, directory| observe::directory(path).is_ok_and(|now| now == directory);
        if !is(c"/", end.root) || !is(c".", end.working_directory) {
            stop(format_args!("root or working directory is not what it should be"));
        }
    }

    /// Tries the ways back. The kernel decides by what was shown to be the same in each thread, and by filters and
    /// security modules, which only take away; so one thread's attempts stand for all.
    fn try_ways_back(&self, groups: &[Vec<thread::Gid>]) {
        for (attempt, groups) in self.plan.attempts.iter().zip(groups) {
            match perform::try_way(&attempt.way, groups) {
                Err(errno) if errno == attempt.expected => {}
                Err(errno) => stop(format_args!(
                    "the kernel answered {errno} to an attempt at a way back, and not {}",
                    attempt.expected
                )),
                Ok(()) => stop(format_args!("a way back is open, to be answered with {}", attempt.expected)),
            }
        }
        if !observe::still(&self.plan.end).unwrap_or(false) {
            stop(format_args!("an attempt at a way back has changed the process"));
        }
    }

    fn failed(&mut self, pass: &Pass, id: u32, (what, errno): pass::Failed) -> ! {
        let (thread, call) = (self.tasks.thread(id), pass.call(what));
        match errno {
            Errno(0) => stop(format_args!(
                "thread {thread} is left behind: {call} shows that it is not in the state that was asked for"
            )),
            errno => stop(format_args!("thread {thread} is left behind: {call} answered {errno}")),
        }
    }

    fn behind(&mut self, id: u32, how: &str) -> ! {
        let thread = self.tasks.thread(id);
        stop(format_args!("thread {thread} is left behind: it {how}"))
    }
}
