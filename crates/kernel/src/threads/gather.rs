//! Brings every thread to where it is held: who is invited, who is waited for, and who can't be reached.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use crate::errno_of;
use crate::sys::threads::Post;

use super::pass::{self, GONE, INVITED, Pass};
use super::tasks::Thread;
use super::{FIRST_PAUSE, Held, LONGEST_PAUSE, Refused, SIGNAL};

/// A thread that is found this often to block the signal, and to sleep all the same, will not come: the looks are up to
/// 50 ms apart. The C library blocks all signals for moments, around the start of a thread or a child.
const LOOKS: u32 = 12;

impl Held<'_> {
    /// Invites every thread, until the kernel counts no other than those that are here: who is held does not end, and starts none
    /// itself. What the kernel may start for it is looked for in the end.
    pub(super) fn gather(&mut self, pass: &Pass, post: &Post) -> Result<(), Refused> {
        let deadline = Instant::now() + self.around.limit;
        let (mut used, mut highest) = (0, 0);
        loop {
            let all_here = pass.complete();
            if all_here && used > 0 && self.count()? == pass.arrivals() + 1 {
                return Ok(());
            }
            let (mut listed, mut fresh, mut failed) = (0, 0, None);
            let (mut cursor, known) = (0, used);
            let own = self.own;
            let listing = self.tasks.list(|id| {
                listed += 1;
                // Threads are listed in the order they were started in: one that is known is most often the next.
                let same =
                    |slot: &pass::Slot| slot.thread.load(SeqCst) == id && slot.place.load(SeqCst) != GONE;
                if id == own {
                    return;
                }
                if pass.slots[..known].get(cursor).is_some_and(same) {
                    cursor += 1;
                    return;
                }
                if id <= highest
                    && let Some(at) = pass.slots[..known].iter().position(same)
                {
                    cursor = at + 1;
                    return;
                }
                fresh += 1;
                let Some(slot) = pass.slots.get(used) else {
                    failed = Some(Refused::TooMany);
                    return;
                };
                slot.thread.store(id, SeqCst);
                slot.place.store(INVITED, SeqCst);
                pass.invited.fetch_add(1, SeqCst);
                match post.invite(id, u32::try_from(used).unwrap_or(u32::MAX)) {
                    Ok(()) => highest = highest.max(id),
                    Err(error) => {
                        // One that ended a moment ago is not there in the next look; where too many signals are
                        // pending, others have come by then.
                        slot.place.store(GONE, SeqCst);
                        pass.invited.fetch_sub(1, SeqCst);
                        if !matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EAGAIN)) {
                            failed = Some(Refused::System("rt_tgsigqueueinfo", errno_of(&error)));
                        } else if Instant::now() >= deadline {
                            failed = Some(Refused::Absent(Thread::of(id), '?'));
                        }
                    }
                }
                used += 1;
            });
            listing.map_err(|errno| Refused::System("getdents64", errno))?;
            if let Some(failed) = failed {
                return Err(failed);
            }
            // A listing can miss a thread while another ends; the kernel's count can't.
            if all_here && fresh == 0 && self.count()? == listed {
                return Ok(());
            }
            self.wait(pass, deadline)?;
        }
    }

    /// How many threads the kernel counts.
    pub(super) fn count(&mut self) -> Result<u32, Refused> {
        match self.tasks.read(self.own) {
            Ok(account) => Ok(account.and_then(|account| account.threads()).unwrap_or(0)),
            Err(errno) => Err(Refused::System("open", errno)),
        }
    }

    /// Waits until every thread that was invited is here or has ended.
    fn wait(&mut self, pass: &Pass, deadline: Instant) -> Result<(), Refused> {
        let mut pause = FIRST_PAUSE;
        let mut late = Instant::now() >= deadline;
        while !pass.complete() {
            let before = pass.arrivals();
            pass.wait_for_arrivals(pause);
            late = Instant::now() >= deadline;
            // As long as threads come, it is the processors that the others wait for, and a look at them would take more of it.
            if pass.arrivals() != before && !late {
                continue;
            }
            for slot in pass.threads().filter(|slot| slot.place.load(SeqCst) == INVITED) {
                self.miss(pass, slot, late)?;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        // All are here, and still there are others, again and again.
        if late { Err(Refused::TooMany) } else { Ok(()) }
    }

    /// Looks after a thread that has not come yet.
    fn miss(&mut self, pass: &Pass, slot: &pass::Slot, late: bool) -> Result<(), Refused> {
        let id = slot.thread.load(SeqCst);
        let account = self.tasks.read(id).map_err(|errno| Refused::System("open", errno))?;
        let (state, blocks) =
            account.map_or(('X', false), |account| (account.state(), account.blocks(SIGNAL)));
        match state {
            // The process outlives its first thread, which then stays in the list, as what it was.
            'Z' | 'X' if id == self.first => return Err(Refused::FirstEnded),
            'Z' | 'X' => {
                if slot.place.compare_exchange(INVITED, GONE, SeqCst, SeqCst).is_ok() {
                    pass.invited.fetch_sub(1, SeqCst);
                }
                return Ok(());
            }
            'D' => {}
            // A new thread begins with all signals blocked, and may have to wait for a processor.
            'R' if blocks && !late => {}
            _ if blocks => {
                if slot.looks.fetch_add(1, SeqCst) >= LOOKS || late {
                    return Err(Refused::Blocked(self.tasks.thread(id)));
                }
            }
            _ => slot.looks.store(0, SeqCst),
        }
        if late && slot.place.load(SeqCst) == INVITED {
            return Err(Refused::Absent(self.tasks.thread(id), state));
        }
        Ok(())
    }
}
