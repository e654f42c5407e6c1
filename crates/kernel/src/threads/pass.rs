//! What the threads of a process have in common while they are taken through a plan, and what each of them does: it comes,
//! waits, takes every step, says so, and waits to be dismissed.
//!
//! All of it that runs in the signal handler is atomic operations and system calls, signal-safety(7). Not for: what the
//! thread does that leads the others.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use rustix::thread::futex;
use rustix::thread::{self, Gid};
use stepdown_security::credentials::{Credentials, Ids};
use stepdown_security::errno::Errno;
use stepdown_security::plan::Plan;
use stepdown_security::step::Step;

use crate::error::number_of;
use crate::sys::threads::Meeting;
use crate::{perform, sys};

use super::keyring::Keyring;

/// What is to be done, never changed once threads are invited, and where each thread is.
pub(super) struct Pass {
    steps: Vec<Step>,
    groups: Vec<Gid>,
    start: Credentials,
    end: Credentials,
    keyring: Option<Keyring>,
    prove: bool,
    pub(super) slots: Box<[Slot]>,
    /// How many threads were invited and not found to have ended.
    pub(super) invited: AtomicU32,
    arrived: AtomicU32,
    done: AtomicU32,
    phase: AtomicU32,
}

/// Where a thread is. Each is a cache line of its own, since all of them write at once.
#[repr(align(64))]
#[derive(Default)]
pub(super) struct Slot {
    pub(super) thread: AtomicU32,
    pub(super) place: AtomicU32,
    /// How often it was found to block the signal.
    pub(super) looks: AtomicU32,
    /// What failed, as [`Pass::call`] names it, and with which error number; [`NOTHING`] if all was done.
    what: AtomicU32,
    errno: AtomicI32,
}

/// It was invited.
pub(super) const INVITED: u32 = 1;
/// It is in the handler.
pub(super) const HERE: u32 = 2;
/// It is in the handler, and not in the state that the plan begins in.
pub(super) const HERE_DIFFERENT: u32 = 3;
/// It has ended.
pub(super) const GONE: u32 = 4;
/// It has taken every step, or failed to.
pub(super) const DONE: u32 = 5;

const NOTHING: u32 = u32::MAX;
const KEYRING: u32 = u32::MAX - 1;
const DEATH_SIGNAL: u32 = u32::MAX - 2;
const SECUREBITS: u32 = u32::MAX - 3;

const HOLD: u32 = 0;
const GO: u32 = 1;
const DISMISSED: u32 = 2;

/// What a call of the plan answered, by [`Pass::call`].
pub(super) type Failed = (u32, Errno);

impl Pass {
    /// With room for so many threads.
    pub(super) fn new(plan: &Plan, leave_keyring: bool, prove: bool, room: usize) -> Pass {
        let steps: Vec<Step> = plan.steps.clone();
        let zero = || AtomicU32::new(0);
        Pass {
            // There is one such step at most.
            groups: steps.iter().map(perform::groups).find(|groups| !groups.is_empty()).unwrap_or_default(),
            steps,
            start: plan.start.clone(),
            end: plan.end.clone(),
            keyring: leave_keyring.then(|| Keyring::new(&plan.start.uid)),
            prove,
            slots: (0..room).map(|_| Slot::default()).collect(),
            invited: zero(),
            arrived: zero(),
            done: zero(),
            phase: zero(),
        }
    }

    /// Whether every thread that was invited is here.
    pub(super) fn complete(&self) -> bool {
        self.arrived.load(SeqCst) >= self.invited.load(SeqCst)
    }

    /// How many are here.
    pub(super) fn arrivals(&self) -> u32 {
        self.arrived.load(SeqCst)
    }

    /// Waits until every thread that was invited is here, or for so long.
    pub(super) fn wait_for_arrivals(&self, limit: Duration) {
        let arrived = self.arrived.load(SeqCst);
        if arrived < self.invited.load(SeqCst) {
            sys::threads::wait(&self.arrived, arrived, limit);
        }
    }

    /// Whether every thread that is here is done.
    pub(super) fn all_done(&self) -> bool {
        self.done.load(SeqCst) >= self.arrived.load(SeqCst)
    }

    /// Waits until every thread that is here is done, or for so long.
    pub(super) fn wait_for_the_rest(&self, limit: Duration) {
        let done = self.done.load(SeqCst);
        if done < self.arrived.load(SeqCst) {
            sys::threads::wait(&self.done, done, limit);
        }
    }

    /// From here on there is no way back: every thread but the leading one takes its steps.
    ///
    /// # Errors
    /// What keyctl(2) answered; nobody has begun.
    pub(super) fn go(&self) -> Result<(), Errno> {
        if let Some(keyring) = &self.keyring {
            keyring.open(self.threads().count() + 1)?;
        }
        self.turn(GO, u32::MAX >> 1);
        Ok(())
    }

    /// Whether something is open to the other threads until they are done, so that the leading one takes its steps last.
    pub(super) fn is_open(&self) -> bool {
        self.keyring.as_ref().is_some_and(Keyring::is_shared)
    }

    /// Whether threads have been told to take their steps, and not yet to go on.
    pub(super) fn has_begun(&self) -> bool {
        self.phase.load(SeqCst) == GO
    }

    /// All others are done: what was open to them is closed.
    ///
    /// # Errors
    /// The call that failed.
    pub(super) fn close(&self) -> Result<(), Failed> {
        self.keyring.as_ref().map_or(Ok(()), Keyring::close).map_err(|errno| (KEYRING, errno))
    }

    /// Lets every thread leave the handler, now or when it comes. The first few are woken here, and each that leaves wakes
    /// two more: as long as any of them runs, all are woken, for they wait in one queue and not in a tree; and the calling thread
    /// need not wait for that.
    pub(super) fn dismiss(&self) {
        self.turn(DISMISSED, 4);
    }

    /// The threads that are, or were, in the slots in use, as far as they have not ended.
    pub(super) fn threads(&self) -> impl Iterator<Item = &Slot> {
        let used = self.slots.iter().take_while(|slot| slot.place.load(SeqCst) != 0);
        used.filter(|slot| slot.place.load(SeqCst) != GONE)
    }

    /// Takes every step, on the calling thread: all of them where it `leads`, and else those that are not common to all
    /// threads. Asks again for the signal that this thread gets when its parent ends.
    pub(super) fn take(
        &self,
        leads: bool,
        root: Option<std::os::fd::BorrowedFd<'_>>,
        signal: i32,
    ) -> Result<(), Failed> {
        if let Some(keyring) = &self.keyring {
            keyring.leave(leads).map_err(|errno| (KEYRING, errno))?;
        }
        for (number, step) in (0..).zip(&self.steps) {
            let common = matches!(step, Step::Chroot { .. } | Step::ChdirRoot);
            if (common && !leads) || matches!(step, Step::SetParentDeathSignal(_)) {
                continue;
            }
            perform::take(step, root, &self.groups).map_err(|errno| (number, errno))?;
        }
        if signal != 0 {
            sys::set_parent_death_signal(signal).map_err(|errno| (DEATH_SIGNAL, errno))?;
        }
        if self.prove { self.shows(signal) } else { Ok(()) }
    }

    /// Whether the calling thread is in the state that the plan ends in, as far as `/proc` does not show it.
    fn shows(&self, signal: i32) -> Result<(), Failed> {
        match sys::parent_death_signal() {
            Ok(now) if now == signal => {}
            Ok(_) => return Err((DEATH_SIGNAL, Errno(0))),
            Err(error) => return Err((DEATH_SIGNAL, error.number())),
        }
        match thread::capabilities_secure_bits() {
            Ok(bits) if bits.bits() == self.end.securebits.0 => Ok(()),
            Ok(_) => Err((SECUREBITS, Errno(0))),
            Err(error) => Err((SECUREBITS, number_of(error))),
        }
    }

    /// Whether the calling thread is in the state that the plan begins in, as far as it can be asked for in few calls.
    pub(super) fn begins(&self) -> bool {
        let start = &self.start;
        let same = |ids: &Ids, found: Result<(u32, u32, u32), Errno>| {
            found.is_ok_and(|found| found == (ids.real, ids.effective, ids.saved))
        };
        same(&start.uid, sys::user_ids())
            && same(&start.gid, sys::group_ids())
            && thread::capabilities_secure_bits().is_ok_and(|bits| bits.bits() == start.securebits.0)
            && thread::capabilities(None).is_ok_and(|sets| {
                sets.permitted.bits() == start.permitted.bits()
                    && sets.effective.bits() == start.effective.bits()
                    && sets.inheritable.bits() == start.inheritable.bits()
            })
    }

    /// The call that failed, in words.
    pub(super) fn call(&self, what: u32) -> &'static str {
        match what {
            KEYRING => "keyctl",
            DEATH_SIGNAL => "prctl(PR_SET_PDEATHSIG)",
            SECUREBITS => "prctl(PR_GET_SECUREBITS)",
            number => self.steps.get(number as usize).map_or("?", Step::call),
        }
    }

    fn turn(&self, phase: u32, wakes: u32) {
        self.phase.store(phase, SeqCst);
        let _ = futex::wake(&self.phase, futex::Flags::PRIVATE, wakes);
    }

    /// Waits until it is no longer this phase, and says which it is then.
    fn next_phase(&self, current: u32) -> u32 {
        loop {
            let phase = self.phase.load(SeqCst);
            if phase != current {
                if phase == DISMISSED {
                    let _ = futex::wake(&self.phase, futex::Flags::PRIVATE, 2);
                }
                return phase;
            }
            let _ = futex::wait(&self.phase, futex::Flags::PRIVATE, current, None);
        }
    }
}

impl Slot {
    /// What failed, once the thread is done.
    pub(super) fn failed(&self) -> Option<Failed> {
        match self.what.load(SeqCst) {
            NOTHING => None,
            what => Some((what, Errno(self.errno.load(SeqCst)))),
        }
    }
}

impl Meeting for Pass {
    fn enter(&self, ticket: u32) {
        let Some(slot) = self.slots.get(ticket as usize) else { return };
        // Who comes late finds that there is nothing to be done, also where an id was given to another thread.
        let place = if self.begins() { HERE } else { HERE_DIFFERENT };
        if slot.thread.load(SeqCst) != own_id()
            || self.phase.load(SeqCst) != HOLD
            || slot.place.compare_exchange(INVITED, place, SeqCst, SeqCst).is_err()
        {
            return;
        }
        let signal = sys::parent_death_signal();
        if self.arrived.fetch_add(1, SeqCst) + 1 == self.invited.load(SeqCst) {
            let _ = futex::wake(&self.arrived, futex::Flags::PRIVATE, 1);
        }
        if self.next_phase(HOLD) != GO {
            return;
        }
        let result = match signal {
            Ok(signal) => self.take(false, None, signal),
            Err(error) => Err((DEATH_SIGNAL, error.number())),
        };
        let (what, errno) = result.err().unwrap_or((NOTHING, Errno(0)));
        slot.errno.store(errno.0, SeqCst);
        slot.what.store(what, SeqCst);
        slot.place.store(DONE, SeqCst);
        if self.done.fetch_add(1, SeqCst) + 1 == self.arrived.load(SeqCst) {
            let _ = futex::wake(&self.done, futex::Flags::PRIVATE, 1);
        }
        self.next_phase(GO);
    }
}

/// gettid(2).
pub(super) fn own_id() -> u32 {
    thread::gettid().as_raw_nonzero().get().unsigned_abs()
}
