//! The processes of a service with `Accept`: one for each connection, as many as there may be at a time.
//!
//! Pure, like [`crate::life`]. Such a process lives as long as its connection, so there is nothing to start again, and
//! nothing to replace: when the service changes, what is connected goes on, and who connects next gets what is new. When
//! it is stopped, connections have `Graceful_Timeout` to come to their end by themselves, since a program that knows
//! nothing but its standard input would be cut off by a signal; then comes SIGTERM, and soon after SIGKILL.

use std::collections::BTreeSet;

use stepdown_conf::{Severity, shown_path};

use crate::life::{Action, End, Instance, Millis, Signal, millis};
use crate::wanted::Service;

/// The time between SIGTERM and SIGKILL.
const LAST_WORDS: Millis = 2_000;

/// The connections of a service.
#[derive(Clone, Debug)]
pub struct Accepting {
    limit: usize,
    graceful: Millis,
    live: BTreeSet<Instance>,
    stopping: Option<Stopping>,
    last_instance: u64,
    failures: u64,
    last_failure: Option<String>,
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    Waiting { until: Millis },
    Told { until: Millis },
    Killed,
}

impl Accepting {
    /// A service without connections.
    #[must_use]
    pub fn new(service: &Service) -> Accepting {
        let mut accepting = Accepting {
            limit: 0,
            graceful: 0,
            live: BTreeSet::new(),
            stopping: None,
            last_instance: 0,
            failures: 0,
            last_failure: None,
        };
        accepting.retime(service);
        accepting
    }

    /// Goes by what the service says now. Connections above a lower limit stay.
    pub fn retime(&mut self, service: &Service) {
        self.limit = service.max_connections as usize;
        self.graceful = millis(service.graceful_timeout);
    }

    /// Whether there may be one more; where not, the listeners are not to be looked at, and clients wait in their backlog.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.stopping.is_none() && self.live.len() < self.limit
    }

    /// A connection was accepted: its process is to be started.
    pub fn accepted(&mut self) -> Instance {
        self.last_instance += 1;
        let id = Instance(self.last_instance);
        self.live.insert(id);
        id
    }

    /// The program could not be executed for a connection. The instance has ended with this.
    pub fn not_executed(&mut self, id: Instance, why: &str) -> Vec<Action> {
        self.ended(id, Some(format!("can't be executed: {}", shown_path(why))))
    }

    /// A connection's process ended.
    pub fn exited(&mut self, id: Instance, end: End) -> Vec<Action> {
        let failure = (!end.is_success() && self.stopping.is_none()).then(|| end.to_string());
        self.ended(id, failure)
    }

    /// No connection is to be taken any more; those that there are may come to their end.
    pub fn stop(&mut self, now: Millis) -> Vec<Action> {
        if self.live.is_empty() {
            self.stopping = Some(Stopping::Killed);
            return vec![Action::Gone];
        }
        if self.stopping.is_none() {
            self.stopping = Some(Stopping::Waiting { until: now.saturating_add(self.graceful) });
        }
        Vec::new()
    }

    /// As [`Accepting::stop`], without any time.
    pub fn kill(&mut self) -> Vec<Action> {
        if self.live.is_empty() {
            self.stopping = Some(Stopping::Killed);
            return vec![Action::Gone];
        }
        if self.stopping.replace(Stopping::Killed) == Some(Stopping::Killed) {
            return Vec::new();
        }
        self.signal_all(Signal::Kill)
    }

    /// When [`Accepting::due`] is to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        match self.stopping {
            Some(Stopping::Waiting { until } | Stopping::Told { until }) if !self.live.is_empty() => {
                Some(until)
            }
            _ => None,
        }
    }

    /// What is due.
    pub fn due(&mut self, now: Millis) -> Vec<Action> {
        if self.deadline().is_none_or(|until| until > now) {
            return Vec::new();
        }
        match self.stopping {
            Some(Stopping::Waiting { .. }) => {
                self.stopping = Some(Stopping::Told { until: now.saturating_add(LAST_WORDS) });
                self.signal_all(Signal::Term)
            }
            Some(Stopping::Told { .. }) => {
                self.stopping = Some(Stopping::Killed);
                self.signal_all(Signal::Kill)
            }
            _ => Vec::new(),
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.live.len()
    }

    /// How many there have been.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.last_instance
    }

    /// How many of their processes failed, and how the last of these did.
    #[must_use]
    pub fn failures(&self) -> (u64, Option<&str>) {
        (self.failures, self.last_failure.as_deref())
    }

    fn ended(&mut self, id: Instance, failure: Option<String>) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.live.remove(&id) {
            return actions;
        }
        if let Some(failure) = failure {
            self.failures += 1;
            // A client can make its process fail as often as it likes; each way of failing is told once.
            if self.last_failure.as_ref() != Some(&failure) {
                actions.push(Action::Say(Severity::Warning, format!("a connection's process {failure}")));
            }
            self.last_failure = Some(failure);
        }
        if self.stopping.is_some() && self.live.is_empty() {
            actions.push(Action::Gone);
        }
        actions
    }

    fn signal_all(&self, signal: Signal) -> Vec<Action> {
        self.live.iter().map(|id| Action::Signal(*id, signal)).collect()
    }
}

#[cfg(test)]
mod tests;
