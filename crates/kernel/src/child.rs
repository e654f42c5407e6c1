//! Starts a child that changes itself before it executes its program: fork(2), the change, execve(2).
//!
//! An error of the change is more than an error number, so it comes back as text, through a pipe that execve(2)
//! closes. Not for: what the change is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::sys;

/// A change that a child makes to itself. It runs between fork and exec in a process whose other threads are gone: it may
/// read files, make system calls and allocate, but take no lock.
pub trait Change: Send + Sync + 'static {
    /// Makes the change.
    ///
    /// # Errors
    /// In words, for the parent. The child then ends.
    fn make(&self) -> Result<(), String>;
}

/// Why there is no child.
#[derive(Debug)]
pub enum SpawnError {
    /// The change failed, with what it said.
    Change(String),
    /// fork(2), execve(2) or another call of the start failed.
    System(io::Error),
}

/// Starts the child of `command`, which makes the change first.
///
/// # Errors
/// See [`SpawnError`]. No program was started then.
pub fn spawn(command: &mut Command, change: impl Change) -> Result<Child, SpawnError> {
    let (from, to) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| SpawnError::System(error.into()))?;
    let to = Arc::new(File::from(to));
    // A command keeps its changes for later starts. This one is for now only, and later starts fail: without the change the
    // program would run as what this process is.
    let now = Arc::new(AtomicBool::new(true));
    let (child_to, child_now) = (Arc::clone(&to), Arc::clone(&now));
    sys::before_exec(command, move || {
        if !child_now.load(Ordering::Relaxed) {
            // A later start of the same command, which nobody made ready.
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        change.make().map_err(|words| {
            let _ = (&*child_to).write_all(words.as_bytes());
            io::Error::from_raw_os_error(libc::EPERM)
        })
    });
    let started = command.spawn();
    now.store(false, Ordering::Relaxed);
    started.map_err(|error| {
        // The child has ended, so that what it wrote is in the pipe; this process still holds the other end, and reads no
        // further than there is.
        let mut words = [0; 4096];
        match rustix::fs::fcntl_setfl(&from, rustix::fs::OFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(|()| File::from(from).read(&mut words))
        {
            Ok(length) if length > 0 => {
                SpawnError::Change(String::from_utf8_lossy(&words[..length]).into_owned())
            }
            _ => SpawnError::System(error),
        }
    })
}
