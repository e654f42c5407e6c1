//! The server that lives under its `Security` scope: what it is asked to be, how its services live, and what a reload
//! changes.
//!
//! [`wanted`] reads a configuration, [`changes`] compares two, [`life`] and [`accept`] say what becomes of a service's
//! processes, [`pending`] what waits for a restart. These compute: no system call and no clock is in them, time is handed
//! in. Not here: changing credentials, which crate `stepdown` does, and system calls, which are in crate `stepdown-kernel`.
#![forbid(unsafe_code)]

pub mod accept;
pub mod changes;
pub mod console;
pub mod life;
pub mod log;
pub mod options;
pub mod pending;
pub mod relay;
pub mod restart;
pub mod server;
pub mod wanted;
