//! File descriptors: which the program gets, and that it gets no other.
//!
//! A descriptor that was open by accident passes through setpriv, gosu and their like; one on `/` leads out of a
//! chroot. Here every descriptor except 0, 1, 2 and those named is closed by execve(2), close_range(2), fcntl(2).

use alloc::vec;
use alloc::vec::Vec;
use core::ffi::c_int;

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use stepdown_security::credentials;
use stepdown_security::errno::Errno;
use stepdown_security::situation::PassedDescriptor;

use crate::error::number_of;
use crate::{Error, sys};

/// Opens `/dev/null` for each of the descriptors 0, 1 and 2 that is closed, as the C library does for set-id programs:
/// whatever is opened next would otherwise take its number, and the program's input or output would be that.
///
/// # Errors
/// What open(2) answered.
pub fn fill_standard() -> Result<(), Errno> {
    for number in 0..=2 {
        if sys::is_close_on_exec(number).is_err() {
            // The lowest free number is taken, which is this one. It is not closed by execve(2).
            let file = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty()).map_err(number_of)?;
            core::mem::forget(file);
        }
    }
    Ok(())
}

/// The descriptors that are passed on purpose: those of 0, 1, 2 and `named` that are open, sorted.
///
/// # Errors
/// The number of a descriptor in `named` that is not open.
pub fn passed(named: &[c_int]) -> Result<Vec<PassedDescriptor>, c_int> {
    let mut numbers = vec![0, 1, 2];
    numbers.extend_from_slice(named);
    let mut numbers = sorted(numbers);
    numbers.dedup();
    let mut list = Vec::new();
    for number in numbers {
        match sys::descriptor_kind(number) {
            Ok(kind) => {
                let terminal = kind.is_char_device() && sys::is_terminal(number);
                // What the kernel makes without a file has no kind.
                let ring = kind == FileType::Unknown && sys::is_ring(number);
                list.push(PassedDescriptor { number, directory: kind.is_dir(), terminal, ring });
            }
            // A closed standard descriptor is the parent's choice; the program is told nothing else.
            Err(_) if number <= 2 => {}
            Err(_) => return Err(number),
        }
    }
    Ok(list)
}

/// Whether the descriptor is open on a directory.
#[must_use]
pub fn is_directory(number: c_int) -> bool {
    sys::descriptor_kind(number).is_ok_and(FileType::is_dir)
}

/// Closes every descriptor above 2 but these. For a program at its very beginning: nobody in it may own any of the others.
///
/// # Errors
/// What close_range(2) answered.
pub fn close_others(kept: &[c_int]) -> Result<(), Error> {
    let kept = sorted(kept.iter().copied().filter(|number| *number > 2).collect());
    let mut first = 3;
    for number in kept {
        sys::close_range(first, number - 1)?;
        first = number + 1;
    }
    Ok(sys::close_range(first, c_int::MAX)?)
}

/// The descriptors above 2 that are open on directories, sorted.
///
/// # Errors
/// What reading `/proc/self/fd` answered.
pub fn directories_above_standard() -> Result<Vec<PassedDescriptor>, Error> {
    let listing = rustix::fs::open(c"/proc/self/fd", DIRECTORY, Mode::empty())?;
    let own = listing.as_raw_fd();
    let mut list: Vec<PassedDescriptor> = sorted(numbers(&listing)?)
        .into_iter()
        .filter(|number| *number > 2 && *number != own)
        .filter(|number| is_directory(*number))
        .map(|number| PassedDescriptor { number, directory: true, terminal: false, ring: false })
        .collect();
    // Reading the directory took a descriptor of its own, which is gone by now.
    list.retain(|descriptor| sys::is_close_on_exec(descriptor.number).is_ok());
    Ok(list)
}

/// Marks every descriptor except 0, 1, 2 and the `passed` ones to be closed by execve(2), and takes the mark off the
/// passed ones.
///
/// # Errors
/// What close_range(2) or fcntl(2) answered.
pub fn close_others_on_exec(passed: &[PassedDescriptor]) -> Result<(), Errno> {
    let mut first: u32 = 3;
    for descriptor in passed.iter().filter(|descriptor| descriptor.number > 2) {
        let number = descriptor.number.unsigned_abs();
        if number > first {
            mark(first, number - 1)?;
        }
        sys::set_close_on_exec(descriptor.number, false)?;
        first = number + 1;
    }
    mark(first, u32::MAX)
}

/// The descriptors that execve(2) would leave open now, sorted. `process` is the directory `/proc/self`, opened
/// before, or nothing where there is none: then every number is tried. `own` are descriptors of this program that are
/// known to be open.
///
/// # Errors
/// What reading the directory or fcntl(2) answered.
pub fn open_after_exec(
    process: Option<&OwnedFd>,
    passed: &[PassedDescriptor],
    own: &[c_int],
) -> Result<Vec<c_int>, Error> {
    let Some(process) = process else {
        let all = 0..sys::descriptor_bound();
        return Ok(all.filter(|&number| sys::is_close_on_exec(number).is_ok_and(|set| !set)).collect());
    };
    // Since Linux 6.2 the size of the directory is the number of open descriptors. Where that is the number of those
    // that are known, there are no others to look for.
    let count = statat(process, c"fd", AtFlags::empty())?.st_size;
    let known = passed.iter().map(|descriptor| descriptor.number).chain(own.iter().copied());
    let candidates: Vec<c_int> = if usize::try_from(count) == Ok(passed.len() + own.len()) {
        known.collect()
    } else {
        numbers(openat(process, c"fd", DIRECTORY, Mode::empty())?)?
    };
    let mut list = Vec::new();
    for number in candidates {
        match sys::is_close_on_exec(number) {
            Ok(false) => list.push(number),
            Ok(true) => {}
            // The descriptor that the listing itself took.
            Err(Errno(libc::EBADF)) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(sorted(list))
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn mark(first: u32, last: u32) -> Result<(), Errno> {
    match sys::close_on_exec_range(first, last) {
        Ok(()) => Ok(()),
        // CLOSE_RANGE_CLOEXEC came with Linux 5.11; before, one by one.
        Err(Errno(libc::ENOSYS | libc::EINVAL)) => {
            let directory =
                rustix::fs::open(c"/proc/self/fd", DIRECTORY, Mode::empty()).map_err(number_of)?;
            let own = directory.as_raw_fd();
            for number in numbers(&directory).map_err(number_of)? {
                if number != own && number.unsigned_abs() >= first && number.unsigned_abs() <= last {
                    sys::set_close_on_exec(number, true)?;
                }
            }
            Ok(())
        }
        Err(errno) => Err(errno),
    }
}

/// In order; none of them is negative.
fn sorted(numbers: Vec<c_int>) -> Vec<c_int> {
    let numbers = credentials::sorted(numbers.into_iter().map(c_int::cast_unsigned).collect());
    numbers.into_iter().map(u32::cast_signed).collect()
}

fn numbers(directory: impl AsFd) -> rustix::io::Result<Vec<c_int>> {
    let mut list = Vec::new();
    for entry in Dir::read_from(directory)? {
        if let Some(number) = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            list.push(number);
        }
    }
    Ok(list)
}
