//! The transition of a process with however many threads: all of them are taken along.
//!
//! The work is `stepdown_kernel::threads`'; a process of one thread goes the way of [`crate::transition`].

use std::time::Duration;

use stepdown_conf::Finding;
use stepdown_kernel::AsFd;
use stepdown_kernel::threads::{Around, LIMIT, take_all};

use crate::prepare::Ready;
use crate::threads;
use crate::transition::{Proof, Transition, unreadable};

/// Performs the plan of `ready` on this process and proves the state it is then in. A process that goes on itself is
/// changed in all of its threads, see [`crate::Planned::apply`].
///
/// # Errors
/// What failed, or differs from what was asked for. The process is then in an unknown state between the two and must
/// exit.
pub fn apply(ready: &Ready) -> Result<Proof, Box<Finding>> {
    apply_within(ready, LIMIT).map_err(|failure| failure.finding)
}

/// Why a process was not brought to where it was to be.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) finding: Box<Finding>,
    /// Whether it still is what it was.
    pub(crate) unchanged: bool,
}

/// As [`apply`], waiting at most so long for the other threads of the process, where it goes on itself and has any.
pub(crate) fn apply_within(ready: &Ready, limit: Duration) -> Result<Proof, Failure> {
    let transition = Transition::of(ready);
    if !ready.executes {
        let threads = ready.witness.thread_count();
        let threads = threads.map_err(|error| Failure { finding: unreadable(&error), unchanged: true })?;
        if threads > 1 {
            return apply_to_all(ready, &transition.own_descriptors(), limit)
                .map_err(|finding| Failure { finding, unchanged: true });
        }
    }
    transition.apply().map_err(|finding| Failure { finding, unchanged: false })
}

/// Takes all threads through the plan.
///
/// # Errors
/// Why it was not begun; nothing has changed.
fn apply_to_all(ready: &Ready, own: &[i32], limit: Duration) -> Result<Proof, Box<Finding>> {
    let plan = &ready.plan;
    let around = Around {
        witness: &ready.witness,
        root: ready.root.as_ref().map(AsFd::as_fd),
        own_descriptors: own,
        leave_keyring: plan.start.uid.real != plan.end.uid.real,
        limit,
        prove: true,
    };
    match take_all(plan, &around) {
        Ok(threads) => Ok(Proof {
            state: plan.end.clone(),
            threads,
            descriptors: Vec::new(),
            attempts: plan.attempts.clone(),
        }),
        Err(refused) => Err(Box::new(threads::words(&refused))),
    }
}
