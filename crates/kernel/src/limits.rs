//! Limits of this process that a server has to raise for itself, and that the programs it starts get as they were: getrlimit(2).

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the limit was before it was raised; 0 where it was not.
static DESCRIPTORS: AtomicU64 = AtomicU64::new(0);

/// Raises the number of descriptors that this process may have open as far as it may itself. Programs that are started by
/// [`crate::start`] get the old limit: some take it as the size of a table, or can't count beyond 1024, select(2).
///
/// # Errors
/// What setrlimit(2) answered.
pub fn raise_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    DESCRIPTORS.store(limit.current.unwrap_or(0), Ordering::Relaxed);
    Ok(())
}

/// Gives a child the limit that this process was given, or as much more as it needs for `open` descriptors and a few of its own.
pub(crate) fn restore_descriptors(open: u64) -> io::Result<()> {
    match DESCRIPTORS.load(Ordering::Relaxed) {
        0 => Ok(()),
        was => {
            let maximum = getrlimit(Resource::Nofile).maximum;
            let needed = was.max(open + SPARE).min(maximum.unwrap_or(u64::MAX));
            Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })?)
        }
    }
}

/// For what a program opens itself, where it gets more sockets than the limit allows.
const SPARE: u64 = 256;
