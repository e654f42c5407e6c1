//! What services leave behind: processes of a session whose leader has ended, which would keep its sockets.
//!
//! They are told to finish, have the service's time, and are killed. Orphans become children of this process, so that their end is
//! noticed and nobody is waited for longer than needed; it also shows those that have left the group of their leader, where there is a
//! `/proc` to look into. Sources: setsid(2), kill(2), prctl(2) `PR_SET_CHILD_SUBREAPER`. Not for: processes that have left the
//! session, as daemons do.

use std::ffi::c_int;
use std::time::Duration;

use stepdown_kernel::warden::Warden;
use stepdown_kernel::{reap, signals};

use super::Server;
use super::processes::Processes;
use crate::life::Millis;

/// The sessions that are left behind.
#[derive(Debug, Default)]
pub(super) struct Remnants {
    sessions: Vec<Remnant>,
}

#[derive(Debug)]
struct Remnant {
    session: u32,
    /// When what is left is killed; none once it was.
    kill_at: Option<Millis>,
    /// Those outside of the leader's group that were told to finish: to be told twice is to some programs to be pressed.
    told: Vec<u32>,
}

impl Remnants {
    /// When somebody has to be killed.
    pub(super) fn deadline(&self) -> Option<Millis> {
        self.sessions.iter().filter_map(|remnant| remnant.kill_at).min()
    }

    /// Whether there is anybody who has not been killed.
    pub(super) fn are_waited_for(&self) -> bool {
        self.deadline().is_some()
    }

    /// Tells a new warden of them.
    pub(super) fn tell(&self, warden: &Warden, now: Millis) {
        for remnant in &self.sessions {
            let left = remnant.kill_at.map_or(0, |at| at.saturating_sub(now));
            let _ = warden.watch(remnant.session, Duration::from_millis(left));
        }
    }
}

impl Remnant {
    /// Signals everybody: the group of the leader if `group`, and the others that are known. Whether there is anybody.
    fn signal(&mut self, processes: &Processes, signal: c_int, group: bool) -> bool {
        let to_group = if group { signal } else { 0 };
        let mut anybody = matches!(reap::signal_group(self.session, to_group), Ok(true));
        for orphan in reap::children().unwrap_or_default() {
            let of = reap::group_of(orphan);
            if processes.is_known(orphan)
                || of == Some(self.session)
                || reap::session_of(orphan) != Some(self.session)
            {
                continue;
            }
            anybody = true;
            if signal == signals::TERM && self.told.contains(&orphan) {
                continue;
            }
            self.told.push(orphan);
            // With its own group, which is a job of the leader's.
            if let Some(of) = of {
                let _ = reap::signal_group(of, signal);
            }
        }
        anybody
    }
}

impl Server {
    /// The leader of a session has ended: whoever it left behind has to end as well.
    pub(super) fn leave_nobody(&mut self, session: u32, kill_at: Millis) {
        let mut remnant = Remnant { session, kill_at: Some(kill_at), told: Vec::new() };
        if remnant.signal(&self.processes, signals::TERM, true) {
            self.remnants.sessions.push(remnant);
        } else {
            self.forget(session);
        }
    }

    /// Somebody who was left behind has ended, and may have been the last, or have left others behind in turn.
    pub(super) fn look_at_remnants(&mut self) {
        let mut sessions = std::mem::take(&mut self.remnants.sessions);
        sessions.retain_mut(|remnant| {
            let signal = if remnant.kill_at.is_some() { signals::TERM } else { signals::KILL };
            let anybody = remnant.signal(&self.processes, signal, remnant.kill_at.is_none());
            if !anybody {
                self.forget(remnant.session);
            }
            anybody
        });
        self.remnants.sessions = sessions;
        self.state_changed = true;
    }

    /// Kills those whose time is over.
    pub(super) fn end_remnants(&mut self, now: Millis) {
        if self.remnants.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for remnant in &mut self.remnants.sessions {
            if remnant.kill_at.is_some_and(|at| at <= now) {
                remnant.kill_at = None;
            }
        }
        self.look_at_remnants();
    }

    fn forget(&self, session: u32) {
        if let Some(warden) = &self.warden {
            let _ = warden.forget(session);
        }
    }
}
