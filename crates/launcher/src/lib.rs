//! The command `run`, for every program that has it: `stepdown run` and `stepdown-run`.
//!
//! What is typed ([`arguments`], by the table of [`flags`]), what is done ([`run`]) and what is said ([`output`], [`proof`],
//! [`help`]) are the same in both, by being the same code; it needs neither the standard nor the C library. Not for: other
//! commands, whose place is the program `stepdown`.
#![no_std]

extern crate alloc;

pub mod arguments;
pub mod flags;
pub mod help;
pub mod output;
pub mod proof;
pub mod run;
mod status;

/// Exit status when stepdown refuses or fails, so that it is told apart from the program's own.
pub const REFUSED: u8 = 125;
