//! The rules of the kernel for changing credentials, as pure functions.
//!
//! Each rule names the page that states it: capabilities(7), credentials(7), setresuid(2), setgroups(2), capset(2),
//! prctl(2), chroot(2), user_namespaces(7). The rules of execve(2) are in [`crate::execve`]. Nothing here is
//! an approximation: what it answers is compared with the running kernel at each start, and in the tests.

use crate::capability::{CapSet, Capability};
use crate::credentials::{Credentials, Facts, Ids, Securebits};
use crate::errno::Errno;
use crate::step::Step;
use crate::text::CapState;

/// The state that `step` leads to from `from`.
///
/// # Errors
/// The error number the kernel answers with; the state is then unchanged.
pub fn predict(facts: &Facts, from: &Credentials, step: &Step) -> Result<Credentials, Errno> {
    let mut state = from.clone();
    match step {
        Step::SetSecurebits(bits) => set_securebits(&mut state, *bits)?,
        Step::Chroot { directory, .. } => {
            // chroot(2): EPERM without CAP_SYS_CHROOT; the working directory stays where it is.
            require(from, Capability::SYS_CHROOT)?;
            state.root = *directory;
        }
        Step::ChdirRoot => state.working_directory = state.root,
        Step::SetGroups(groups) => set_groups(facts, &mut state, groups)?,
        Step::SetResGid(gid) => {
            if !facts.gid_map.contains(*gid) {
                return Err(Errno::INVAL);
            }
            if !from.gid.has(*gid) {
                require(from, Capability::SETGID)?;
            }
            changed_credentials(&mut state, |state| state.gid = Ids::all(*gid));
        }
        Step::DropBounding(capability) => {
            // capabilities(7): CAP_SETPCAP comes first, then whether the kernel has such a capability.
            require(from, Capability::SETPCAP)?;
            known(facts, *capability)?;
            state.bounding = state.bounding.without(*capability);
        }
        Step::SetKeepCaps(keep) => {
            if state.securebits.has(Securebits::KEEP_CAPS_LOCKED) {
                return Err(Errno::PERM);
            }
            state.securebits = if *keep {
                state.securebits.with(Securebits::KEEP_CAPS)
            } else {
                state.securebits.without(Securebits::KEEP_CAPS)
            };
        }
        Step::SetResUid(uid) => set_res_uid(facts, &mut state, *uid)?,
        Step::SetCapabilities(sets) => set_capabilities(facts, &mut state, *sets)?,
        Step::ClearAmbient => state.ambient = CapSet::EMPTY,
        Step::RaiseAmbient(capability) => {
            known(facts, *capability)?;
            let held = state.permitted.contains(*capability) && state.inheritable.contains(*capability);
            if !held || state.securebits.has(Securebits::NO_CAP_AMBIENT_RAISE) {
                return Err(Errno::PERM);
            }
            state.ambient = state.ambient.with(*capability);
        }
        Step::SetParentDeathSignal(signal) => {
            // prctl(2): 0 for none, or a signal; signal(7) ends at SIGRTMAX, 64.
            if !(0..=64).contains(signal) {
                return Err(Errno::INVAL);
            }
            state.parent_death_signal = *signal;
        }
        Step::SetNoNewPrivs => state.no_new_privs = true,
    }
    Ok(state)
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
        Step::Chroot { directory } => state.root == *directory,
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

fn require(state: &Credentials, capability: Capability) -> Result<(), Errno> {
    if state.effective.contains(capability) { Ok(()) } else { Err(Errno::PERM) }
}

fn known(facts: &Facts, capability: Capability) -> Result<(), Errno> {
    if capability.number() < facts.capability_count { Ok(()) } else { Err(Errno::INVAL) }
}

/// Every securebit there is: those of privilege, and four of advice to interpreters since Linux 6.14. A kernel before
/// that refuses the latter, but they are only ever set again where they were found set.
const KNOWN_SECUREBITS: u32 = 0xfff;

/// capabilities(7), "The securebits flags": a locked flag stays, a lock stays, and CAP_SETPCAP is needed.
fn set_securebits(state: &mut Credentials, bits: Securebits) -> Result<(), Errno> {
    let old = state.securebits;
    let locked = (old.0 & 0xaaaa_aaaa) >> 1;
    let changed = old.0 ^ bits.0;
    if locked & changed != 0 || old.0 & 0xaaaa_aaaa & !bits.0 != 0 || bits.0 & !KNOWN_SECUREBITS != 0 {
        return Err(Errno::PERM);
    }
    // The advice to interpreters is anyone's to set, as far as something changes.
    if changed == 0 || changed & Securebits::PRIVILEGE.0 != 0 {
        require(state, Capability::SETPCAP)?;
    }
    state.securebits = bits;
    Ok(())
}

/// setgroups(2), and user_namespaces(7) for namespaces that deny it or lack an id.
fn set_groups(facts: &Facts, state: &mut Credentials, groups: &[u32]) -> Result<(), Errno> {
    require(state, Capability::SETGID)?;
    if !facts.setgroups_allowed {
        return Err(Errno::PERM);
    }
    // NGROUPS_MAX since Linux 2.6.4.
    if groups.len() > 65536 || groups.iter().any(|&gid| !facts.gid_map.contains(gid)) {
        return Err(Errno::INVAL);
    }
    state.groups = groups.to_vec();
    state.groups.sort_unstable();
    Ok(())
}

/// setresuid(2), and capabilities(7) "Effect of user ID changes on capabilities".
fn set_res_uid(facts: &Facts, state: &mut Credentials, uid: u32) -> Result<(), Errno> {
    if !facts.uid_map.contains(uid) {
        return Err(Errno::INVAL);
    }
    if !state.uid.has(uid) {
        require(state, Capability::SETUID)?;
    }
    let old = state.uid;
    changed_credentials(state, |state| state.uid = Ids::all(uid));
    if state.securebits.has(Securebits::NO_SETUID_FIXUP) {
        return Ok(());
    }
    if old.has(0) && uid != 0 {
        if !state.securebits.has(Securebits::KEEP_CAPS) {
            state.permitted = CapSet::EMPTY;
            state.effective = CapSet::EMPTY;
        }
        // Ambient capabilities go even when the permitted ones are kept.
        state.ambient = CapSet::EMPTY;
    }
    if old.effective == 0 && uid != 0 {
        state.effective = CapSet::EMPTY;
    }
    if old.effective != 0 && uid == 0 {
        state.effective = state.permitted;
    }
    Ok(())
}

/// capset(2) and capabilities(7), "Programmatically adjusting capability sets".
fn set_capabilities(facts: &Facts, state: &mut Credentials, sets: CapState) -> Result<(), Errno> {
    // Capabilities that the kernel does not know are passed over in silence.
    let known = CapSet::first(facts.capability_count);
    let [effective, permitted, inheritable] =
        [sets.effective, sets.permitted, sets.inheritable].map(|set| set.intersection(known));
    if !state.effective.contains(Capability::SETPCAP)
        && !inheritable.is_subset(state.inheritable.union(state.permitted))
    {
        return Err(Errno::PERM);
    }
    if !inheritable.is_subset(state.inheritable.union(state.bounding))
        || !permitted.is_subset(state.permitted)
        || !effective.is_subset(permitted)
    {
        return Err(Errno::PERM);
    }
    // prctl(2) `PR_SET_PDEATHSIG`: the kernel clears it when the permitted set gains; capset(2) can't gain.
    state.effective = effective;
    state.permitted = permitted;
    state.inheritable = inheritable;
    state.ambient = state.ambient.intersection(permitted.intersection(inheritable));
    Ok(())
}

/// A change of an effective or filesystem id clears the parent-death signal, prctl(2).
fn changed_credentials(state: &mut Credentials, change: impl FnOnce(&mut Credentials)) {
    let before = (state.uid, state.gid);
    change(state);
    if before.0.effective != state.uid.effective
        || before.1.effective != state.gid.effective
        || before.0.filesystem != state.uid.filesystem
        || before.1.filesystem != state.gid.filesystem
    {
        state.parent_death_signal = 0;
    }
}
