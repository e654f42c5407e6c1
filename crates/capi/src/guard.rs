//! Lets no panic pass into the program that called, and turns what a call comes to into a status and a report.
//!
//! A panic is a bug. It is caught, its words go into the report and not to standard error, and the caller gets a status
//! that says as much as is known about the process. This takes a build that unwinds: profile `capi`.

use std::cell::RefCell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

use stepdown::conf::{Cause, Finding};

use crate::report;
use crate::types::{Failure, INTERNAL, OK, Outcome};

/// When the report of the thread is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reports {
    /// Whatever comes of the call.
    Always,
    /// Where it fails.
    Failure,
    /// Never.
    Never,
}

/// Makes a call of the function with that name; its status. Should it panic, the status is `panicked`.
pub(crate) fn call(
    name: &'static str,
    reports: Reports,
    panicked: c_int,
    work: impl FnOnce() -> Outcome<()>,
) -> c_int {
    let outcome = caught(name, work).unwrap_or_else(|words| {
        let finding =
            Finding::error("panic", Cause::Text, format!("a bug of the library in {name}: {words}"))
                .because("something happened that was taken for impossible")
                .hint("please report it, with this text");
        Err(Failure { status: panicked, findings: vec![finding] })
    });
    let (status, findings) = match outcome {
        Ok(((), findings)) => (OK, findings),
        Err(failure) => (failure.status, failure.findings),
    };
    if reports == Reports::Always || reports == Reports::Failure && status != OK {
        // Should even this panic, the status still is the answer.
        let _ = caught("", || report::replace(status, &findings));
    }
    status
}

/// Reads something; should that panic, `otherwise`.
pub(crate) fn read<T>(name: &'static str, otherwise: T, work: impl FnOnce() -> T) -> T {
    caught(name, work).unwrap_or(otherwise)
}

/// The status of a function that must have changed nothing, should it panic.
pub(crate) const UNCHANGED: c_int = INTERNAL;

fn caught<T>(name: &'static str, work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    // The standard library is this library's own copy: nobody else's panics come here.
    HOOK.call_once(|| {
        set_hook(Box::new(|panic| {
            let _ = WORDS.try_with(|words| *words.borrow_mut() = panic.to_string());
        }));
    });
    catch_unwind(AssertUnwindSafe(|| {
        crafted(name);
        work()
    }))
    .map_err(|_| WORDS.try_with(RefCell::take).unwrap_or_default())
}

thread_local! {
    static WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// In a build for the tests, a panic in the function that the environment names.
#[cfg(stepdown_panic)]
fn crafted(name: &'static str) {
    if std::env::var_os("STEPDOWN_PANIC").is_some_and(|value| value == name) {
        panic!("crafted for the tests");
    }
}

#[cfg(not(stepdown_panic))]
fn crafted(_: &'static str) {}
