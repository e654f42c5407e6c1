//! The ways back to privilege: what is tried when a transition is done, and must fail.
//!
//! A way is open only where the policy retains the right to it; then it is not tried but warned about.

use alloc::vec::Vec;

use crate::capability::{CapSet, Capability};
use crate::credentials::{Credentials, Securebits};
use crate::errno::Errno;
use crate::policy::Policy;
use crate::rules::{is_done, predict};
use crate::situation::Situation;
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

/// The steps back to root that the rules say are closed at the end; those the policy leaves open on purpose
/// (it retains the right) are warned about, see [`crate::refusal`], and not tried.
pub(crate) fn attempts(policy: &Policy, situation: &Situation, end: &Credentials) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for step in ways_back(situation, end) {
        if let Err(expected) = predict(&situation.facts, end, &step) {
            attempts.push(Attempt { way: Way::Step(step), expected });
        }
    }
    if !end.effective.contains(Capability::SYS_CHROOT) {
        attempts.push(Attempt { way: Way::ChrootAgain, expected: Errno::PERM });
    }
    if policy.chroot.is_some() {
        for descriptor in situation.descriptors.iter().filter(|descriptor| !descriptor.directory) {
            attempts.push(Attempt { way: Way::LeaveRoot(descriptor.number), expected: Errno::NOTDIR });
        }
    }
    attempts
}

/// Steps that would bring privilege back, from the state at the end; none that would change nothing.
pub(crate) fn ways_back(situation: &Situation, end: &Credentials) -> Vec<Step> {
    let all = CapSet::first(situation.facts.capability_count);
    let mut ways = alloc::vec![Step::SetResUid(0), Step::SetResGid(0)];
    if !end.groups.contains(&0) {
        let mut groups = end.groups.clone();
        groups.push(0);
        groups.sort_unstable();
        ways.push(Step::SetGroups(groups));
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
