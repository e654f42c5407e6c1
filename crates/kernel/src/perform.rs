//! Takes the steps of a plan: one system call each, on the calling thread, as the kernel has it.
//!
//! rustix's calls are the bare ones: unlike the C library's, its setresuid(2) and the others change the calling
//! thread alone. Where it is not the only one, [`crate::threads`] has each of them take the steps. Not for: whether a
//! step makes sense (crate `security` plans), nor whether it worked (see [`crate::observe`]).

use alloc::vec::Vec;

use rustix::fd::BorrowedFd;
use rustix::process::{chdir, chroot, fchdir};
use rustix::thread::{self, CapabilitiesSecureBits, CapabilitySet, CapabilitySets, Gid, Uid};
use stepdown_security::capability::{CapSet, Capability};
use stepdown_security::errno::Errno;
use stepdown_security::step::Step;
use stepdown_security::text::CapState;
use stepdown_security::ways::Way;

use crate::error::number_of;
use crate::sys;

/// Takes one step. `root` is the directory of `Chroot`, opened before.
///
/// # Errors
/// The error number that the kernel answered with. The state is then as the page of the call says; the only step
/// of two calls, `Chroot`, may have changed the working directory.
pub fn perform(step: &Step, root: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    take(step, root, &groups(step))
}

/// The groups of a step as the kernel wants them; none where the step is another.
pub(crate) fn groups(step: &Step) -> Vec<Gid> {
    match step {
        Step::SetGroups(groups) => groups.iter().map(|&gid| Gid::from_raw(gid)).collect(),
        _ => Vec::new(),
    }
}

/// Takes one step as [`perform`] does, given its [`groups`]: by system calls and nothing else, so that it is safe in a
/// signal handler.
pub(crate) fn take(step: &Step, root: Option<BorrowedFd<'_>>, groups: &[Gid]) -> Result<(), Errno> {
    let result = match step {
        Step::SetSecurebits(bits) => {
            thread::set_capabilities_secure_bits(CapabilitiesSecureBits::from_bits_retain(bits.0))
        }
        Step::Chroot { .. } => {
            // By descriptor, so that the directory that was looked at is the one that is entered.
            let Some(root) = root else { return Err(Errno(libc::EBADF)) };
            fchdir(root).and_then(|()| chroot(c"."))
        }
        Step::ChdirRoot => chdir(c"/"),
        Step::SetGroups(_) => thread::set_thread_groups(groups),
        Step::SetResGid(gid) => {
            let gid = Gid::from_raw(*gid);
            thread::set_thread_res_gid(gid, gid, gid)
        }
        Step::DropBounding(capability) => thread::remove_capability_from_bounding_set(only(*capability)),
        Step::SetKeepCaps(keep) => thread::set_keep_capabilities(*keep),
        Step::SetResUid(uid) => {
            let uid = Uid::from_raw(*uid);
            thread::set_thread_res_uid(uid, uid, uid)
        }
        Step::SetCapabilities(state) => thread::set_capabilities(None, sets(state)),
        Step::ClearAmbient => thread::clear_ambient_capability_set(),
        Step::RaiseAmbient(capability) => {
            thread::configure_capability_in_ambient_set(only(*capability), true)
        }
        Step::SetParentDeathSignal(signal) => {
            return sys::set_parent_death_signal(*signal);
        }
        Step::SetNoNewPrivs => thread::set_no_new_privs(true),
    };
    result.map_err(number_of)
}

/// Tries a way back to privilege. It is meant to fail; where it succeeds the process has more than it should.
///
/// # Errors
/// The error number that the kernel refused it with, which is what is hoped for.
pub fn attempt(way: &Way) -> Result<(), Errno> {
    match way {
        Way::Step(step) => try_way(way, &groups(step)),
        _ => try_way(way, &[]),
    }
}

/// Tries a way as [`attempt`] does, given its groups where it is a step: by system calls and nothing else.
pub(crate) fn try_way(way: &Way, groups: &[Gid]) -> Result<(), Errno> {
    let result = match way {
        Way::Step(step) => return take(step, None, groups),
        Way::ChrootAgain => chroot(c"."),
        Way::LeaveRoot(number) => return sys::fchdir(*number),
    };
    result.map_err(number_of)
}

/// Makes root and working directory this process's own: a process that shares them (`CLONE_FS` of clone(2)) could change
/// them afterwards, and would be changed now.
///
/// # Errors
/// What unshare(2) answered.
pub fn own_directories() -> Result<(), Errno> {
    sys::unshare_directories()
}

/// Leaves the session keyring, keyrings(7): its keys are possessed by whoever has it, whatever user he becomes. Where the
/// kernel has no keys, or a filter forbids the whole call as in many containers, the program can't reach any either.
///
/// # Errors
/// What keyctl(2) answered; EIO where it reported success and the old keyring is still there.
pub fn leave_session_keyring() -> Result<(), Errno> {
    is_session_keyring(sys::new_session_keyring())
}

/// Whether the session keyring is the one that a call has answered with, if keys are in reach at all.
pub(crate) fn is_session_keyring(answer: Result<usize, Errno>) -> Result<(), Errno> {
    match (answer, sys::session_keyring()) {
        (Ok(new), Ok(now)) if new == now && new != 0 => Ok(()),
        (Err(errno), Err(other)) if out_of_reach(errno) && out_of_reach(other) => Ok(()),
        (Err(errno), _) | (Ok(_), Err(errno)) => Err(errno),
        (Ok(_), Ok(_)) => Err(Errno(libc::EIO)),
    }
}

/// Whether a call of keyctl(2) was answered as where the kernel has no keys, or a filter forbids it.
pub(crate) fn out_of_reach(errno: Errno) -> bool {
    matches!(errno.0, libc::ENOSYS | libc::EPERM)
}

fn only(capability: Capability) -> CapabilitySet {
    CapabilitySet::from_bits_retain(CapSet::only(capability).bits())
}

fn sets(state: &CapState) -> CapabilitySets {
    let set = |set: CapSet| CapabilitySet::from_bits_retain(set.bits());
    CapabilitySets {
        effective: set(state.effective),
        permitted: set(state.permitted),
        inheritable: set(state.inheritable),
    }
}
