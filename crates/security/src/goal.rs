//! The state that a policy asks for, and the order of the steps that lead there.
//!
//! The order is decided here and nowhere else: what was inherited is cleared, then directory, groups, group id,
//! bounding set, user id, capabilities, securebits, no_new_privs; each step is taken while the right to take it
//! is still held. Source: capabilities(7), credentials(7), and the warnings of setgroups(2) and setresuid(2).

use alloc::vec::Vec;

use crate::capability::{CapSet, Capability};
use crate::credentials::{Credentials, Ids, Securebits};
use crate::policy::{BoundingSet, Policy};
use crate::situation::{Purpose, Situation};
use crate::step::Step;
use crate::text::CapState;

/// The state asked for, and how the way there has to go.
pub(crate) struct Goal {
    /// The state at the end of the steps.
    pub(crate) state: Credentials,
    /// Whether the bounding set stays though the default would shrink it, because nothing here can change it.
    pub(crate) bounding_left: bool,
    /// Whether user 0 is kept from getting capabilities at execve(2), which takes securebits.
    lock_root: bool,
}

impl Goal {
    pub(crate) fn new(policy: &Policy, situation: &Situation, purpose: Purpose<'_>) -> Goal {
        let start = &situation.start;
        let retained = if policy.stays_root() {
            CapState { effective: start.permitted, permitted: start.permitted, inheritable: CapSet::EMPTY }
        } else {
            policy.retained()
        };
        // Only the ambient set survives execve(2) of an ordinary program by another user than root, or by a
        // root whom securebits deny his privilege; and an ambient capability must be inheritable too.
        let ambient = match purpose {
            Purpose::Execute(_) if !policy.stays_root() => {
                retained.permitted.intersection(retained.effective)
            }
            _ => CapSet::EMPTY,
        };
        let inheritable = retained.inheritable.union(ambient);
        let limit = match policy.bounding_set.as_ref().map(|set| set.value) {
            Some(BoundingSet::Unchanged) => start.bounding,
            Some(BoundingSet::Exactly(set)) => set,
            None if policy.stays_root() => start.bounding,
            None => retained.permitted.union(inheritable),
        };
        let bounding = start.bounding.intersection(limit);
        // A process that another program has already brought to its user can't shrink its bounding set; with
        // no_new_privs nothing can be gained from it, so that the default (not a written set) may yield.
        let bounding_left = policy.bounding_set.is_none()
            && bounding != start.bounding
            && start.uid.effective != 0
            && !start.permitted.contains(Capability::SETPCAP)
            && policy.no_new_privs.value;
        let lock_root = policy.user.value.id == 0 && !policy.stays_root();
        let mut securebits = kept_securebits(start);
        if lock_root {
            securebits = securebits.with(Securebits::NOROOT).with(Securebits::NOROOT_LOCKED);
        }
        let root = match &situation.chroot {
            Some(Ok(directory)) => *directory,
            _ => start.root,
        };
        let state = Credentials {
            uid: Ids::all(policy.user.value.id),
            gid: Ids::all(policy.group.value.id),
            groups: policy.groups.value.clone(),
            permitted: retained.permitted,
            effective: retained.effective,
            inheritable,
            bounding: if bounding_left { start.bounding } else { bounding },
            ambient,
            securebits,
            no_new_privs: start.no_new_privs || policy.no_new_privs.value,
            root,
            working_directory: if policy.chroot.is_some() { root } else { start.working_directory },
            parent_death_signal: start.parent_death_signal,
        };
        Goal { state, bounding_left, lock_root }
    }

    /// Every step that could be needed, in order; [`crate::plan`] leaves out those that change nothing.
    pub(crate) fn steps(&self, situation: &Situation) -> Vec<Step> {
        let start = &situation.start;
        let goal = &self.state;
        let mut steps = Vec::with_capacity(64);
        // What the parent left behind goes first, CVE-2022-24769; what is held is made effective for the steps.
        steps.push(Step::SetCapabilities(CapState {
            effective: start.permitted,
            permitted: start.permitted,
            inheritable: start.inheritable.intersection(goal.inheritable),
        }));
        if !start.ambient.is_subset(goal.ambient) {
            steps.push(Step::ClearAmbient);
        }
        steps.push(Step::SetSecurebits(kept_securebits(start)));
        if let Some(Ok(directory)) = situation.chroot {
            steps.push(Step::Chroot { directory });
            steps.push(Step::ChdirRoot);
        }
        steps.push(Step::SetGroups(goal.groups.clone()));
        steps.push(Step::SetResGid(goal.gid.real));
        for capability in start.bounding.difference(goal.bounding).iter() {
            steps.push(Step::DropBounding(capability));
        }
        // Whatever is needed after the change of user has to be kept over it.
        let mut kept = goal.permitted.union(goal.inheritable.difference(start.inheritable));
        if self.lock_root {
            kept = kept.with(Capability::SETPCAP);
        }
        let kept = kept.intersection(start.permitted);
        let leaves_root = start.uid.has(0) && goal.uid.real != 0;
        if leaves_root && !kept.is_empty() {
            steps.push(Step::SetKeepCaps(true));
        }
        steps.push(Step::SetResUid(goal.uid.real));
        if leaves_root && !kept.is_empty() {
            steps.push(Step::SetKeepCaps(false));
        }
        if !goal.ambient.is_empty() || self.lock_root {
            steps.push(Step::SetCapabilities(CapState {
                effective: kept,
                permitted: kept,
                inheritable: goal.inheritable,
            }));
        }
        for capability in goal.ambient.iter() {
            steps.push(Step::RaiseAmbient(capability));
        }
        steps.push(Step::SetSecurebits(goal.securebits));
        steps.push(Step::SetCapabilities(CapState {
            effective: goal.effective,
            permitted: goal.permitted,
            inheritable: goal.inheritable,
        }));
        steps.push(Step::SetParentDeathSignal(goal.parent_death_signal));
        if goal.no_new_privs {
            steps.push(Step::SetNoNewPrivs);
        }
        steps
    }
}

/// The inherited securebits that stay: those a lock holds, and those that are not about privilege.
fn kept_securebits(start: &Credentials) -> Securebits {
    let bits = start.securebits.0;
    let locks = bits & Securebits::LOCKS.0;
    let locked = bits & (locks >> 1);
    if start.permitted.contains(Capability::SETPCAP) {
        Securebits(bits & !Securebits::PRIVILEGE.0 | locks | locked)
    } else {
        // Nothing can be changed; what would be harmful is refused, see [`crate::refusal`].
        Securebits(bits)
    }
}
