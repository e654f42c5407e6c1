//! The rules of execve(2) for credentials, as a pure function.
//!
//! Source: capabilities(7) "Transformation of capabilities during execve()", "Safety checking for
//! capability-dumb binaries", "Capabilities and execution of programs by root"; execve(2) on set-user-id and
//! set-group-id; prctl(2) `PR_SET_NO_NEW_PRIVS`; mount(8) `nosuid`. Where the pages are silent, the kernel's
//! own behaviour is stated beside the rule.

use alloc::string::String;
use core::fmt;

use crate::capability::CapSet;
use crate::credentials::{Credentials, Facts, Ids, Securebits};
use crate::errno::Errno;

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

/// The state after execve(2) of `file` from `from`.
///
/// # Errors
/// `EPERM` for a file with the effective bit whose permitted capabilities the bounding set does not allow.
pub fn predict_execve(facts: &Facts, from: &Credentials, file: &ProgramFile) -> Result<Credentials, Errno> {
    let mut state = from.clone();
    // Set-id bits count unless the mount or no_new_privs says otherwise, and for ids that exist here.
    let set_id_allowed = !file.nosuid
        && !from.no_new_privs
        && facts.uid_map.contains(file.owner)
        && facts.gid_map.contains(file.group);
    let mut effective_uid = from.uid.effective;
    let mut effective_gid = from.gid.effective;
    if set_id_allowed && file.set_user_id {
        effective_uid = file.owner;
    }
    if set_id_allowed && file.set_group_id {
        effective_gid = file.group;
    }

    // P'(permitted) = (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding)).
    // A nosuid mount hides the file's capabilities; no_new_privs does not, it only takes the gain away below.
    let capabilities = if file.nosuid { None } else { file.capabilities };
    let mut permitted = CapSet::EMPTY;
    let mut effective = false;
    if let Some(caps) = capabilities {
        permitted =
            from.inheritable.intersection(caps.inheritable).union(from.bounding.intersection(caps.permitted));
        effective = caps.effective;
        if caps.effective && !caps.permitted.is_subset(permitted) {
            return Err(Errno::PERM);
        }
    }

    // User 0, real or effective, gets all of the bounding set, unless SECBIT_NOROOT. A set-user-id root file
    // that also has capabilities gives those alone to others than root.
    let mixed = capabilities.is_some() && effective_uid == 0 && from.uid.real != 0;
    if !from.securebits.has(Securebits::NOROOT) && !mixed {
        if effective_uid == 0 || from.uid.real == 0 {
            permitted = from.bounding.union(from.inheritable);
        }
        if effective_uid == 0 {
            effective = true;
        }
    }

    let changed_id = effective_uid != from.uid.effective || effective_gid != from.gid.effective;
    // With no_new_privs ids go back to the real ones, and no capability is gained.
    if from.no_new_privs && (changed_id || !permitted.is_subset(from.permitted)) {
        effective_uid = from.uid.real;
        effective_gid = from.gid.real;
        permitted = permitted.intersection(from.permitted);
    }
    state.uid = ids_after(from.uid, effective_uid);
    state.gid = ids_after(from.gid, effective_gid);

    // A file with capabilities, or a changed id, empties the ambient set.
    if capabilities.is_some() || changed_id {
        state.ambient = CapSet::EMPTY;
    }
    state.permitted = permitted.union(state.ambient);
    state.effective = if effective { state.permitted } else { state.ambient };
    state.securebits = from.securebits.without(Securebits::KEEP_CAPS);
    if state.uid.effective != from.uid.effective
        || state.gid.effective != from.gid.effective
        || state.uid.filesystem != from.uid.filesystem
        || state.gid.filesystem != from.gid.filesystem
        || !state.permitted.is_subset(from.permitted)
    {
        state.parent_death_signal = 0;
    }
    Ok(state)
}

/// execve(2): the effective id is copied to the saved and the filesystem id; the real id stays.
fn ids_after(from: Ids, effective: u32) -> Ids {
    Ids { real: from.real, effective, saved: effective, filesystem: effective }
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
