//! A service as the server has it: what is wanted of it, under which policy, and how its processes live.
//!
//! Both kinds of life, one process for all and one for each connection, behind one set of questions. Not for: starting
//! anything, which is in `processes`.

use std::time::Duration;

use stepdown_conf::Finding;
use stepdown_security::policy::Policy;

use crate::accept::Accepting;
use crate::console::report::ServiceReport;
use crate::life::{Action, End, Event, Instance, Life, Millis, Notification, Settings, State};
use crate::wanted::Service as Wanted;

/// A service, by a number that is never used again: one of the same name may come while this one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ServiceId(pub(super) u64);

/// A service that runs, or is going.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) wanted: Wanted,
    /// The scope's policy, or one narrowed to what the service is to have.
    pub(super) policy: Policy,
    /// Whether it is not to be started again.
    pub(super) is_going: bool,
    conduct: Conduct,
}

#[derive(Debug)]
enum Conduct {
    Steady(Box<Life>),
    PerConnection(Accepting),
}

impl Service {
    pub(super) fn new(wanted: Wanted, policy: Policy) -> Service {
        let conduct = match wanted.accept {
            true => Conduct::PerConnection(Accepting::new(&wanted)),
            false => Conduct::Steady(Box::new(Life::new(Settings::from(&wanted)))),
        };
        Service { wanted, policy, is_going: false, conduct }
    }

    /// Whether it accepts connections itself, through the server.
    pub(super) fn accepts(&self) -> bool {
        matches!(self.conduct, Conduct::PerConnection(_))
    }

    /// Whether it would take another connection now.
    pub(super) fn has_room(&self) -> bool {
        matches!(&self.conduct, Conduct::PerConnection(accepting) if accepting.has_room())
    }

    /// A connection is there for it.
    pub(super) fn accepted(&mut self) -> Option<Instance> {
        match &mut self.conduct {
            Conduct::PerConnection(accepting) => Some(accepting.accepted()),
            Conduct::Steady(_) => None,
        }
    }

    pub(super) fn start(&mut self, now: Millis) -> Vec<Action> {
        self.steady(Event::Start, now)
    }

    /// It is what this says from now on; a process that was started otherwise is replaced.
    pub(super) fn replace(&mut self, wanted: Wanted, policy: Policy, now: Millis) -> Vec<Action> {
        self.policy = policy;
        self.wanted = wanted;
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::Replace(Settings::from(&self.wanted)), now),
            Conduct::PerConnection(accepting) => {
                accepting.retime(&self.wanted);
                Vec::new()
            }
        }
    }

    /// Only what it goes by changed.
    pub(super) fn retime(&mut self, wanted: Wanted, now: Millis) -> Vec<Action> {
        self.wanted = wanted;
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::Retime(Settings::from(&self.wanted)), now),
            Conduct::PerConnection(accepting) => {
                accepting.retime(&self.wanted);
                Vec::new()
            }
        }
    }

    /// An operator wants it started anew. Processes of connections end with these.
    pub(super) fn restart(&mut self, now: Millis) -> Vec<Action> {
        self.steady(Event::Restart, now)
    }

    /// It is not to run any more.
    pub(super) fn stop(&mut self, now: Millis) -> Vec<Action> {
        self.is_going = true;
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::Stop, now),
            Conduct::PerConnection(accepting) => accepting.stop(now),
        }
    }

    /// And has no time left.
    pub(super) fn kill(&mut self, now: Millis) -> Vec<Action> {
        self.is_going = true;
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::Kill, now),
            Conduct::PerConnection(accepting) => accepting.kill(),
        }
    }

    pub(super) fn executed(&mut self, id: Instance, now: Millis) -> Vec<Action> {
        self.steady(Event::Executed(id), now)
    }

    pub(super) fn not_executed(&mut self, id: Instance, why: &str, now: Millis) -> Vec<Action> {
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::NotExecuted(id, why.to_owned()), now),
            Conduct::PerConnection(accepting) => accepting.not_executed(id, why),
        }
    }

    pub(super) fn said(&mut self, id: Instance, what: Notification, now: Millis) -> Vec<Action> {
        self.steady(Event::Said(id, what), now)
    }

    pub(super) fn exited(&mut self, id: Instance, end: End, now: Millis) -> Vec<Action> {
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::Exited(id, end), now),
            Conduct::PerConnection(accepting) => accepting.exited(id, end),
        }
    }

    pub(super) fn deadline(&self) -> Option<Millis> {
        match &self.conduct {
            Conduct::Steady(life) => life.deadline(),
            Conduct::PerConnection(accepting) => accepting.deadline(),
        }
    }

    /// What is due, if its deadline has come.
    pub(super) fn due(&mut self, now: Millis) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(Event::Deadline, now),
            Conduct::PerConnection(accepting) => accepting.due(now),
        }
    }

    /// Whether its start has come to something, good or bad: it is ready, or will not be before somebody does something.
    pub(super) fn is_settled(&self, now: Millis) -> bool {
        match &self.conduct {
            Conduct::Steady(life) => {
                let status = life.status(now);
                !matches!(status.state, State::Starting | State::Stopped) || status.failures > 0
            }
            Conduct::PerConnection(_) => true,
        }
    }

    /// What the console says of it; `pids` are those of its processes, the present one first.
    pub(super) fn report(&self, pids: Vec<u32>, now: Millis) -> ServiceReport {
        let name = self.wanted.name.clone();
        match &self.conduct {
            Conduct::Steady(life) => {
                let status = life.status(now);
                let mut state = status.state.name().to_owned();
                if self.is_going && status.state != State::Stopping {
                    "stopping".clone_into(&mut state);
                }
                if status.next.is_some() {
                    state.push_str(", replacing");
                }
                if let Some(again) = status.again_at {
                    state.push_str(&format!(", again in {:.1} s", again.saturating_sub(now) as f64 / 1000.0));
                }
                ServiceReport {
                    name,
                    state,
                    is_well: status.replacement_failure.is_none()
                        && match status.state {
                            // One that ended did what it was to do, once.
                            State::Ready | State::Reloading | State::Ended => true,
                            _ => false,
                        },
                    since: Duration::from_millis(now.saturating_sub(status.since)),
                    pids,
                    restarts: status.restarts,
                    last_end: status.last_end.map(str::to_owned),
                    says: Some(status.text.to_owned()).filter(|text| !text.is_empty()),
                    failure: status.replacement_failure.map(str::to_owned),
                    connections: None,
                }
            }
            Conduct::PerConnection(accepting) => {
                let (failures, last) = accepting.failures();
                ServiceReport {
                    name,
                    state: if self.is_going { "stopping" } else { "accepting" }.to_owned(),
                    is_well: !self.is_going,
                    since: Duration::from_millis(now),
                    pids,
                    restarts: 0,
                    last_end: last.map(|last| format!("{failures} failed; the last {last}")),
                    says: None,
                    failure: None,
                    connections: Some((accepting.connections(), self.wanted.max_connections as usize)),
                }
            }
        }
    }

    fn steady(&mut self, event: Event, now: Millis) -> Vec<Action> {
        match &mut self.conduct {
            Conduct::Steady(life) => life.on(event, now),
            Conduct::PerConnection(_) => Vec::new(),
        }
    }
}

/// As [`stepdown::service::narrowed`], where the service asks for it.
pub(super) fn policy_of(scope: &Policy, wanted: &Wanted) -> Result<Policy, Box<Finding>> {
    match &wanted.capabilities {
        Some(capabilities) => stepdown::service::narrowed(scope, capabilities),
        None => Ok(scope.clone()),
    }
}
