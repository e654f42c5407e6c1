//! The C library, `libstepdown`: what `include/stepdown.h` declares, over crate `stepdown`.
//!
//! The header is the contract; a program in Rust uses crate `stepdown` itself. What crosses the border is in [`border`]
//! alone, which holds all unsafe code of this crate: it turns pointers into values, calls `calls`, and stores what
//! came of it. A handle is a number in a table (`handles`), never an address. No panic passes `guard`.
//!
//! `make library` builds it and links it under the names that programs look for; `symbols.map` lists what it exports.

pub mod border;
mod calls;
mod guard;
mod handles;
mod report;
mod types;
