//! What the header defines, as Rust has it: statuses, structures, and the failure of a call.
//!
//! The numbers and layouts are for ever: a field is added at the end alone, and callers say how much they know.

use std::ffi::{c_char, c_int};
use std::ptr;

use stepdown::conf::{Cause, Finding};
use stepdown::own::Own;
use stepdown::security::credentials::{Credentials, Ids};

/// `STEPDOWN_OK`
pub(crate) const OK: c_int = 0;
/// `STEPDOWN_REFUSED`
pub(crate) const REFUSED: c_int = 1;
/// `STEPDOWN_HALF_WAY`
pub(crate) const HALF_WAY: c_int = 2;
/// `STEPDOWN_INVALID`
pub(crate) const INVALID: c_int = 3;
/// `STEPDOWN_INTERNAL`
pub(crate) const INTERNAL: c_int = 4;

/// `STEPDOWN_ON_REFUSAL_ERROR`
pub(crate) const ON_REFUSAL_ERROR: c_int = 0;
/// `STEPDOWN_ON_REFUSAL_ABORT`
pub(crate) const ON_REFUSAL_ABORT: c_int = 1;

/// `STEPDOWN_CAUSE_CALLER`
pub(crate) const CAUSE_CALLER: i32 = 3;

/// What a call comes to: its value with the warnings and notes, or why not.
pub(crate) type Outcome<T> = Result<(T, Vec<Finding>), Failure>;

/// Why a call did not do what was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: c_int,
    pub(crate) findings: Vec<Finding>,
}

/// `stepdown_finding`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CFinding {
    pub(crate) code: *const c_char,
    pub(crate) message: *const c_char,
    pub(crate) why: *const c_char,
    pub(crate) hint: *const c_char,
    pub(crate) file: *const c_char,
    pub(crate) text: *const c_char,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) severity: i32,
    pub(crate) cause: i32,
}

/// `stepdown_state`
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct CState {
    user: [u32; 4],
    group: [u32; 4],
    permitted: u64,
    effective: u64,
    inheritable: u64,
    bounding: u64,
    ambient: u64,
    securebits: u32,
    no_new_privs: u32,
    groups: u32,
    threads: u32,
    others: u32,
    reserved: u32,
}

/// `stepdown_scope`; nothing is ever behind its address.
#[derive(Debug)]
#[repr(C)]
pub struct CScope {
    nothing: [u8; 0],
}

/// `stepdown_plan`, likewise.
#[derive(Debug)]
#[repr(C)]
pub struct CPlan {
    nothing: [u8; 0],
}

impl Failure {
    /// The process is as it was, and may not go where it was to go.
    pub(crate) fn refused(findings: Vec<Finding>) -> Failure {
        Failure { status: REFUSED, findings }
    }

    /// An argument can't be one.
    pub(crate) fn invalid(
        code: &'static str,
        message: impl Into<std::borrow::Cow<'static, str>>,
        hint: &'static str,
    ) -> Failure {
        // Of whatever cause; the report says that it is the caller's.
        let finding = Finding::error(code, Cause::Text, message)
            .because("the program that called the library has a bug; nothing was done")
            .hint(hint);
        Failure { status: INVALID, findings: vec![finding] }
    }
}

impl From<stepdown::Error> for Failure {
    fn from(error: stepdown::Error) -> Failure {
        let status = if error.is_unchanged() { REFUSED } else { HALF_WAY };
        Failure { status, findings: error.findings().to_vec() }
    }
}

impl From<Box<Finding>> for Failure {
    fn from(finding: Box<Finding>) -> Failure {
        Failure::refused(vec![*finding])
    }
}

impl CState {
    /// A state that every one of so many threads has.
    pub(crate) fn of_all(state: &Credentials, threads: usize) -> CState {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        CState {
            user: four(state.uid),
            group: four(state.gid),
            permitted: state.permitted.bits(),
            effective: state.effective.bits(),
            inheritable: state.inheritable.bits(),
            bounding: state.bounding.bits(),
            ambient: state.ambient.bits(),
            securebits: state.securebits.0,
            no_new_privs: state.no_new_privs.into(),
            groups: number(state.groups.len()),
            threads: number(threads),
            others: 0,
            reserved: 0,
        }
    }
}

impl From<&Own> for CState {
    fn from(own: &Own) -> CState {
        let others = u32::try_from(own.others.len()).unwrap_or(u32::MAX);
        CState { others, ..CState::of_all(&own.state, own.threads) }
    }
}

impl Default for CFinding {
    fn default() -> CFinding {
        let null = ptr::null();
        CFinding {
            code: null,
            message: null,
            why: null,
            hint: null,
            file: null,
            text: null,
            line: 0,
            column: 0,
            severity: 0,
            cause: 0,
        }
    }
}

fn four(ids: Ids) -> [u32; 4] {
    [ids.real, ids.effective, ids.saved, ids.filesystem]
}
