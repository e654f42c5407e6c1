//! Start as root, serve without it: a `Security` scope applied to a process, and proven.
//!
//! # Pitfalls
//!
//! - Credentials belong to threads. [`Security::plan`] refuses a process that has more than one, naming the number: step
//!   down before any thread is started, and so before an asynchronous runtime is built.
//! - Everything that needs root has to be there before: sockets on privileged ports (unless `cap_net_bind_service` is
//!   retained), keys, log files, and with a new root directory everything outside of it.
//! - A transition that failed half-way leaves the process half-way. [`Error::is_unchanged`] says which it is; where it is
//!   false, exit.
//! - What is opened and not closed stays open. With a new root directory, a descriptor on a directory is refused, since it
//!   leads out.
//! - After stepping down the process is no longer dumpable, and its `/proc/self` belongs to root, until it executes another
//!   program: proc(5), prctl(2) `PR_SET_DUMPABLE`.
//! - The C library's own calls, such as `setuid`, change all threads; this crate's change the calling one, which is why there
//!   may be only one.
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
//! another process is.

pub mod console;
pub mod error;
pub mod launch;
pub mod online;
pub mod prepare;
pub mod report;
pub mod service;
pub mod source;
pub mod state;
pub mod transition;

pub use command::CommandExt;
pub use error::Error;
pub use scope::{Builder, Planned, Security};
pub use transition::Proof;

pub use stepdown_conf as conf;
pub use stepdown_security as security;

mod command;
mod scope;
