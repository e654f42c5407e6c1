//! One process of a service: how far it has come, and when something is due about it.

use super::{Instance, Millis, Settings};

/// How often `Start_Timeout` fits into the longest start that a service can ask for.
const LONGEST_START: u64 = 10;

/// A process that is its service's own.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) id: Instance,
    pub(super) spawned: Millis,
    pub(super) executed: Option<Millis>,
    pub(super) ready: Option<Millis>,
    pub(super) reloading: bool,
    /// Until when it asked for its start to be waited for.
    pub(super) extended: Option<Millis>,
    /// It was told to finish, or said that it does.
    pub(super) finishing: Option<Finishing>,
    /// It was to be replaced: another would be started otherwise than it was.
    pub(super) outdated: bool,
    /// What it says of itself.
    pub(super) status: String,
}

#[derive(Clone, Debug)]
pub(super) struct Finishing {
    /// When it is killed; none once it was.
    pub(super) kill_at: Option<Millis>,
    /// Why it was told to; none where it began by itself.
    pub(super) why: Option<String>,
}

/// A process that is its service's no longer, and is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) id: Instance,
    /// When it is killed; none once it was.
    pub(super) kill_at: Option<Millis>,
    /// Whether it was killed since it took too long.
    pub(super) is_late: bool,
}

impl Process {
    pub(super) fn new(id: Instance, now: Millis) -> Process {
        Process {
            id,
            spawned: now,
            executed: None,
            ready: None,
            reloading: false,
            extended: None,
            finishing: None,
            outdated: false,
            status: String::new(),
        }
    }

    /// When something is due about it.
    pub(super) fn deadline(&self, settings: &Settings) -> Option<Millis> {
        if let Some(finishing) = &self.finishing {
            return finishing.kill_at;
        }
        if self.ready.is_some() {
            return None;
        }
        self.ready_at(settings).or_else(|| self.start_limit(settings))
    }

    /// When it counts as ready if it says nothing.
    pub(super) fn ready_at(&self, settings: &Settings) -> Option<Millis> {
        self.executed
            .filter(|_| !settings.notify)
            .map(|executed| executed.saturating_add(settings.ready_after))
    }

    /// When its start has failed.
    fn start_limit(&self, settings: &Settings) -> Option<Millis> {
        let timeout = settings.start_timeout?;
        let longest = self.spawned.saturating_add(timeout.saturating_mul(LONGEST_START));
        let extended = self.extended.map_or(0, |extended| extended.min(longest));
        Some(self.spawned.saturating_add(timeout).max(extended))
    }
}
