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

pub mod accounts;
pub mod child;
pub mod clock;
pub mod descriptors;
mod etc;
pub mod events;
pub mod exec;
pub mod files;
mod getent;
pub mod host;
pub mod limits;
pub mod memory;
pub mod namespaces;
pub mod notify;
pub mod observe;
pub mod output;
mod parent;
pub mod peer;
pub mod perform;
pub mod pidfile;
pub mod processes;
pub mod program;
pub mod reap;
pub mod replace;
pub mod signals;
pub mod sockets;
pub mod start;
pub mod subject;
mod sys;
pub mod terminal;
pub mod threads;
pub mod trust;
pub mod warden;

use stepdown_security::errno::Errno;

/// The error number behind an error of the standard library; EIO where it has none.
#[must_use]
pub fn errno_of(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}
