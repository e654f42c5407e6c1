//! The rules of setuid(2), setreuid(2), setresuid(2), setfsuid(2) and of the same calls for groups, and of
//! capabilities(7), "Effect of user ID changes on capabilities".
//!
//! The arguments are the system calls' own; [`UNCHANGED`] is the -1 that leaves an id as it is. Not for: what a change
//! of credentials does besides, which [`crate::rules`] adds.

use crate::capability::{CapSet, Capability};
use crate::credentials::{Credentials, Facts, Ids, Securebits};
use crate::errno::Errno;
use crate::rule::Rule;

/// The argument that leaves an id as it is: -1. It is no id.
pub const UNCHANGED: u32 = u32::MAX;

/// Whose ids a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of the user: `CAP_SETUID`, and the capability sets follow.
    User,
    /// Those of the group: `CAP_SETGID`.
    Group,
}

/// setuid(2), setgid(2).
pub(crate) fn set(facts: &Facts, state: &mut Credentials, kind: Kind, id: u32) -> Result<(), Errno> {
    exists(facts, kind, id)?;
    let old = *kind.of(state);
    let mut new = old;
    new.effective = id;
    if Rule::SetIdPrivileged.when(kind.may(state)) {
        (new.real, new.saved) = (id, id);
    } else if Rule::SetIdChoice.when(id != old.real && id != old.saved) {
        return Err(Errno::PERM);
    }
    change(state, kind, new);
    Ok(())
}

/// setreuid(2), setregid(2).
pub(crate) fn set_re(
    facts: &Facts,
    state: &mut Credentials,
    kind: Kind,
    real: u32,
    effective: u32,
) -> Result<(), Errno> {
    for id in [real, effective].into_iter().filter(|&id| id != UNCHANGED) {
        exists(facts, kind, id)?;
    }
    let (old, may) = (*kind.of(state), kind.may(state));
    let mut new = old;
    if real != UNCHANGED {
        if Rule::ReRealChoice.when(real != old.real && real != old.effective && !may) {
            return Err(Errno::PERM);
        }
        new.real = real;
    }
    if effective != UNCHANGED {
        if Rule::ReEffectiveChoice.when(!old.has(effective) && !may) {
            return Err(Errno::PERM);
        }
        new.effective = effective;
    }
    if Rule::ReSavedWithReal.when(real != UNCHANGED)
        || Rule::ReSavedWithEffective.when(effective != UNCHANGED && effective != old.real)
    {
        new.saved = new.effective;
    }
    change(state, kind, new);
    Ok(())
}

/// setresuid(2), setresgid(2): real, effective, saved.
pub(crate) fn set_res(
    facts: &Facts,
    state: &mut Credentials,
    kind: Kind,
    ids: [u32; 3],
) -> Result<(), Errno> {
    for id in ids.into_iter().filter(|&id| id != UNCHANGED) {
        exists(facts, kind, id)?;
    }
    let old = *kind.of(state);
    let same = |id: u32, old: u32| id == UNCHANGED || id == old;
    let in_place = same(ids[0], old.real)
        && same(ids[1], old.effective)
        && same(ids[2], old.saved)
        && (ids[1] == UNCHANGED || old.effective == old.filesystem);
    if Rule::ResInPlace.when(facts.features.setres_keeps_filesystem && in_place) {
        return Ok(());
    }
    let foreign = ids.into_iter().any(|id| id != UNCHANGED && !old.has(id));
    if Rule::ResChoice.when(foreign && !kind.may(state)) {
        return Err(Errno::PERM);
    }
    let pick = |id: u32, old: u32| if id == UNCHANGED { old } else { id };
    let new = Ids {
        real: pick(ids[0], old.real),
        effective: pick(ids[1], old.effective),
        saved: pick(ids[2], old.saved),
        ..old
    };
    change(state, kind, new);
    Ok(())
}

/// setfsuid(2), setfsgid(2), which never fail.
pub(crate) fn set_filesystem(facts: &Facts, state: &mut Credentials, kind: Kind, id: u32) {
    let old = *kind.of(state);
    let chosen = old.has(id) || old.filesystem == id || kind.may(state);
    if exists(facts, kind, id).is_err() || Rule::FilesystemChoice.when(!chosen) {
        return;
    }
    kind.of(state).filesystem = id;
    if kind == Kind::Group || Rule::NoFixup.when(state.securebits.has(Securebits::NO_SETUID_FIXUP)) {
        return;
    }
    if Rule::FilesystemLeavesRoot.when(old.filesystem == 0 && id != 0) {
        state.effective = state.effective.difference(OF_FILES);
    }
    if Rule::FilesystemBecomesRoot.when(old.filesystem != 0 && id == 0) {
        state.effective = state.effective.union(state.permitted.intersection(OF_FILES));
    }
}

pub(crate) fn exists(facts: &Facts, kind: Kind, id: u32) -> Result<(), Errno> {
    let map = match kind {
        Kind::User => &facts.uid_map,
        Kind::Group => &facts.gid_map,
    };
    if Rule::IdExists.when(!map.contains(id)) { Err(Errno::INVAL) } else { Ok(()) }
}

impl Kind {
    /// The ids of this kind.
    pub(crate) fn of(self, state: &mut Credentials) -> &mut Ids {
        match self {
            Kind::User => &mut state.uid,
            Kind::Group => &mut state.gid,
        }
    }

    fn may(self, state: &Credentials) -> bool {
        state.effective.contains(match self {
            Kind::User => Capability::SETUID,
            Kind::Group => Capability::SETGID,
        })
    }
}

/// The capabilities that go and come with a filesystem user id of 0: chown, dac_override, dac_read_search, fowner,
/// fsetid, linux_immutable, mknod and mac_override.
const OF_FILES: CapSet = CapSet::from_bits(0b1_1111 | 1 << 9 | 1 << 27 | 1 << 32);

/// Takes over the ids, the effective one for the filesystem too, and has the capability sets follow.
fn change(state: &mut Credentials, kind: Kind, mut new: Ids) {
    let old = *kind.of(state);
    if Rule::FilesystemFollows.when(true) {
        new.filesystem = new.effective;
    }
    *kind.of(state) = new;
    if kind == Kind::Group || Rule::NoFixup.when(state.securebits.has(Securebits::NO_SETUID_FIXUP)) {
        return;
    }
    if old.has(0) && !new.has(0) {
        let kept = Rule::KeepCaps.when(state.securebits.has(Securebits::KEEP_CAPS));
        if Rule::LeavingRootClears.when(!kept) {
            state.permitted = CapSet::EMPTY;
            state.effective = CapSet::EMPTY;
        }
        if Rule::LeavingRootClearsAmbient.when(true) {
            state.ambient = CapSet::EMPTY;
        }
    }
    if Rule::LeavingEffectiveRoot.when(old.effective == 0 && new.effective != 0) {
        state.effective = CapSet::EMPTY;
    }
    if Rule::BecomingEffectiveRoot.when(old.effective != 0 && new.effective == 0) {
        state.effective = state.permitted;
    }
}
