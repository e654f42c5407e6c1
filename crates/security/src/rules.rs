//! The rules of the kernel for changing credentials, as pure functions.
//!
//! Each rule names the page that states it: capabilities(7), credentials(7), setresuid(2), setgroups(2), capset(2),
//! prctl(2), chroot(2), user_namespaces(7). The rules of execve(2) are in [`crate::execve`]; each is listed in
//! [`crate::rule`]. Nothing here is an approximation: what it answers is compared with the running kernel at each
//! start, and in the tests.

pub mod ids;

use crate::capability::{CapSet, Capability};
use crate::credentials::{Credentials, Facts, Ids, Securebits, sorted};
use crate::errno::Errno;
use crate::rule::Rule;
use crate::step::Step;
use crate::text::CapState;
use ids::Kind;

/// The state that `step` leads to from `from`.
///
/// # Errors
/// The error number the kernel answers with; the state is then unchanged.
pub fn predict(facts: &Facts, from: &Credentials, step: &Step) -> Result<Credentials, Errno> {
    let mut state = from.clone();
    advance(facts, &mut state, step)?;
    Ok(state)
}

/// As [`predict`], in place.
///
/// # Errors
/// As for [`predict`]; what the state is then means nothing.
pub(crate) fn advance(facts: &Facts, state: &mut Credentials, step: &Step) -> Result<(), Errno> {
    let from = Committed::of(state);
    match step {
        Step::SetSecurebits(bits) => set_securebits(facts, state, *bits)?,
        Step::Chroot { directory, .. } => {
            // chroot(2): EPERM without CAP_SYS_CHROOT; the working directory stays where it is.
            require(state, Capability::SYS_CHROOT, Rule::ChrootCapability)?;
            state.root = *directory;
        }
        Step::ChdirRoot => state.working_directory = state.root,
        Step::SetGroups(groups) => set_groups(facts, state, groups)?,
        Step::SetResGid(gid) => ids::set_res(facts, state, Kind::Group, [*gid; 3])?,
        Step::DropBounding(capability) => {
            // capabilities(7): CAP_SETPCAP comes first, then whether the kernel has such a capability.
            require(state, Capability::SETPCAP, Rule::BoundingCapability)?;
            known(facts, *capability, Rule::BoundingKnown)?;
            state.bounding = state.bounding.without(*capability);
        }
        Step::SetKeepCaps(keep) => {
            if Rule::KeepCapsLocked.when(state.securebits.has(Securebits::KEEP_CAPS_LOCKED)) {
                return Err(Errno::PERM);
            }
            state.securebits = if *keep {
                state.securebits.with(Securebits::KEEP_CAPS)
            } else {
                state.securebits.without(Securebits::KEEP_CAPS)
            };
        }
        Step::SetResUid(uid) => ids::set_res(facts, state, Kind::User, [*uid; 3])?,
        Step::SetCapabilities(sets) => set_capabilities(facts, state, *sets)?,
        Step::ClearAmbient => state.ambient = CapSet::EMPTY,
        Step::RaiseAmbient(capability) => {
            known(facts, *capability, Rule::AmbientKnown)?;
            if Rule::AmbientPermitted.when(!state.permitted.contains(*capability))
                || Rule::AmbientInheritable.when(!state.inheritable.contains(*capability))
                || Rule::AmbientSecurebit.when(state.securebits.has(Securebits::NO_CAP_AMBIENT_RAISE))
            {
                return Err(Errno::PERM);
            }
            state.ambient = state.ambient.with(*capability);
        }
        Step::SetParentDeathSignal(signal) => {
            // prctl(2): 0 for none, or a signal; signal(7) ends at SIGRTMAX, 64.
            if Rule::DeathSignalValue.when(!(0..=64).contains(signal)) {
                return Err(Errno::INVAL);
            }
            state.parent_death_signal = *signal;
        }
        Step::SetNoNewPrivs => state.no_new_privs = true,
    }
    committed(&from, state);
    Ok(())
}

/// What of a state counts for [`committed`].
#[derive(Clone, Copy)]
pub(crate) struct Committed {
    user: (u32, u32),
    group: (u32, u32),
    permitted: CapSet,
}

impl Committed {
    pub(crate) fn of(state: &Credentials) -> Committed {
        Committed {
            user: (state.uid.effective, state.uid.filesystem),
            group: (state.gid.effective, state.gid.filesystem),
            permitted: state.permitted,
        }
    }
}

/// What every change of credentials does besides, prctl(2) `PR_SET_PDEATHSIG` and `PR_SET_DUMPABLE`: one that changes an
/// effective or filesystem id, or gains a capability, clears the death signal. Answers whether it is one, since
/// it also sets dumpable to `/proc/sys/fs/suid_dumpable`.
pub(crate) fn committed(from: &Committed, state: &mut Credentials) -> bool {
    let counts = Rule::EffectiveUserCounts.when(from.user.0 != state.uid.effective)
        || Rule::EffectiveGroupCounts.when(from.group.0 != state.gid.effective)
        || Rule::FilesystemUserCounts.when(from.user.1 != state.uid.filesystem)
        || Rule::FilesystemGroupCounts.when(from.group.1 != state.gid.filesystem)
        || Rule::GainCounts.when(!state.permitted.is_subset(from.permitted));
    if counts {
        state.parent_death_signal = 0;
    }
    counts
}

pub(crate) fn known(facts: &Facts, capability: Capability, rule: Rule) -> Result<(), Errno> {
    if rule.when(capability.number() >= facts.capability_count) { Err(Errno::INVAL) } else { Ok(()) }
}

/// The capability that `step` needs in the effective set when it is taken from `from`, if any.
#[must_use]
pub fn required(from: &Credentials, step: &Step) -> Option<Capability> {
    match step {
        Step::SetSecurebits(_) | Step::DropBounding(_) => Some(Capability::SETPCAP),
        Step::Chroot { .. } => Some(Capability::SYS_CHROOT),
        Step::SetGroups(_) => Some(Capability::SETGID),
        Step::SetResGid(gid) if !from.gid.has(*gid) => Some(Capability::SETGID),
        Step::SetResUid(uid) if !from.uid.has(*uid) => Some(Capability::SETUID),
        _ => None,
    }
}

/// Whether the state already is what the step asks for.
#[must_use]
pub fn is_done(state: &Credentials, step: &Step) -> bool {
    match step {
        Step::SetSecurebits(bits) => state.securebits == *bits,
        // A kernel that does not tell mounts apart can't tell whether it is the same place.
        Step::Chroot { directory } => state.root == *directory && directory.mount != 0,
        Step::ChdirRoot => state.working_directory == state.root,
        Step::SetGroups(groups) => state.groups == *groups,
        Step::SetResGid(gid) => state.gid == Ids::all(*gid),
        Step::DropBounding(capability) => !state.bounding.contains(*capability),
        Step::SetKeepCaps(keep) => state.securebits.has(Securebits::KEEP_CAPS) == *keep,
        Step::SetResUid(uid) => state.uid == Ids::all(*uid),
        Step::SetCapabilities(sets) => {
            sets.effective == state.effective
                && sets.permitted == state.permitted
                && sets.inheritable == state.inheritable
        }
        Step::ClearAmbient => state.ambient.is_empty(),
        Step::RaiseAmbient(capability) => state.ambient.contains(*capability),
        Step::SetParentDeathSignal(signal) => state.parent_death_signal == *signal,
        Step::SetNoNewPrivs => state.no_new_privs,
    }
}

fn require(state: &Credentials, capability: Capability, rule: Rule) -> Result<(), Errno> {
    if rule.when(!state.effective.contains(capability)) { Err(Errno::PERM) } else { Ok(()) }
}

/// capabilities(7), "The securebits flags": a locked flag stays, a lock stays, and CAP_SETPCAP is needed.
fn set_securebits(facts: &Facts, state: &mut Credentials, bits: Securebits) -> Result<(), Errno> {
    let old = state.securebits;
    let locks = old.0 & 0xaaaa_aaaa;
    let changed = old.0 ^ bits.0;
    // Every flag there is: those of privilege, and four of advice to interpreters.
    let advice = facts.features.exec_securebits;
    let every = if advice { 0xfff } else { Securebits::PRIVILEGE.0 };
    if Rule::SecurebitsLocked.when(locks >> 1 & changed != 0)
        || Rule::SecurebitsUnlock.when(locks & !bits.0 != 0)
        || Rule::SecurebitsUnknown.when(bits.0 & !every != 0)
    {
        return Err(Errno::PERM);
    }
    // The advice to interpreters is anyone's to set, as far as something changes.
    if Rule::SecurebitsAdvice.when(!advice || changed == 0 || changed & Securebits::PRIVILEGE.0 != 0) {
        require(state, Capability::SETPCAP, Rule::SecurebitsCapability)?;
    }
    state.securebits = bits;
    Ok(())
}

/// setgroups(2), and user_namespaces(7) for namespaces that deny it or lack an id.
fn set_groups(facts: &Facts, state: &mut Credentials, groups: &[u32]) -> Result<(), Errno> {
    require(state, Capability::SETGID, Rule::SetGroupsCapability)?;
    if Rule::SetGroupsDenied.when(!facts.setgroups_allowed) {
        return Err(Errno::PERM);
    }
    // NGROUPS_MAX since Linux 2.6.4.
    if Rule::SetGroupsCount.when(groups.len() > 65536) {
        return Err(Errno::INVAL);
    }
    for &gid in groups {
        ids::exists(facts, Kind::Group, gid)?;
    }
    state.groups = sorted(groups.to_vec());
    Ok(())
}

/// capset(2) and capabilities(7), "Programmatically adjusting capability sets".
fn set_capabilities(facts: &Facts, state: &mut Credentials, sets: CapState) -> Result<(), Errno> {
    let known = if Rule::CapsetUnknown.when(true) {
        CapSet::first(facts.capability_count)
    } else {
        CapSet::from_bits(u64::MAX)
    };
    let [effective, permitted, inheritable] =
        [sets.effective, sets.permitted, sets.inheritable].map(|set| set.intersection(known));
    let may = Rule::CapsetSetpcap.when(state.effective.contains(Capability::SETPCAP));
    let held = state.inheritable.union(state.permitted);
    if Rule::CapsetInheritable.when(!may && !inheritable.is_subset(held))
        || Rule::CapsetBounding.when(!inheritable.is_subset(state.inheritable.union(state.bounding)))
        || Rule::CapsetPermitted.when(!permitted.is_subset(state.permitted))
        || Rule::CapsetEffective.when(!effective.is_subset(permitted))
    {
        return Err(Errno::PERM);
    }
    state.effective = effective;
    state.permitted = permitted;
    state.inheritable = inheritable;
    if Rule::CapsetAmbient.when(true) {
        state.ambient = state.ambient.intersection(permitted.intersection(inheritable));
    }
    Ok(())
}
