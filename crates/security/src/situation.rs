//! Where a process stands before a transition, and what is to happen after it: the input of a plan besides
//! the policy.
//!
//! Crate `kernel` reads it from Linux; everything above is computed from it.

use alloc::vec::Vec;

use crate::credentials::{Credentials, Directory, Facts};
use crate::errno::Errno;
use crate::execve::ProgramFile;

/// Where a process stands before a transition: all that a plan depends on besides the policy.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What is true of the kernel and of the user namespace.
    pub facts: Facts,
    /// The credentials now.
    pub start: Credentials,
    /// What the directory of `Chroot` turned out to be when it was opened; `None` without that option.
    pub chroot: Option<Result<Directory, Errno>>,
    /// The descriptors that the program will get, with those that are directories marked.
    pub descriptors: Vec<PassedDescriptor>,
    /// Whether a terminal among them could be typed into by the program, `dev.tty.legacy_tiocsti` of proc_sys(5).
    pub terminal_injection: bool,
}

/// A descriptor that stays open for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedDescriptor {
    /// Its number.
    pub number: i32,
    /// Whether it is a directory, which leads out of a chroot by fchdir(2).
    pub directory: bool,
    /// Whether it is a terminal.
    pub terminal: bool,
    /// Whether it is an io_uring(7), through which the kernel may act with the rights of whoever made it
    /// (`IORING_REGISTER_PERSONALITY` of io_uring_register(2)).
    pub ring: bool,
}

/// What happens when the state is reached.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// A program is executed, so what is retained has to survive execve(2). The file is known or not yet.
    Execute(Option<&'a ProgramFile>),
    /// The process goes on itself.
    Stay,
}
