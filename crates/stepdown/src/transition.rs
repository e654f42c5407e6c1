//! Performs a plan and proves that it led where it must: the kernel is read, not believed.
//!
//! A system call that fails, one that reports success and did nothing, a thread left behind: each ends in a
//! [`Finding`], after which the process has to exit. Nothing goes back, and nothing tries a weaker way.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding};
use stepdown_kernel::observe::{Status, Witness};
use stepdown_kernel::{AsFd, AsRawFd, Error, OwnedFd, descriptors, host, observe, perform};
use stepdown_security::credentials::{Credentials, Difference, differences, words_of_ids};
use stepdown_security::errno::Errno;
use stepdown_security::plan::Plan;
use stepdown_security::situation::PassedDescriptor;
use stepdown_security::ways::{self, Attempt};

use crate::prepare::Ready;

/// What was proven.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The state of the process, as the kernel has it.
    pub state: Credentials,
    /// How many threads were taken to it and looked at.
    pub threads: usize,
    /// The descriptors that execve(2) leaves open.
    pub descriptors: Vec<i32>,
    /// The ways to more privilege that were tried, and refused by the kernel as they must be.
    pub attempts: Vec<Attempt>,
}

/// Performs the plan of `ready` on this process, which has one thread, and proves the state it is then in. Where there are
/// others, the proof finds them left behind; `every` takes them along.
///
/// # Errors
/// What failed, or differs from what was asked for. The process is then in an unknown state between the two and must
/// exit.
pub fn apply(ready: &Ready) -> Result<Proof, Box<Finding>> {
    Transition::of(ready).apply()
}

/// What a transition needs, whoever it is that is changed: this process, or a child of it between fork and exec.
pub(crate) struct Transition<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) witness: &'a Witness,
    pub(crate) root: Option<&'a OwnedFd>,
    /// What a program that is executed may get; `None` where none is, and nothing is closed.
    pub(crate) passed: Option<&'a Vec<PassedDescriptor>>,
}

impl Transition<'_> {
    pub(crate) fn of(ready: &Ready) -> Transition<'_> {
        Transition {
            plan: &ready.plan,
            witness: &ready.witness,
            root: ready.root.as_ref(),
            passed: ready.executes.then_some(&ready.situation.descriptors),
        }
    }

    pub(crate) fn apply(&self) -> Result<Proof, Box<Finding>> {
        if let Some(passed) = self.passed {
            descriptors::close_others_on_exec(passed).map_err(|errno| {
                failure(
                    "descriptors-not-closed",
                    format!("descriptors could not be marked close-on-exec: {errno}"),
                )
            })?;
        }
        if self.root.is_some() {
            #[cfg(feature = "std")]
            if self.passed.is_none() {
                self.no_way_out()?;
            }
            perform::own_directories().map_err(|errno| {
                failure(
                    "directories-shared",
                    format!("root and working directory could not be made this process's own: unshare answered {errno}"),
                )
            })?;
        }
        if self.plan.start.uid.real != self.plan.end.uid.real {
            perform::leave_session_keyring().map_err(|errno| {
                failure(
                    "keyring-kept",
                    format!("the session keyring could not be left: keyctl answered {errno}"),
                )
            })?;
        }
        let total = self.plan.steps.len();
        for (index, step) in self.plan.steps.iter().enumerate() {
            perform::perform(step, self.root.map(AsFd::as_fd)).map_err(|errno| {
                failure(
                    "step-failed",
                    format!("step {} of {total}, {step}: {} answered {errno}", index + 1, step.call()),
                )
            })?;
        }
        let (state, threads) = observe(self.witness)?;
        let left = differences(&self.plan.end, &state);
        if !left.is_empty() {
            return Err(not_proven(&left));
        }
        let descriptors = match self.passed {
            Some(passed) => self.proven_descriptors(passed)?,
            None => Vec::new(),
        };
        for attempt in &self.plan.attempts {
            try_way_back(attempt)?;
        }
        let still = observe::still(&state).map_err(|error| unreadable(&error))?;
        if !still {
            let (now, _) = observe(self.witness)?;
            return Err(match &differences(&state, &now)[..] {
                [] => failure(
                    "not-proven",
                    "the kernel's two accounts, /proc and its system calls, differ".to_owned(),
                ),
                left => not_proven(left),
            });
        }
        Ok(Proof { state, threads, descriptors, attempts: self.plan.attempts.clone() })
    }

    /// That nothing was opened on a directory since the plan was made: it would lead out of the new root directory, and a
    /// process that goes on itself keeps it.
    #[cfg(feature = "std")]
    fn no_way_out(&self) -> Result<(), Box<Finding>> {
        let own = self.own_descriptors();
        let open = descriptors::directories_above_standard().map_err(|error| unreadable(&error))?;
        match open.iter().find(|descriptor| !own.contains(&descriptor.number)) {
            None => Ok(()),
            Some(descriptor) => Err(failure(
                "directory-left-open",
                format!(
                    "descriptor {} is a directory, and would lead out of the new root directory",
                    descriptor.number
                ),
            )),
        }
    }

    /// What this transition itself holds open.
    pub(crate) fn own_descriptors(&self) -> Vec<i32> {
        self.witness.descriptors().into_iter().chain(self.root.map(AsRawFd::as_raw_fd)).collect()
    }

    fn proven_descriptors(&self, passed: &[PassedDescriptor]) -> Result<Vec<i32>, Box<Finding>> {
        let own = self.own_descriptors();
        let open = descriptors::open_after_exec(self.witness.process(), passed, &own)
            .map_err(|error| unreadable(&error))?;
        let expected: Vec<i32> = passed.iter().map(|descriptor| descriptor.number).collect();
        if open == expected {
            return Ok(open);
        }
        Err(failure(
            "descriptors-differ",
            format!(
                "the program would get the descriptors {}, and should get {}",
                words(&open),
                words(&expected)
            ),
        ))
    }
}

/// A way back to privilege that was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    /// What was tried, and the answer that the rules of the kernel predict.
    pub attempt: Attempt,
    /// What the kernel answered; `None` is that it allowed it.
    pub answer: Option<Errno>,
}

/// Tries, in this process and from whatever state it is in now, every way back to privilege that the rules of the
/// kernel say is closed. For a program that was started under a scope and wants to see for itself.
///
/// # Errors
/// What reading the state answered. If a way turns out to be open the process has gone it, and should exit.
pub fn try_ways_back() -> Result<Vec<Tried>, Error> {
    let witness = Witness::open()?;
    let first = witness.threads()?.remove(0);
    let state = witness.credentials(first)?;
    let facts = host::facts(&witness, host::capability_count())?;
    let tried = ways::attempts(&facts, &state, &[])
        .into_iter()
        .map(|attempt| Tried { answer: perform::attempt(&attempt.way).err(), attempt });
    Ok(tried.collect())
}

/// The state of this thread, when every other has the same.
fn observe(witness: &Witness) -> Result<(Credentials, usize), Box<Finding>> {
    let threads = witness.threads().map_err(|error| unreadable(&error))?;
    let count = threads.len();
    let mut threads = threads.into_iter();
    let Some(own) = threads.next() else {
        return Err(unreadable(&Error::from("/proc has no thread of this process")));
    };
    for other in threads {
        if (Status { thread: own.thread, ..other.clone() }) != own {
            return Err(failure(
                "thread-left-behind",
                format!(
                    "thread {} is not in the state that was asked for; another was started meanwhile",
                    other.thread
                ),
            ));
        }
    }
    let state = witness.credentials(own).map_err(|error| unreadable(&error))?;
    Ok((state, count))
}

fn try_way_back(attempt: &Attempt) -> Result<(), Box<Finding>> {
    let expected = attempt.expected;
    match perform::attempt(&attempt.way) {
        Err(errno) if errno == expected => Ok(()),
        Err(errno) => Err(failure(
            "way-back-unclear",
            format!("{}: the kernel answered {errno}, and should have answered {expected}", attempt.way),
        )),
        Ok(()) => Err(failure(
            "way-back-open",
            format!("{}: the kernel allowed it, and should have answered {expected}", attempt.way),
        )),
    }
}

fn not_proven(left: &[Difference]) -> Box<Finding> {
    let words: Vec<String> = left
        .iter()
        .map(|difference| {
            format!("{} is {}, should be {}", difference.what, difference.found, difference.expected)
        })
        .collect();
    failure(
        "not-proven",
        format!("the kernel's account differs from what was asked for: {}", words.join("; ")),
    )
}

fn words(descriptors: &[i32]) -> String {
    words_of_ids(&descriptors.iter().map(|number| number.unsigned_abs()).collect::<Vec<_>>())
}

pub(crate) fn unreadable(error: &Error) -> Box<Finding> {
    failure("not-observable", format!("the kernel's account of this process can't be read: {error}"))
}

pub(crate) fn failure(code: &'static str, message: String) -> Box<Finding> {
    let why = "every step reported by the kernel is checked against the kernel's own account before a program is started";
    let hint = "no program was started; look for a seccomp filter, a security module or a preloaded library that \
                interferes with this system call";
    Box::new(Finding::error(code, Cause::Host, message).because(why).hint(hint))
}
