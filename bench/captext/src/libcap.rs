//! libcap as a program in C has it: cap_from_text(3), cap_to_text(3), cap_free(3). All that is unsafe here.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};

#[link(name = "cap")]
unsafe extern "C" {
    fn cap_from_text(text: *const c_char) -> *mut c_void;
    fn cap_to_text(state: *mut c_void, length: *mut isize) -> *mut c_char;
    fn cap_free(what: *mut c_void) -> c_int;
}

/// A `cap_t`.
pub struct State(NonNull<c_void>);

/// What cap_to_text(3) gave.
pub struct Text(NonNull<c_char>);

/// cap_from_text(3).
#[inline]
pub fn parse(text: &CString) -> Option<State> {
    // SAFETY: the text ends with a NUL, and is not changed.
    NonNull::new(unsafe { cap_from_text(text.as_ptr()) }).map(State)
}

/// cap_to_text(3).
#[inline]
pub fn canonical(state: &State) -> Option<Text> {
    // SAFETY: the state is one of cap_from_text's, not freed yet; the length is not asked for.
    NonNull::new(unsafe { cap_to_text(state.0.as_ptr(), null_mut()) }).map(Text)
}

impl Text {
    /// As a Rust string.
    pub fn text(&self) -> &str {
        // SAFETY: cap_to_text(3) gives a C string, which lives until it is freed.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }.to_str().expect("capability text is ASCII")
    }
}

impl Drop for State {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is cap_from_text's, and freed once.
        unsafe { cap_free(self.0.as_ptr()) };
    }
}

impl Drop for Text {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is cap_to_text's, and freed once.
        unsafe { cap_free(self.0.as_ptr().cast()) };
    }
}
