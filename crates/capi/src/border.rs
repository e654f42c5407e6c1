//! The functions that C calls, and all unsafe code of this crate: pointers in, pointers out, and the names.
//!
//! `include/stepdown.h` says what each function does, who owns what, and who may call it when; that is the contract that
//! every `SAFETY` below relies on. What can be checked of a pointer is checked first: that it is not null, and
//! aligned. Handles are numbers and never followed. Nothing else happens in this file.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::mem::size_of;
use std::ptr;

use crate::calls;
use crate::guard::{self, Reports, UNCHANGED};
use crate::handles;
use crate::report;
use crate::types::{CFinding, CPlan, CScope, CState, Failure, HALF_WAY, INVALID, Outcome};

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_status_name(status: c_int) -> *const c_char {
    let name = match status {
        0 => c"ok",
        1 => c"refused",
        2 => c"half-way",
        3 => c"invalid",
        4 => c"internal",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// See the header.
///
/// # Safety
/// `path` is null or a string; `scope` is null or where a pointer can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_scope_load_file(path: *const c_char, scope: *mut *mut CScope) -> c_int {
    guard::call("stepdown_scope_load_file", Reports::Always, UNCHANGED, || {
        // SAFETY: this function's own contract.
        unsafe { give(scope, "scope", || calls::load_file(string(path, "path")?)) }
    })
}

/// See the header.
///
/// # Safety
/// `scope` is null or where a pointer can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_scope_load_default(scope: *mut *mut CScope) -> c_int {
    guard::call("stepdown_scope_load_default", Reports::Always, UNCHANGED, || {
        // SAFETY: this function's own contract.
        unsafe { give(scope, "scope", calls::load_default) }
    })
}

/// See the header.
///
/// # Safety
/// `name` is null or a string; `text` is null or `length` bytes; `scope` is null or where a pointer can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_scope_load_text(
    name: *const c_char,
    text: *const c_char,
    length: usize,
    scope: *mut *mut CScope,
) -> c_int {
    guard::call("stepdown_scope_load_text", Reports::Always, UNCHANGED, || {
        let load = || {
            // SAFETY: this function's own contract; a null name is not read.
            let name = if name.is_null() { b"(text)" } else { unsafe { string(name, "name") }? };
            // SAFETY: likewise.
            calls::load_text(name, unsafe { bytes(text, length) }?)
        };
        // SAFETY: likewise.
        unsafe { give(scope, "scope", load) }
    })
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_scope_set_on_refusal(scope: *mut CScope, on_refusal: c_int) -> c_int {
    guard::call("stepdown_scope_set_on_refusal", Reports::Always, UNCHANGED, || {
        calls::set_on_refusal(scope.addr(), on_refusal)
    })
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_scope_free(scope: *mut CScope) -> c_int {
    guard::call("stepdown_scope_free", Reports::Failure, UNCHANGED, || {
        if scope.is_null() { done() } else { handles::free_scope(scope.addr()).and_then(|()| done()) }
    })
}

/// See the header.
///
/// # Safety
/// `plan` is null or where a pointer can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_scope_plan(scope: *const CScope, plan: *mut *mut CPlan) -> c_int {
    guard::call("stepdown_scope_plan", Reports::Always, UNCHANGED, || {
        // SAFETY: this function's own contract.
        unsafe { give(plan, "plan", || calls::plan(scope.addr())) }
    })
}

/// See the header.
///
/// # Safety
/// `text` is null or where a pointer can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_plan_text(plan: *const CPlan, text: *mut *mut c_char) -> c_int {
    guard::call("stepdown_plan_text", Reports::Always, UNCHANGED, || {
        // SAFETY: this function's own contract.
        unsafe { give_text(text, || calls::plan_text(plan.addr())) }
    })
}

/// See the header.
///
/// # Safety
/// `proven` is null or where `size` bytes can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_plan_apply(plan: *mut CPlan, proven: *mut CState, size: usize) -> c_int {
    guard::call("stepdown_plan_apply", Reports::Always, HALF_WAY, || {
        if !proven.is_null() {
            structure(proven, size, "proven")?;
        }
        let (state, findings) = calls::apply(plan.addr())?;
        if !proven.is_null() {
            // SAFETY: this function's own contract; not null, aligned and large enough, as was just seen.
            unsafe { store(proven, size, state) };
        }
        Ok(((), findings))
    })
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_plan_free(plan: *mut CPlan) -> c_int {
    guard::call("stepdown_plan_free", Reports::Failure, UNCHANGED, || {
        if plan.is_null() { done() } else { handles::free_plan(plan.addr()).and_then(|()| done()) }
    })
}

/// See the header.
///
/// # Safety
/// `state` is null or where `size` bytes can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_state_read(state: *mut CState, size: usize) -> c_int {
    guard::call("stepdown_state_read", Reports::Always, UNCHANGED, || {
        structure(state, size, "state")?;
        let (read, findings) = calls::state()?;
        // SAFETY: this function's own contract; not null, aligned and large enough, as was just seen.
        unsafe { store(state, size, read) };
        Ok(((), findings))
    })
}

/// See the header.
///
/// # Safety
/// `groups` is null or where `capacity` numbers can be stored, `count` is null or where one can.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_state_groups(
    groups: *mut u32,
    capacity: usize,
    count: *mut usize,
) -> c_int {
    guard::call("stepdown_state_groups", Reports::Always, UNCHANGED, || {
        place(count, "count")?;
        if capacity > 0 {
            place(groups, "groups")?;
        }
        let (list, findings) = calls::groups()?;
        // SAFETY: this function's own contract; both are not null and aligned, as was just seen, and `groups` is not written
        // to where `capacity` is 0. A list is never longer than the 65536 ids that the kernel has room for.
        unsafe {
            if capacity > 0 {
                ptr::copy_nonoverlapping(list.as_ptr(), groups, list.len().min(capacity));
            }
            count.write(list.len());
        }
        Ok(((), findings))
    })
}

/// See the header.
///
/// # Safety
/// `text` is null or where a pointer can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_state_text(text: *mut *mut c_char) -> c_int {
    guard::call("stepdown_state_text", Reports::Always, UNCHANGED, || {
        // SAFETY: this function's own contract.
        unsafe { give_text(text, calls::state_text) }
    })
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_text_free(text: *mut c_char) -> c_int {
    guard::call("stepdown_text_free", Reports::Failure, UNCHANGED, || {
        if text.is_null() {
            return done();
        }
        let length = handles::free_text(text.addr())?;
        // SAFETY: the address was in the table of the texts that `give_text` has made, with this length, and has just been taken
        // out of it, so that this is the only time that it is given back.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(text.cast::<u8>(), length)) });
        done()
    })
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_error_text() -> *const c_char {
    guard::read("stepdown_error_text", c"".as_ptr(), || report::whole(true))
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_warning_text() -> *const c_char {
    guard::read("stepdown_warning_text", c"".as_ptr(), || report::whole(false))
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn stepdown_finding_count() -> usize {
    guard::read("stepdown_finding_count", 0, report::count)
}

/// See the header.
///
/// # Safety
/// `finding` is null or where `size` bytes can be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepdown_finding_get(number: usize, finding: *mut CFinding, size: usize) -> c_int {
    guard::call("stepdown_finding_get", Reports::Never, UNCHANGED, || {
        structure(finding, size, "finding")?;
        let Some(found) = report::finding(number) else {
            return Err(Failure { status: INVALID, findings: Vec::new() });
        };
        // SAFETY: this function's own contract; not null, aligned and large enough, as was just seen.
        unsafe { store(finding, size, found) };
        done()
    })
}

fn done() -> Outcome<()> {
    Ok(((), Vec::new()))
}

/// Whether something can be stored there, as far as that can be seen.
fn place<T>(to: *mut T, name: &str) -> Result<(), Failure> {
    if to.is_null() {
        return Err(Failure::invalid("null-pointer", format!("{name} is a null pointer"), "see stepdown.h"));
    }
    if !to.is_aligned() {
        return Err(Failure::invalid("not-aligned", format!("{name} is not aligned"), "see stepdown.h"));
    }
    Ok(())
}

/// The same for a structure; callers of a later version know a longer one.
fn structure<T>(to: *mut T, size: usize, name: &str) -> Result<(), Failure> {
    place(to, name)?;
    if size < size_of::<T>() || isize::try_from(size).is_err() {
        let message = format!("{size} is not the size of {name}, which has {} bytes", size_of::<T>());
        return Err(Failure::invalid("wrong-size", message, "give its sizeof"));
    }
    Ok(())
}

/// Stores a handle or a null pointer.
///
/// # Safety
/// `to` is null or where a pointer can be stored.
unsafe fn give<T>(to: *mut *mut T, name: &str, make: impl FnOnce() -> Outcome<usize>) -> Outcome<()> {
    place(to, name)?;
    // SAFETY: the contract; not null and aligned.
    unsafe { to.write(ptr::null_mut()) };
    let (number, findings) = make()?;
    // SAFETY: as before. The pointer is a number that nobody follows.
    unsafe { to.write(ptr::without_provenance_mut(number)) };
    Ok(((), findings))
}

/// Stores a text that the caller owns, or a null pointer.
///
/// # Safety
/// `to` is null or where a pointer can be stored.
unsafe fn give_text(to: *mut *mut c_char, make: impl FnOnce() -> Outcome<String>) -> Outcome<()> {
    place(to, "text")?;
    // SAFETY: the contract; not null and aligned.
    unsafe { to.write(ptr::null_mut()) };
    let (text, findings) = make()?;
    let bytes: Box<[u8]> = report::string(&text).into_bytes_with_nul().into();
    let length = bytes.len();
    let text = Box::into_raw(bytes).cast::<u8>();
    handles::add_text(text.addr(), length);
    // SAFETY: as before.
    unsafe { to.write(text.cast()) };
    Ok(((), findings))
}

/// The bytes of a string.
///
/// # Safety
/// `from` is null or a string, and stays one for the time of the call.
unsafe fn string<'a>(from: *const c_char, name: &str) -> Result<&'a [u8], Failure> {
    place(from.cast_mut(), name)?;
    // SAFETY: the contract; not null.
    Ok(unsafe { CStr::from_ptr(from) }.to_bytes())
}

/// Bytes, however they end.
///
/// # Safety
/// `from` is null or `length` bytes, and stays that for the time of the call.
unsafe fn bytes<'a>(from: *const c_char, length: usize) -> Result<&'a [u8], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    place(from.cast_mut(), "text")?;
    if isize::try_from(length).is_err() {
        let message = format!("{length} is not the length of a text");
        return Err(Failure::invalid("wrong-size", message, "give its length in bytes"));
    }
    // SAFETY: the contract; not null, and not longer than anything can be.
    Ok(unsafe { std::slice::from_raw_parts(from.cast(), length) })
}

/// Stores a structure, and zeroes behind it where the caller knows a longer one.
///
/// # Safety
/// `to` is aligned, and `size` bytes can be stored there, no fewer than a `T` has.
unsafe fn store<T: Copy>(to: *mut T, size: usize, value: T) {
    // SAFETY: the contract; what is behind the structure has `size` less its own size.
    unsafe {
        to.write(value);
        to.add(1).cast::<u8>().write_bytes(0, size - size_of::<T>());
    }
}
