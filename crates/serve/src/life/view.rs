//! What is shown of a life.

use super::{Idle, Instance, LASTING, Life, Millis};

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not run, and nothing is left of it.
    Stopped,
    /// It runs and is not ready yet.
    Starting,
    /// It is ready.
    Ready,
    /// It is ready, and says that it reads its configuration anew.
    Reloading,
    /// It was told to finish, or says that it does.
    Stopping,
    /// It ended, and is started again after a pause.
    Pausing,
    /// It failed too often in a row, and is not started again.
    GivenUp,
    /// It ended well, and `Restart` says that it is not started again.
    Ended,
    /// It ended otherwise, and `Restart` says that it is not started again.
    Failed,
}

/// What is to be known about a service at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Millis,
    /// Its process.
    pub current: Option<Instance>,
    /// Whether that was to be replaced, and stays because its replacement is not ready or has failed.
    pub outdated: bool,
    /// The process that is to replace it.
    pub next: Option<Instance>,
    /// How many processes were told to finish and have not ended yet.
    pub leaving: usize,
    /// How often it was started again after it had ended.
    pub restarts: u64,
    /// How many starts in a row did not last.
    pub failures: u32,
    /// When it is started again, where it pauses.
    pub again_at: Option<Millis>,
    /// How it ended the last time.
    pub last_end: Option<&'a str>,
    /// What it says of itself; empty where it says nothing.
    pub text: &'a str,
    /// Why the last replacement failed, until one succeeds.
    pub replacement_failure: Option<&'a str>,
}

impl Life {
    /// What is to be shown.
    #[must_use]
    pub fn status(&self, now: Millis) -> Status<'_> {
        let current = self.current.as_ref();
        let lasts = current
            .and_then(|process| process.ready)
            .is_some_and(|ready| now.saturating_sub(ready) >= LASTING);
        Status {
            state: self.state,
            since: self.since,
            current: current.map(|process| process.id),
            outdated: current.is_some_and(|process| process.outdated),
            next: self.next.as_ref().map(|process| process.id),
            leaving: self.leaving.len(),
            restarts: self.restarts,
            failures: if lasts { 0 } else { self.failures },
            again_at: match self.idle {
                Idle::Pausing { until } if current.is_none() => Some(until),
                _ => None,
            },
            last_end: self.last_end.as_deref(),
            text: current.map_or("", |process| &process.status),
            replacement_failure: self.replacement_failure.as_deref(),
        }
    }

    /// Every process that has not ended: the current one, the next one, and those that were told to finish.
    pub fn instances(&self) -> impl Iterator<Item = Instance> {
        let own = [&self.current, &self.next].into_iter().flatten().map(|process| process.id);
        own.chain(self.leaving.iter().map(|leaving| leaving.id))
    }

    pub(super) fn state_now(&self) -> State {
        let Some(process) = &self.current else {
            return match self.idle {
                Idle::Stopped if self.leaving.is_empty() => State::Stopped,
                Idle::Stopped => State::Stopping,
                Idle::Pausing { .. } => State::Pausing,
                Idle::GivenUp => State::GivenUp,
                Idle::Ended { success: true } => State::Ended,
                Idle::Ended { success: false } => State::Failed,
            };
        };
        if process.finishing.is_some() {
            State::Stopping
        } else if process.reloading {
            State::Reloading
        } else if process.ready.is_some() {
            State::Ready
        } else {
            State::Starting
        }
    }
}

impl State {
    /// Its name, as the console prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Ready => "ready",
            State::Reloading => "reloading",
            State::Stopping => "stopping",
            State::Pausing => "pausing",
            State::GivenUp => "given up",
            State::Ended => "ended",
            State::Failed => "failed",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
