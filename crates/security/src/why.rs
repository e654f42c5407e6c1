//! Why a process can't do what somebody expects of it: what is odd about a state, and what execve(2) of a program
//! would make of it, in words, each with what to do about it.
//!
//! The rules are [`crate::execve`]'s and [`crate::rules`]'; here are the questions that people ask about them:
//! capabilities(7), credentials(7), user_namespaces(7), ip(7). Not for refusing: what a `Security` scope asks for is judged
//! by [`crate::plan`]. A finding is an error here only where the kernel itself would say no.

mod case;
mod program;
mod thread;

pub use case::{Candidate, Case, Network};

use alloc::vec::Vec;

use stepdown_conf::Finding;

use crate::capability::CapSet;
use crate::credentials::Credentials;
use crate::errno::Errno;
use crate::execve::predict_execve;

/// What would come of a program.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The state that it would run in, or what execve(2) would answer.
    pub outcome: Result<Credentials, Errno>,
    /// What about that is likely to surprise.
    pub findings: Vec<Finding>,
}

/// Two sets of a state that can't be as they are: no kernel lets a thread come there, capset(2), prctl(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The set that has too much: "effective".
    pub set: &'static str,
    /// What it would have to be within: "the permitted set".
    pub within: &'static str,
    /// What it has too much.
    pub excess: CapSet,
}

/// Everything that makes the state one that no kernel produces; empty for a real one.
#[must_use]
pub fn contradictions(state: &Credentials) -> Vec<Contradiction> {
    let rules = [
        ("effective", state.effective, "the permitted set", state.permitted),
        ("ambient", state.ambient, "the permitted set", state.permitted),
        ("ambient", state.ambient, "the inheritable set", state.inheritable),
    ];
    rules
        .into_iter()
        .filter(|(_, inner, _, outer)| !inner.is_subset(*outer))
        .map(|(set, inner, within, outer)| Contradiction { set, within, excess: inner.difference(outer) })
        .collect()
}

/// What is likely to surprise about the thread as it is.
#[must_use]
pub fn of_thread(case: Case<'_>) -> Vec<Finding> {
    thread::findings(case)
}

/// What execve(2) of the program would make of the thread, and what about that is likely to surprise.
#[must_use]
pub fn of_program(case: Case<'_>, candidate: Candidate<'_>) -> Answer {
    let outcome = predict_execve(case.facts, case.state, candidate.file);
    let findings = program::findings(case, candidate, &outcome);
    Answer { outcome, findings }
}
