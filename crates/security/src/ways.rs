//! The ways back to privilege: what is tried when a transition is done, and must fail.
//!
//! A way is open only where the policy retains the right to it; then it is not tried but warned about.

use alloc::vec::Vec;
use core::fmt;

use crate::capability::{CapSet, Capability};
use crate::credentials::{Credentials, Facts, Securebits, sorted};
use crate::errno::Errno;
use crate::rules::{is_done, predict};
use crate::situation::PassedDescriptor;
use crate::step::Step;
use crate::text::CapState;

/// A way to more privilege that must be closed when the plan is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What is tried.
    pub way: Way,
    /// The error number that the kernel must answer with.
    pub expected: Errno,
}

/// The ways to more privilege that are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A step in the wrong direction.
    Step(Step),
    /// chroot(2) once more, from which a directory outside could be kept.
    ChrootAgain,
    /// fchdir(2) to a descriptor that was passed on, chroot(2) being in force.
    LeaveRoot(i32),
}

/// The ways back that the rules say are closed in the state `end`, each with the answer that the kernel must give.
/// Those that are left open on purpose, because the right to them is retained, are not among them. `descriptors` are
/// those that could lead out of the root directory, where one was entered.
#[must_use]
pub fn attempts(facts: &Facts, end: &Credentials, descriptors: &[PassedDescriptor]) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for step in ways_back(facts, end) {
        if let Err(expected) = predict(facts, end, &step) {
            attempts.push(Attempt { way: Way::Step(step), expected });
        }
    }
    if !end.effective.contains(Capability::SYS_CHROOT) {
        attempts.push(Attempt { way: Way::ChrootAgain, expected: Errno::PERM });
    }
    for descriptor in descriptors.iter().filter(|descriptor| !descriptor.directory) {
        attempts.push(Attempt { way: Way::LeaveRoot(descriptor.number), expected: Errno::NOTDIR });
    }
    attempts
}

/// Steps that would bring privilege back, from the state at the end; none that would change nothing.
pub(crate) fn ways_back(facts: &Facts, end: &Credentials) -> Vec<Step> {
    let all = CapSet::first(facts.capability_count);
    let mut ways = alloc::vec![Step::SetResUid(0), Step::SetResGid(0)];
    if !end.groups.contains(&0) {
        let mut groups = end.groups.clone();
        groups.push(0);
        ways.push(Step::SetGroups(sorted(groups)));
    }
    ways.push(Step::SetCapabilities(CapState {
        effective: all,
        permitted: all,
        inheritable: end.inheritable,
    }));
    ways.push(Step::SetCapabilities(CapState {
        effective: end.effective,
        permitted: end.permitted,
        inheritable: all,
    }));
    if let Some(capability) = all.difference(end.ambient).iter().next() {
        ways.push(Step::RaiseAmbient(capability));
    }
    if let Some(capability) = end.bounding.iter().next() {
        ways.push(Step::DropBounding(capability));
    }
    if end.securebits.has(Securebits::NOROOT) {
        ways.push(Step::SetSecurebits(Securebits(0)));
    }
    ways.retain(|step| !is_done(end, step));
    ways
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Step(Step::SetResUid(uid)) => write!(f, "become user {uid}"),
            Way::Step(Step::SetResGid(gid)) => write!(f, "become group {gid}"),
            Way::Step(Step::SetGroups(groups)) => {
                write!(f, "set the supplementary groups to {}", crate::credentials::words_of_ids(groups))
            }
            // The two that `ways_back` makes are told apart by what they ask for.
            Way::Step(Step::SetCapabilities(sets)) if sets.permitted.is_subset(sets.inheritable) => {
                f.write_str("make capabilities outside the bounding set inheritable")
            }
            Way::Step(Step::SetCapabilities(_)) => f.write_str("take every capability back"),
            Way::Step(Step::SetSecurebits(_)) => f.write_str("take the securebits back"),
            Way::Step(step) => step.fmt(f),
            Way::ChrootAgain => f.write_str("make another directory the root directory"),
            Way::LeaveRoot(number) => write!(f, "leave the root directory through descriptor {number}"),
        }
    }
}
