//! The functions that compilers call, against what the language says they do, for every short length and every distance.
#![allow(unsafe_code)]

#[allow(dead_code)]
#[path = "../src/bytes.rs"]
mod bytes;

use std::ffi::c_void;

const LONGEST: usize = 130;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 11 + 1) as u8).collect()
}

#[test]
fn bytes_are_copied_and_none_besides() {
    let from = pattern(LONGEST + 16);
    for length in 0..=LONGEST {
        for offset in 0..16 {
            let mut to = [0xee_u8; LONGEST + 32];
            // SAFETY: both have room for so many bytes from there on.
            let answer = unsafe {
                bytes::memcpy(to[offset..].as_mut_ptr().cast(), from[offset..].as_ptr().cast(), length)
            };
            assert_eq!(answer, to[offset..].as_mut_ptr().cast());
            assert_eq!(to[offset..offset + length], from[offset..offset + length], "{length} at {offset}");
            let others = to[..offset].iter().chain(&to[offset + length..]);
            assert!(others.copied().all(|byte| byte == 0xee), "{length} at {offset}");
        }
    }
}

#[test]
fn bytes_are_moved_however_they_overlap() {
    for length in 0..=LONGEST {
        for from in [0, 1, 2, 7, 8, 15, 16, 17, 31, 64] {
            for to in [0, 1, 2, 7, 8, 15, 16, 17, 31, 64] {
                let mut moved = pattern(LONGEST + 64);
                let mut expected = moved.clone();
                expected.copy_within(from..from + length, to);
                let start: *mut c_void = moved.as_mut_ptr().cast();
                // SAFETY: from both places on there is room for so many bytes.
                unsafe { bytes::memmove(start.byte_add(to), start.byte_add(from), length) };
                assert_eq!(moved, expected, "{length} from {from} to {to}");
            }
        }
    }
}

#[test]
fn bytes_are_filled_and_none_besides() {
    for length in 0..=LONGEST {
        for offset in 0..16 {
            let mut to = [0xee_u8; LONGEST + 32];
            // SAFETY: there is room for so many bytes from there on. The upper bits of the number are of no account.
            unsafe { bytes::memset(to[offset..].as_mut_ptr().cast(), 0x1234_5607, length) };
            assert!(to[offset..offset + length].iter().all(|byte| *byte == 7));
            assert!(to[..offset].iter().chain(&to[offset + length..]).all(|byte| *byte == 0xee));
        }
    }
}

#[test]
fn bytes_are_compared_as_numbers_without_a_sign() {
    for length in 0..=LONGEST {
        let one = pattern(length);
        // SAFETY: both have so many bytes.
        let compared = |other: &[u8]| unsafe {
            let both = (one.as_ptr().cast(), other.as_ptr().cast());
            (bytes::memcmp(both.0, both.1, length), bytes::bcmp(both.0, both.1, length))
        };
        assert_eq!(compared(&one), (0, 0));
        for at in 0..length {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut other = one.clone();
                other[at] = byte;
                // What comes behind the first difference counts for nothing.
                other[at + 1..].reverse();
                let right = one.as_slice().cmp(&other);
                let (order, difference) = compared(&other);
                assert_eq!((order.cmp(&0), difference != 0), (right, right.is_ne()), "{length} at {at}");
            }
        }
    }
}

#[test]
fn a_string_ends_at_its_first_zero() {
    for length in 0..LONGEST {
        let mut text = vec![0xff_u8; length];
        text.extend([0, 1, 0]);
        // SAFETY: there is a zero in it.
        assert_eq!(unsafe { bytes::strlen(text.as_ptr().cast()) }, length);
    }
}
