//! The state of this very process, at any time: before a transition, after it, or without any.
//!
//! Read from the kernel's own account, proc_pid_status(5), and needs no right. Not for other processes, which are
//! [`crate::state`]'s, and no proof: nothing is tried.

use stepdown_conf::{Cause, Finding};
use stepdown_kernel::Error;
use stepdown_kernel::observe::{Status, Witness};
use stepdown_security::credentials::Credentials;

/// What this process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The state of the calling thread.
    pub state: Credentials,
    /// How many threads there are.
    pub threads: usize,
    /// Those that hold something else than the calling one, as far as `/proc` shows it: all but securebits.
    pub others: Vec<u32>,
}

/// Looks at every thread of this process.
///
/// # Errors
/// That `/proc` is not there or can't be read, as in a root directory without one.
pub fn look() -> Result<Own, Box<Finding>> {
    let unreadable = |error: Error| {
        Box::new(
            Finding::error("no-proc", Cause::Host, format!("/proc/self can't be read: {error}"))
                .because("it is the kernel's own account of every thread, and the only one")
                .hint("mount -t proc proc /proc, in the new root directory if there is one"),
        )
    };
    let caller = Status::of_caller().map_err(unreadable)?;
    let witness = Witness::open().map_err(unreadable)?;
    let threads = witness.threads().map_err(unreadable)?;
    let same = |other: &Status| {
        // Which thread it is, and how many there were when it was read, are not what it holds.
        Status { thread: caller.thread, threads: caller.threads, ..other.clone() } == caller
    };
    let others = threads.iter().filter(|other| !same(other)).map(|other| other.thread).collect();
    let state = witness.credentials(caller.clone()).map_err(unreadable)?;
    Ok(Own { state, threads: threads.len(), others })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_sees_its_own_threads_which_all_hold_the_same() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || stopped.recv().is_err());
        let own = look().unwrap();
        assert!(own.threads >= 2 && own.others.is_empty(), "{own:?}");
        assert!(own.state.effective.is_subset(own.state.permitted));
        drop(stop);
        assert!(other.join().unwrap());
    }
}
