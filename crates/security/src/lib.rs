//! Linux capabilities and their text. No I/O, no system calls, no `std`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod capability;
pub mod text;
