//! Start as root, serve without it: a `Security` scope applied to a process, and proven.
//!
//! # Pitfalls
//!
//! - Credentials belong to threads. [`Planned::apply`] takes all of them along, and stops the process where one fails
//!   half-way; simplest is to step down before any thread is started, and so before an asynchronous runtime is built.
//! - Everything that needs root has to be there before: sockets on privileged ports (unless `cap_net_bind_service` is
//!   retained), keys, log files, and with a new root directory everything outside of it.
//! - A transition that failed half-way leaves the process half-way. [`Error::is_unchanged`] says which it is; where it is
//!   false, exit.
//! - What is opened and not closed stays open. With a new root directory, a descriptor on a directory is refused, since it
//!   leads out.
//! - After stepping down the process is no longer dumpable, and its `/proc/self` belongs to root, until it executes another
//!   program: proc(5), prctl(2) `PR_SET_DUMPABLE`.
//! - Threads are interrupted by signal 33 (34 with musl), the C library's own for this purpose: calls such as epoll_wait(2)
//!   and nanosleep(2) may end with EINTR, once. A thread that can't be interrupted is refused, nothing having changed.
//!
//! # This process
//!
//! ```no_run
//! use std::net::TcpListener;
//! use stepdown::Security;
//!
//! let security = Security::from_file("/etc/stepdown/stepdown.conf")?;
//! let listener = TcpListener::bind("127.0.0.1:25")?;
//! let proof = security.plan()?.apply()?;
//! assert_ne!(proof.state.uid.effective, 0);
//! // Serve with `listener`.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A child
//!
//! [`CommandExt::spawn_under`] starts a program under a scope, from a process with any number of threads.
//!
//! # Another program in this process
//!
//! [`source`] reads files, [`prepare`] refuses or makes ready, [`transition`] performs and proves, [`launch`] executes:
//! the program `stepdown` is made of these. [`console`] answers questions about a configuration, [`state`] reads what
//! another process is, [`own`] what this one is, [`held`] puts either into rows.
//!
//! # Without the standard library
//!
//! With the feature `std` turned off there is what a launcher needs and no more: [`source`], [`prepare`], [`transition`],
//! [`launch`], [`report`], [`held`], [`json`], [`error`]; `no_std` with `alloc`, and no C library. `stepdown-run` is made of these.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod error;
pub mod held;
pub mod json;
pub mod launch;
pub mod prepare;
pub mod report;
pub mod source;
pub mod transition;

#[cfg(feature = "std")]
pub mod console;
#[cfg(feature = "std")]
pub mod every;
#[cfg(feature = "std")]
pub mod online;
#[cfg(feature = "std")]
pub mod own;
#[cfg(feature = "std")]
pub mod service;
#[cfg(feature = "std")]
pub mod state;

#[cfg(feature = "std")]
pub use command::CommandExt;
pub use error::Error;
#[cfg(feature = "std")]
pub use scope::{Builder, OnRefusal, Planned, Security};
pub use transition::Proof;

pub use stepdown_conf as conf;
pub use stepdown_kernel::environment::Environment;
pub use stepdown_security as security;

#[cfg(feature = "std")]
mod child;
#[cfg(feature = "std")]
mod command;
#[cfg(feature = "std")]
mod scope;
#[cfg(feature = "std")]
mod threads;
