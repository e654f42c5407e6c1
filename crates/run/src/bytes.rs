//! The functions that compilers call for copying, filling and comparing bytes, which a C library would bring: memcpy(3),
//! memmove(3), memset(3), memcmp(3), bcmp(3), strlen(3).
//!
//! What is copied here is short: names, paths, lines. So there is one loop of 16 bytes a turn, and the last 16 are copied
//! once more rather than byte by byte. The empty piece of assembly in each loop keeps the compiler from seeing that
//! the loop is a memcpy, and calling it.
#![allow(unsafe_code)]

use core::arch::asm;
use core::ffi::{c_char, c_int, c_void};

type Wide = u128;
const WIDE: usize = size_of::<Wide>();

/// # Safety
/// As for memcpy(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void {
    // SAFETY: the caller promises that both are there, and they do not overlap.
    unsafe { forward(to.cast(), from.cast(), count) };
    to
}

/// # Safety
/// As for memmove(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void {
    // SAFETY: the caller promises that both are there. Each direction reads what it is about to overwrite before it does.
    unsafe {
        if (to as usize).wrapping_sub(from as usize) >= count {
            forward(to.cast(), from.cast(), count);
        } else {
            backward(to.cast(), from.cast(), count);
        }
    }
    to
}

/// # Safety
/// As for memset(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memset(to: *mut c_void, byte: c_int, count: usize) -> *mut c_void {
    let bytes: *mut u8 = to.cast();
    let value = byte as u8;
    let wide = Wide::from_ne_bytes([value; WIDE]);
    let mut done = 0;
    // SAFETY: the caller promises that `count` bytes are there; none beyond them is written.
    unsafe {
        while done + WIDE <= count {
            bytes.add(done).cast::<Wide>().write_unaligned(wide);
            done += WIDE;
            asm!("", options(nostack, preserves_flags));
        }
        while done < count {
            *bytes.add(done) = value;
            done += 1;
            asm!("", options(nostack, preserves_flags));
        }
    }
    to
}

/// # Safety
/// As for memcmp(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcmp(one: *const c_void, other: *const c_void, count: usize) -> c_int {
    let (one, other): (*const u8, *const u8) = (one.cast(), other.cast());
    let mut done = 0;
    // SAFETY: the caller promises that `count` bytes are there of both; none beyond them is read.
    unsafe {
        while done + 8 <= count {
            let (a, b) = (
                one.add(done).cast::<u64>().read_unaligned(),
                other.add(done).cast::<u64>().read_unaligned(),
            );
            if a != b {
                // The first byte counts most.
                return if a.to_be() < b.to_be() { -1 } else { 1 };
            }
            done += 8;
        }
        while done < count {
            let (a, b) = (*one.add(done), *other.add(done));
            if a != b {
                return c_int::from(a) - c_int::from(b);
            }
            done += 1;
        }
    }
    0
}

/// # Safety
/// As for bcmp(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn bcmp(one: *const c_void, other: *const c_void, count: usize) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { memcmp(one, other, count) }
}

/// # Safety
/// As for strlen(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn strlen(string: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: the caller promises that a zero comes, and nothing beyond it is read.
    unsafe {
        while *string.add(length) != 0 {
            length += 1;
            asm!("", options(nostack, preserves_flags));
        }
    }
    length
}

/// Copies from the beginning on. What is read last was read first, so that nothing is read after it was overwritten.
unsafe fn forward(to: *mut u8, from: *const u8, count: usize) {
    if count < WIDE {
        // SAFETY: as the caller promises.
        return unsafe { short(to, from, count) };
    }
    // SAFETY: at least one wide piece is there, and none goes beyond `count` bytes.
    unsafe {
        let last = from.add(count - WIDE).cast::<Wide>().read_unaligned();
        let mut done = 0;
        while done + WIDE < count {
            to.add(done).cast::<Wide>().write_unaligned(from.add(done).cast::<Wide>().read_unaligned());
            done += WIDE;
            asm!("", options(nostack, preserves_flags));
        }
        to.add(count - WIDE).cast::<Wide>().write_unaligned(last);
    }
}

/// Copies from the end on, likewise.
unsafe fn backward(to: *mut u8, from: *const u8, count: usize) {
    if count < WIDE {
        // SAFETY: as the caller promises.
        return unsafe { short(to, from, count) };
    }
    // SAFETY: at least one wide piece is there, and none begins before the first byte.
    unsafe {
        let first = from.cast::<Wide>().read_unaligned();
        let mut left = count;
        while left > WIDE {
            left -= WIDE;
            to.add(left).cast::<Wide>().write_unaligned(from.add(left).cast::<Wide>().read_unaligned());
            asm!("", options(nostack, preserves_flags));
        }
        to.cast::<Wide>().write_unaligned(first);
    }
}

/// Copies fewer bytes than a wide piece has: two pieces that may overlap, both read before either is written.
unsafe fn short(to: *mut u8, from: *const u8, count: usize) {
    macro_rules! two {
        ($piece:ty) => {{
            let last = count - size_of::<$piece>();
            let (one, other) =
                (from.cast::<$piece>().read_unaligned(), from.add(last).cast::<$piece>().read_unaligned());
            to.cast::<$piece>().write_unaligned(one);
            to.add(last).cast::<$piece>().write_unaligned(other);
        }};
    }
    // SAFETY: each piece lies within the `count` bytes that the caller promises.
    unsafe {
        match count {
            0 => {}
            1 => *to = *from,
            2..4 => two!(u16),
            4..8 => two!(u32),
            _ => two!(u64),
        }
    }
}
