//! The bytes of a file, to its end.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;

/// The largest file that is read, in bytes.
pub(crate) const LIMIT: u64 = 64 << 20;

/// Reads a file of the system, such as `/etc/passwd`, whole or not at all. What is not UTF-8 in it is replaced.
pub(crate) fn text(path: &CStr) -> rustix::io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let bytes = to_end(&file, 2048, None)?;
    // A FIFO that nobody writes to has ended as well.
    if bytes.is_empty() && !FileType::from_raw_mode(fstat(&file)?.st_mode).is_file() {
        return Err(Errno::INVAL);
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Reads from the descriptor to its end, beginning with room for `room` bytes; more than [`LIMIT`] is EFBIG. Those are fewer
/// calls than the standard library makes, which counts for a program that reads five small files and is gone. What was found
/// with the size that was `expected`, and has more room, has ended there.
pub(crate) fn to_end(file: &OwnedFd, room: usize, expected: Option<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = vec![0; room.max(512)];
    let mut length = 0;
    while length as u64 <= LIMIT {
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
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    if length as u64 > LIMIT {
        return Err(Errno::FBIG);
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn of(path: &std::path::Path) -> rustix::io::Result<String> {
        text(&alloc::ffi::CString::new(path.as_os_str().as_bytes()).unwrap())
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let place = std::env::temp_dir().join(std::format!("stepdown-read-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let (large, fifo, empty) = (place.join("large"), place.join("fifo"), place.join("empty"));
        let file = std::fs::File::create(&large).unwrap();
        file.set_len(LIMIT).unwrap();
        assert_eq!(of(&large).map(|text| text.len() as u64), Ok(LIMIT));
        file.set_len(LIMIT + 1).unwrap();
        assert_eq!(of(&large), Err(Errno::FBIG));
        // Nobody writes to it, and nobody is waited for.
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert_eq!(of(&fifo), Err(Errno::INVAL));
        std::fs::File::create(&empty).unwrap();
        assert_eq!(of(&empty).as_deref(), Ok(""));
        std::fs::remove_dir_all(place).unwrap();
    }
}
