//! The rules of execve(2) for credentials, as a pure function.
//!
//! Source: capabilities(7) "Transformation of capabilities during execve()", "Safety checking for
//! capability-dumb binaries", "Capabilities and execution of programs by root"; execve(2) on set-user-id and
//! set-group-id; prctl(2) `PR_SET_NO_NEW_PRIVS`; mount(8) `nosuid`. Where the pages are silent, the kernel's
//! own behaviour is stated beside the rule. Each is listed in [`crate::rule`].
//!
//! Not for: processes that share their memory or are traced, whose ids execve(2) also takes back; and what comes before
//! credentials, such as whether the file may be executed at all.

mod attribute;

use alloc::string::String;
use core::fmt;

use crate::capability::CapSet;
use crate::credentials::{Credentials, Dumpable, Facts, Ids, Securebits};
use crate::errno::Errno;
use crate::rule::Rule;
use crate::rules::{Committed, committed};
pub use attribute::Attribute;

/// What of a program file decides about credentials.
///
/// For a script this is the file that is finally executed, its interpreter: the kernel ignores set-id bits
/// and capabilities of the script itself, execve(2) "Interpreter scripts".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFile {
    /// What the file is called, for messages.
    pub path: String,
    /// Its owner.
    pub owner: u32,
    /// Its group.
    pub group: u32,
    /// Whether it has the set-user-id bit.
    pub set_user_id: bool,
    /// Whether it has the set-group-id bit and is executable by its group.
    pub set_group_id: bool,
    /// Its capabilities, setcap(8), if any that count in this user namespace.
    pub capabilities: Option<FileCapabilities>,
    /// Whether its mount ignores set-id bits and capabilities (`nosuid`).
    pub nosuid: bool,
}

/// The capabilities of a file, capabilities(7) "File capabilities" (`security.capability`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCapabilities {
    /// Given to whoever executes the file, within the bounding set.
    pub permitted: CapSet,
    /// Kept from the thread's own inheritable set.
    pub inheritable: CapSet,
    /// Whether the program gets them effective: such a program is refused where some are missing.
    pub effective: bool,
}

/// What execve(2) makes of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The credentials of the program that runs then.
    pub credentials: Credentials,
    /// Whether it is dumpable.
    pub dumpable: Dumpable,
    /// Whether it is a secure execution, getauxval(3) `AT_SECURE`: the loader then ignores `LD_PRELOAD` and the like.
    pub secure: bool,
}

/// The state after execve(2) of `file` from `from`.
///
/// # Errors
/// `EPERM` for a file with the effective bit whose permitted capabilities the bounding set does not allow.
pub fn predict_execve(facts: &Facts, from: &Credentials, file: &ProgramFile) -> Result<Credentials, Errno> {
    predict_execution(facts, from, file).map(|execution| execution.credentials)
}

/// As [`predict_execve`], with what else can be seen of it.
///
/// # Errors
/// As [`predict_execve`].
pub fn predict_execution(facts: &Facts, from: &Credentials, file: &ProgramFile) -> Result<Execution, Errno> {
    let (mut effective_uid, mut effective_gid) = ids_of_bits(facts, from, file);

    let hidden = Rule::NosuidCapabilities.when(file.nosuid);
    // A nosuid mount hides the file's capabilities; no_new_privs does not, it only takes the gain away below.
    let capabilities = if hidden { None } else { file.capabilities };
    let (mut permitted, mut effective) = match capabilities {
        None => (CapSet::EMPTY, false),
        Some(capabilities) => of_capabilities(facts, from, capabilities)?,
    };

    // User 0, real or effective, gets all of the bounding set and of what it inherits, unless SECBIT_NOROOT.
    let mixed = Rule::SetUserIdRootWithCapabilities
        .when(capabilities.is_some() && effective_uid == 0 && from.uid.real != 0);
    if !Rule::NoRoot.when(from.securebits.has(Securebits::NOROOT)) && !mixed {
        if Rule::EffectiveRoot.when(effective_uid == 0) || Rule::RealRoot.when(from.uid.real == 0) {
            permitted = from.bounding.union(from.inheritable);
        }
        if Rule::RootEffective.when(effective_uid == 0) {
            effective = true;
        }
    }

    let changed = ids_changed(facts, from, effective_uid, effective_gid);
    // With no_new_privs ids go back to the real ones, and no capability is gained.
    if from.no_new_privs && (changed || !permitted.is_subset(from.permitted)) {
        if Rule::NoNewPrivsIds.when(true) {
            (effective_uid, effective_gid) = (from.uid.real, from.gid.real);
        }
        if Rule::NoNewPrivsPermitted.when(true) {
            permitted = permitted.intersection(from.permitted);
        }
    }
    let mut state = from.clone();
    state.uid = ids_after(from.uid, effective_uid);
    state.gid = ids_after(from.gid, effective_gid);

    // A file with capabilities, or a changed id, empties the ambient set.
    if Rule::AmbientFile.when(capabilities.is_some()) || Rule::AmbientIds.when(changed) {
        state.ambient = CapSet::EMPTY;
    }
    state.permitted = permitted;
    if Rule::AmbientPermittedAfter.when(true) {
        state.permitted = permitted.union(state.ambient);
    }
    state.effective = if effective {
        state.permitted
    } else if Rule::AmbientEffective.when(true) {
        state.ambient
    } else {
        CapSet::EMPTY
    };
    if Rule::KeepCapsCleared.when(true) {
        state.securebits = from.securebits.without(Securebits::KEEP_CAPS);
    }

    let gained = from.uid.real != 0 && (effective || !state.permitted.is_subset(state.ambient));
    let secure = Rule::SecureChange.when(changed)
        || Rule::SecureIds.when(effective_uid != from.uid.real || effective_gid != from.gid.real)
        || Rule::SecureCapabilities.when(gained);
    if Rule::SecureSignal.when(secure) {
        state.parent_death_signal = 0;
    }
    // The kernel sets dumpable twice: by the ids before, and then as for every change of credentials.
    let one = from.uid.effective == from.uid.real && from.gid.effective == from.gid.real;
    let mut dumpable =
        if Rule::ExecuteDumpable.when(one) { Dumpable::Yes } else { facts.features.suid_dumpable };
    if committed(&Committed::of(from), &mut state) {
        dumpable = facts.features.suid_dumpable;
    }
    Ok(Execution { credentials: state, dumpable, secure })
}

/// The effective ids that the file's bits ask for: they count unless the mount or no_new_privs says otherwise, and if
/// owner and group both exist here.
fn ids_of_bits(facts: &Facts, from: &Credentials, file: &ProgramFile) -> (u32, u32) {
    let (mut uid, mut gid) = (from.uid.effective, from.gid.effective);
    let ignored = Rule::NosuidBits.when(file.nosuid)
        || Rule::NoNewPrivsBits.when(from.no_new_privs)
        || Rule::OwnerExists.when(!facts.uid_map.contains(file.owner))
        || Rule::GroupExists.when(!facts.gid_map.contains(file.group));
    if !ignored && Rule::SetUserIdBit.when(file.set_user_id) {
        uid = file.owner;
    }
    if !ignored && Rule::SetGroupIdBit.when(file.set_group_id) {
        gid = file.group;
    }
    (uid, gid)
}

/// P'(permitted) = (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding)), and the effective bit.
fn of_capabilities(
    facts: &Facts,
    from: &Credentials,
    file: FileCapabilities,
) -> Result<(CapSet, bool), Errno> {
    let known = if Rule::FileUnknown.when(true) {
        CapSet::first(facts.capability_count)
    } else {
        CapSet::from_bits(u64::MAX)
    };
    let (file_permitted, file_inheritable) =
        (file.permitted.intersection(known), file.inheritable.intersection(known));
    let mut permitted = CapSet::EMPTY;
    if Rule::FilePermitted.when(true) {
        permitted = from.bounding.intersection(file_permitted);
    }
    if Rule::FileInheritable.when(true) {
        permitted = permitted.union(from.inheritable.intersection(file_inheritable));
    }
    let effective = Rule::FileEffective.when(file.effective);
    if Rule::FileRefused.when(file.effective && !file_permitted.is_subset(permitted)) {
        return Err(Errno::PERM);
    }
    Ok((permitted, effective))
}

/// Whether the kernel takes these effective ids for a change of user or group, which its kinds do not agree about.
fn ids_changed(facts: &Facts, from: &Credentials, uid: u32, gid: u32) -> bool {
    if facts.features.execve_compares_effective {
        Rule::UserChanged.when(uid != from.uid.effective)
            || Rule::GroupChanged.when(gid != from.gid.filesystem && !from.groups.contains(&gid))
    } else {
        Rule::UserChanged.when(uid != from.uid.real) || Rule::GroupChanged.when(gid != from.gid.real)
    }
}

/// execve(2): the effective id is copied to the saved and the filesystem id; the real id stays.
fn ids_after(from: Ids, effective: u32) -> Ids {
    let saved = if Rule::SavedFollows.when(true) { effective } else { from.saved };
    Ids { real: from.real, effective, saved, filesystem: effective }
}

/// As getcap(8) shows them: `cap_net_raw=ep`.
impl fmt::Display for FileCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileCapabilities { permitted, inheritable, effective } = *self;
        let mut separator = "";
        for (set, flags) in [
            (permitted.intersection(inheritable), if effective { "eip" } else { "ip" }),
            (permitted.difference(inheritable), if effective { "ep" } else { "p" }),
            (inheritable.difference(permitted), if effective { "ei" } else { "i" }),
        ] {
            if !set.is_empty() {
                write!(f, "{separator}{set}={flags}")?;
                separator = " ";
            }
        }
        if separator.is_empty() { f.write_str("(none)") } else { Ok(()) }
    }
}
