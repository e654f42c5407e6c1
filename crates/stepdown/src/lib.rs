//! Start as root, serve without it: a `Security` scope applied to a process, and proven.
//!
//! [`source`] reads a configuration from files, [`prepare`] turns its scope into a plan while nothing is changed
//! yet and everything can still be refused, [`transition`] performs the plan and reads back from the kernel that it
//! led where it must, [`launch`] then executes a program.
//!
//! # Pitfalls
//!
//! - Credentials belong to threads. [`prepare::prepare`] refuses a process that has more than one.
//! - A transition that failed half-way leaves the process half-way: the only thing to do then is to exit.
//! - Everything that needs the old identity or the old root directory (files, names, sockets) has to be opened
//!   before.

pub mod launch;
pub mod prepare;
pub mod source;
pub mod transition;

pub use stepdown_conf as conf;
pub use stepdown_security as security;
