//! The part of Stepdown that talks to Linux, and the only one.
//!
//! It performs steps ([`perform`]), on every thread of a process where there are several ([`threads`]), reads the kernel's
//! own account of what came of them ([`observe`]), asks the system's name service ([`accounts`]), finds out facts of this
//! host ([`host`]), looks at program files ([`program`]), descriptors ([`descriptors`]), configuration files ([`files`])
//! and other processes ([`processes`]; as the [`subject`] of a question in the terms of its own namespace), and executes
//! ([`exec`]).
//! Not for: deciding anything. What is to be done comes as a plan of crate `stepdown-security`.
//!
//! All unsafe code of the project is in the private module `sys` and in the one below it.
//!
//! Without the feature `std`, which is on unless it is turned off, it is what a launcher needs and does without the standard and the
//! C library: the modules up to [`trust`]. With it come those of a process that lives, or that has threads.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod accounts;
pub mod descriptors;
pub mod environment;
mod error;
mod etc;
pub mod exec;
pub mod files;
mod getent;
pub mod host;
mod nsswitch;
pub mod observe;
pub mod perform;
pub mod program;
mod read;
mod scan;
pub mod standard;
mod sys;
pub mod trust;

#[cfg(feature = "std")]
pub mod child;
#[cfg(feature = "std")]
pub mod clock;
#[cfg(feature = "std")]
pub mod events;
#[cfg(feature = "std")]
pub mod limits;
#[cfg(feature = "std")]
pub mod memory;
#[cfg(feature = "std")]
pub mod namespaces;
#[cfg(feature = "std")]
pub mod notify;
#[cfg(feature = "std")]
pub mod output;
#[cfg(feature = "std")]
mod parent;
#[cfg(feature = "std")]
pub mod peer;
#[cfg(feature = "std")]
pub mod pidfile;
#[cfg(feature = "std")]
pub mod processes;
#[cfg(feature = "std")]
pub mod reap;
#[cfg(feature = "std")]
pub mod replace;
#[cfg(feature = "std")]
pub mod signals;
#[cfg(feature = "std")]
pub mod sockets;
#[cfg(feature = "std")]
pub mod start;
#[cfg(feature = "std")]
pub mod subject;
#[cfg(feature = "std")]
pub mod terminal;
#[cfg(feature = "std")]
pub mod threads;
#[cfg(feature = "std")]
pub mod warden;

pub use error::Error;
pub use rustix::fd::{AsFd, AsRawFd, OwnedFd};

/// The error number behind an error of the standard library; EIO where it has none.
#[cfg(feature = "std")]
#[must_use]
pub fn errno_of(error: &std::io::Error) -> stepdown_security::errno::Errno {
    stepdown_security::errno::Errno(error.raw_os_error().unwrap_or(libc::EIO))
}
