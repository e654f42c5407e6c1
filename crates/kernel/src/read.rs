//! The bytes of a file, to its end.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};

/// What one file of the system may have, in bytes.
const LIMIT: u64 = 64 << 20;

/// Reads a file of the system, such as `/etc/passwd`, whole. What is not UTF-8 in it is replaced.
pub(crate) fn text(path: &CStr) -> rustix::io::Result<String> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let bytes = to_end(&file, 2048, None, LIMIT)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Reads from the descriptor to its end or `limit`, beginning with room for `room` bytes: fewer calls than the
/// standard library makes, which counts for a program that reads five small files and is gone. What was found with the size
/// that was `expected`, and has more room, has ended there.
pub(crate) fn to_end(
    file: &OwnedFd,
    room: usize,
    expected: Option<usize>,
    limit: u64,
) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = vec![0; room.max(512)];
    let mut length = 0;
    while (length as u64) < limit {
        if length == bytes.len() {
            bytes.resize(length * 2, 0);
        }
        match rustix::io::read(file, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => {
                length += count;
                if Some(length) == expected {
                    break;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}
