//! Session keyrings that have a name, so that one thread can join what another has made: keyctl(2), keyrings(7).
#![allow(unsafe_code)]

use core::ffi::CStr;

use stepdown_security::errno::Errno;

use super::{plain, raw};

/// keyctl(2) `KEYCTL_JOIN_SESSION_KEYRING` by name: the number of the keyring, which is made where there is none of that
/// name that the caller may search.
pub(crate) fn join_session_keyring(name: &CStr) -> Result<usize, Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
    // SAFETY: the operation reads a C string, which outlives the call.
    unsafe { raw::call(libc::SYS_keyctl, [KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr() as usize, 0, 0, 0]) }
}

/// keyctl(2) `KEYCTL_SETPERM`.
pub(crate) fn set_key_permissions(key: usize, permissions: u32) -> Result<(), Errno> {
    const KEYCTL_SETPERM: usize = 5;
    plain(libc::SYS_keyctl, [KEYCTL_SETPERM, key, permissions as usize, 0, 0]).map(drop)
}

/// What may be done with a key, from keyctl(2) `KEYCTL_DESCRIBE`; `None` where its answer says nothing of it.
pub(crate) fn key_permissions(key: usize) -> Result<Option<u32>, Errno> {
    const KEYCTL_DESCRIBE: usize = 6;
    let mut text = [0_u8; 128];
    let words = [KEYCTL_DESCRIBE, key, text.as_mut_ptr() as usize, text.len(), 0];
    // SAFETY: the operation writes at most so many bytes to the address.
    let length = unsafe { raw::call(libc::SYS_keyctl, words) }?;
    // "type;uid;gid;perm;description" and a NUL byte; where it is longer than the room, nothing has been written.
    let text = text.get(..length).and_then(|text| core::str::from_utf8(text).ok());
    Ok(text.and_then(|text| u32::from_str_radix(text.split(';').nth(3)?, 16).ok()))
}
