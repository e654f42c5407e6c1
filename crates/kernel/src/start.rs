//! Starts a child without waiting for it: fork(2), a change, execve(2), each in a process of its own from the first moment.
//!
//! For a process with one thread. What became of the child is read later, from a pipe that execve(2) closes. Not for: what the
//! change is; a program that has threads uses [`crate::child`].

use std::ffi::{CStr, CString, OsString, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, chdir, getpid, getppid, pidfd_open, setsid};

use crate::signals::Inherited;
use crate::{Error, errno_of, exec, limits, notify, observe, sys};

/// What is started, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The program's file.
    pub path: &'a CStr,
    /// Its arguments; the first is the name it is called by.
    pub arguments: &'a [CString],
    /// Its environment, `NAME=value`.
    pub environment: &'a [CString],
    /// Whether `LISTEN_PID` is added to the environment, with the child's own number.
    pub listen_pid: bool,
    /// What are to be its standard input, output and error.
    pub standard: [BorrowedFd<'a>; 3],
    /// What is to be 3 and upwards, in this order. It gets nothing else.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// Its working directory, entered before the change; this process's own without one.
    pub directory: Option<&'a CStr>,
    /// The signal it gets when this process ends, prctl(2) `PR_SET_PDEATHSIG`.
    pub death_signal: Option<c_int>,
    /// The signals it has blocked and ignored.
    pub inherited: &'a Inherited,
}

/// A child that was started. It leads a session of its own, whose number is its own.
#[derive(Debug)]
pub struct Started {
    /// Its number.
    pub pid: u32,
    /// The child itself, whoever has its number later: readable when it has ended.
    pub pidfd: OwnedFd,
    /// What it says before it executes its program: readable when that is decided. See [`Started::report`].
    pub report: OwnedFd,
}

/// What became of the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Nothing is known yet.
    Pending,
    /// The program was executed, or the child was killed before: then it has ended, as [`crate::reap::reap`] tells.
    Executed,
    /// It was not executed, for this reason. The child has ended or is about to.
    Failed(String),
}

/// Starts a child. It takes the signals' state, becomes the leader of a session, gets its descriptors and its directory, makes
/// the change, and executes the program. Comes back at once.
///
/// # Errors
/// EINVAL for a process with more than one thread, or with more descriptors than can be; else what fork(2), pipe2(2) or
/// pidfd_open(2) answered. There is no child then.
pub fn start(start: &Start<'_>, change: impl FnOnce() -> Result<(), String>) -> io::Result<Started> {
    if !observe::has_one_thread()? {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut sources = Vec::with_capacity(3 + start.descriptors.len());
    sources.extend(start.standard.iter().chain(start.descriptors).map(AsRawFd::as_raw_fd));
    let (report, to) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&report, rustix::fs::OFlags::NONBLOCK)?;
    let parent = getpid();
    let pid = sys::fork()?;
    if pid == 0 {
        // Whatever happens, what is above this call on the stack is the parent's, and is not gone back to.
        let to = to.as_raw_fd();
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let (words, to) = in_child(start, &mut sources, to, parent, change);
            sys::tell(to, words.as_bytes());
        }));
        sys::exit(127);
    }
    drop(to);
    let child = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pidfd = child.ok_or(rustix::io::Errno::SRCH).and_then(|child| pidfd_open(child, PidfdFlags::empty()));
    match pidfd {
        Ok(pidfd) => Ok(Started { pid, pidfd, report }),
        Err(error) => {
            // Not to be had, ENOSYS before Linux 5.3 or EMFILE: the child must not go on unwatched.
            if let Some(child) = child {
                let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
                let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
            }
            Err(error.into())
        }
    }
}

/// The environment of this process as children get it: without what is between it and whoever started it
/// ([`notify::is_private`]).
#[must_use]
pub fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !notify::is_private(name)).collect()
}

impl Started {
    /// What became of it, without waiting. To be asked once the pipe is readable; after an answer other than
    /// [`Report::Pending`] the pipe has nothing more.
    ///
    /// # Errors
    /// What read(2) answered.
    pub fn report(&self) -> io::Result<Report> {
        report(self.report.as_fd())
    }
}

/// As [`Started::report`], of the pipe alone.
///
/// # Errors
/// What read(2) answered.
pub fn report(pipe: BorrowedFd<'_>) -> io::Result<Report> {
    let mut words = [0; WORDS];
    loop {
        return match rustix::io::read(pipe, &mut words) {
            Ok(0) => Ok(Report::Executed),
            Ok(length) => Ok(Report::Failed(String::from_utf8_lossy(&words[..length]).into_owned())),
            Err(rustix::io::Errno::AGAIN) => Ok(Report::Pending),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// As much as pipe(7) takes in one piece.
const WORDS: usize = 4096;

/// Everything that the child does. Comes back with why it failed, and where to say so.
fn in_child(
    start: &Start<'_>,
    sources: &mut [c_int],
    mut report: c_int,
    parent: Pid,
    change: impl FnOnce() -> Result<(), String>,
) -> (String, c_int) {
    let outcome: Result<(), String> = ready(start, sources, &mut report, parent, change).and_then(|()| {
        let own;
        let mut environment = start.environment;
        if start.listen_pid {
            own = with_listen_pid(environment);
            environment = &own;
        }
        let error = exec::execute(start.path, &borrowed(start.arguments), &borrowed(environment));
        Err(format!("execve of {} answered {error}", start.path.to_string_lossy()))
    });
    let mut words: String = outcome.err().unwrap_or_default();
    while words.len() > WORDS {
        words.pop();
    }
    (words, report)
}

fn ready(
    start: &Start<'_>,
    sources: &mut [c_int],
    report: &mut c_int,
    parent: Pid,
    change: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let said = |call: &'static str| move |error: io::Error| format!("{call} answered {}", words_of(&error));
    // A session first: until then, a signal to the parent's group is one to this process.
    setsid().map_err(|error| said("setsid")(error.into()))?;
    place(sources, report).map_err(said("placing the descriptors"))?;
    start.inherited.restore().map_err(said("restoring the signals"))?;
    limits::restore_descriptors(sources.len() as u64).map_err(said("setrlimit"))?;
    if let Some(directory) = start.directory {
        let call = format!("chdir to {}", directory.to_string_lossy());
        chdir(directory).map_err(|error| format!("{call} answered {}", words_of(&error.into())))?;
    }
    change()?;
    if let Some(signal) = start.death_signal {
        // After the change, which clears it.
        sys::set_parent_death_signal(signal)
            .map_err(|errno| format!("prctl(PR_SET_PDEATHSIG) answered {errno}"))?;
        // Had the parent ended before, nobody would send it.
        if getppid() != Some(parent) {
            return Err("the process that started it has ended".to_owned());
        }
    }
    Ok(())
}

/// Puts `sources[n]` at the number n, for every n, and closes everything else but the report, which is close-on-exec. No number
/// is overwritten that is still to be copied from: what stands in the way is moved up first.
fn place(sources: &mut [c_int], report: &mut c_int) -> io::Result<()> {
    let count = c_int::try_from(sources.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    close_all_but(sources, *report)?;
    if *report < count {
        *report = sys::duplicate_above(*report, count)?;
    }
    for to in 0..count {
        let index = to.unsigned_abs() as usize;
        let from = sources[index];
        if from == to {
            sys::set_close_on_exec(to, false).map_err(Error::from)?;
            continue;
        }
        let (_, later) = sources.split_at_mut(index + 1);
        if later.contains(&to) {
            // To any free number above: should that be one that is placed later, it is moved on from there.
            let moved = sys::duplicate_above(to, to + 1)?;
            for source in later.iter_mut().filter(|source| **source == to) {
                *source = moved;
            }
        }
        sys::duplicate_to(from, to)?;
        // Nothing is kept longer than needed: there may be just as many as the limit allows.
        if from > to && !later.contains(&from) {
            sys::close_range(from, from).map_err(Error::from)?;
        }
        sources[index] = to;
    }
    close_all_but(sources, *report)
}

fn close_all_but(sources: &[c_int], report: c_int) -> io::Result<()> {
    let mut kept = sources.to_vec();
    kept.push(report);
    kept.sort_unstable();
    let mut first = 0;
    for number in kept {
        sys::close_range(first, number - 1).map_err(Error::from)?;
        first = first.max(number + 1);
    }
    Ok(sys::close_range(first, c_int::MAX).map_err(Error::from)?)
}

fn borrowed(strings: &[CString]) -> Vec<&CStr> {
    strings.iter().map(CString::as_c_str).collect()
}

fn with_listen_pid(environment: &[CString]) -> Vec<CString> {
    let mut list: Vec<CString> =
        environment.iter().filter(|entry| !entry.as_bytes().starts_with(b"LISTEN_PID=")).cloned().collect();
    list.extend(CString::new(format!("LISTEN_PID={}", std::process::id())));
    list
}

fn words_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => errno_of(error).to_string(),
        None => error.to_string(),
    }
}
