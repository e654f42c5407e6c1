//! The steps that a transition is made of, as data: each is one system call (or one kind of call).
//!
//! A step is read three ways: [`crate::rules::predict`] says which state it leads to, crate `kernel` does the
//! call, and [`Step`]'s `Display` says it to a person. Not for: their order, which [`crate::plan`] decides.

use alloc::vec::Vec;
use core::fmt;

use crate::capability::Capability;
use crate::credentials::{Directory, Securebits, words_of_ids};
use crate::text::{Canonical, CapState};

/// Every capability with a name, for the words of a step.
const COUNT: u8 = Capability::LAST_NAMED.number() + 1;

/// One step of a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Set the securebits flags, prctl(2) `PR_SET_SECUREBITS`.
    SetSecurebits(Securebits),
    /// Make a directory that was opened before the root directory, chroot(2).
    Chroot {
        /// Which directory that is.
        directory: Directory,
    },
    /// Make the root directory the working directory, chdir(2).
    ChdirRoot,
    /// Set the supplementary groups, setgroups(2).
    SetGroups(Vec<u32>),
    /// Set real, effective and saved group id, setresgid(2).
    SetResGid(u32),
    /// Drop a capability from the bounding set, prctl(2) `PR_CAPBSET_DROP`.
    DropBounding(Capability),
    /// Keep the permitted set over a change of user id, prctl(2) `PR_SET_KEEPCAPS`.
    SetKeepCaps(bool),
    /// Set real, effective and saved user id, setresuid(2).
    SetResUid(u32),
    /// Set the effective, permitted and inheritable sets, capset(2).
    SetCapabilities(CapState),
    /// Empty the ambient set, prctl(2) `PR_CAP_AMBIENT_CLEAR_ALL`.
    ClearAmbient,
    /// Add a capability to the ambient set, prctl(2) `PR_CAP_AMBIENT_RAISE`.
    RaiseAmbient(Capability),
    /// Have this signal sent when the parent ends, prctl(2) `PR_SET_PDEATHSIG`.
    SetParentDeathSignal(i32),
    /// Let no execve(2) give anything, prctl(2) `PR_SET_NO_NEW_PRIVS`.
    SetNoNewPrivs,
}

impl Step {
    /// The system call, as strace(1) would name it, with the operation of prctl(2).
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.documented().0
    }

    /// The page of the manual that documents the call.
    #[must_use]
    pub fn man_page(&self) -> &'static str {
        self.documented().1
    }

    fn documented(&self) -> (&'static str, &'static str) {
        match self {
            Step::SetSecurebits(_) => ("prctl(PR_SET_SECUREBITS)", "capabilities(7)"),
            Step::Chroot { .. } => ("chroot", "chroot(2)"),
            Step::ChdirRoot => ("chdir", "chdir(2)"),
            Step::SetGroups(_) => ("setgroups", "setgroups(2)"),
            Step::SetResGid(_) => ("setresgid", "setresgid(2)"),
            Step::DropBounding(_) => ("prctl(PR_CAPBSET_DROP)", "capabilities(7)"),
            Step::SetKeepCaps(_) => ("prctl(PR_SET_KEEPCAPS)", "prctl(2)"),
            Step::SetResUid(_) => ("setresuid", "setresuid(2)"),
            Step::SetCapabilities(_) => ("capset", "capset(2)"),
            Step::ClearAmbient => ("prctl(PR_CAP_AMBIENT_CLEAR_ALL)", "capabilities(7)"),
            Step::RaiseAmbient(_) => ("prctl(PR_CAP_AMBIENT_RAISE)", "capabilities(7)"),
            Step::SetParentDeathSignal(_) => ("prctl(PR_SET_PDEATHSIG)", "prctl(2)"),
            Step::SetNoNewPrivs => ("prctl(PR_SET_NO_NEW_PRIVS)", "prctl(2)"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::SetSecurebits(bits) => write!(f, "set the securebits to {bits}"),
            Step::Chroot { directory } => {
                write!(f, "make the directory of Chroot ({directory}) the root directory")
            }
            Step::ChdirRoot => f.write_str("go to the root directory"),
            Step::SetGroups(groups) => write!(f, "set the supplementary groups to {}", words_of_ids(groups)),
            Step::SetResGid(gid) => write!(f, "become group {gid} (real, effective, saved)"),
            Step::DropBounding(capability) => write!(f, "drop {capability} from the bounding set"),
            Step::SetKeepCaps(true) => f.write_str("keep the permitted capabilities over the change of user"),
            Step::SetKeepCaps(false) => f.write_str("stop keeping capabilities over a change of user"),
            Step::SetResUid(uid) => write!(f, "become user {uid} (real, effective, saved)"),
            Step::SetCapabilities(state) => {
                write!(f, "set the capabilities to `{}`", Canonical { state: *state, count: COUNT })
            }
            Step::ClearAmbient => f.write_str("empty the ambient set"),
            Step::RaiseAmbient(capability) => write!(f, "raise {capability} in the ambient set"),
            Step::SetParentDeathSignal(signal) => {
                write!(f, "ask again for signal {signal} when the parent ends, as it was asked for before")
            }
            Step::SetNoNewPrivs => f.write_str("let no later execve give anything new (no_new_privs)"),
        }
    }
}
