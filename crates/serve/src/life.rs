//! The life of one service, from its first start to its last end: what happens, and what is to be done about it.
//!
//! Pure: [`Life::on`] takes an event and the time, and gives back actions; whoever drives it starts processes, sends
//! signals and waits until [`Life::deadline`]. Not for: services with `Accept`, whose processes live as long as a
//! connection does, see [`crate::accept`].
//!
//! At most two processes of a service are its own: `current`, and `next`, which is to replace it. What was told to finish
//! is neither any longer; it is waited for, and killed when its time is over. So:
//!
//! | event | what becomes of it |
//! |---|---|
//! | the current one ends | a pause, doubling with each failure in a row; or given up; or ended for good |
//! | a replacement is asked for | it starts beside the current one; when it is ready, the current one is told to finish |
//! | the replacement fails | the current one stays, the failure stays visible, and nothing is tried again by itself |
//! | another replacement is asked for | the one half started is told to finish; the newest wins |
//! | the current one ends meanwhile | the replacement takes its place |
//! | stop | whatever there is is told to finish; when the last has ended, the service is gone |
//!
//! Follows sd_notify(3) for what a service says of itself.

mod drive;
mod process;
mod said;
mod view;

pub use said::Notification;
pub use view::{State, Status};

use std::time::Duration;

use stepdown_conf::Severity;

use crate::wanted::{Restart, Service};
use process::{Leaving, Process};

/// Milliseconds since some start; the clock is the caller's, and must not go back.
pub type Millis = u64;

/// How long a service has to be ready for its start to count as a success.
pub const LASTING: Millis = 10_000;

/// One process of a service. A number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u64);

/// What a life goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether it says itself when it is ready.
    pub notify: bool,
    /// Else how long it runs to count as ready.
    pub ready_after: Millis,
    /// How long it may take to start; `None` is for ever.
    pub start_timeout: Option<Millis>,
    /// The time between SIGTERM and SIGKILL.
    pub graceful_timeout: Millis,
    /// When it is started again.
    pub restart: Restart,
    /// The first pause before that.
    pub restart_pause: Millis,
    /// The longest.
    pub restart_pause_max: Millis,
    /// After how many failures in a row it is given up; `None` is never.
    pub restart_limit: Option<u32>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is to run. Nothing if it does.
    Start,
    /// The program was executed.
    Executed(Instance),
    /// The program could not be executed, and why. The instance has ended with this; an [`Event::Exited`] may follow.
    NotExecuted(Instance, String),
    /// It said something about itself.
    Said(Instance, Notification),
    /// The process ended.
    Exited(Instance, End),
    /// It is to be replaced by one that is started differently. From here on, every [`Action::Spawn`] means the new one.
    Replace(Settings),
    /// Only what it goes by changed.
    Retime(Settings),
    /// It is not to run any more.
    Stop,
    /// An operator wants it started anew; one that was given up, too.
    Restart,
    /// It is not to run any more, and has no time left.
    Kill,
    /// The time that [`Life::deadline`] named has come.
    Deadline,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core file.
        core: bool,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a process, as the service is to be started now.
    Spawn(Instance),
    /// Send a signal to a process and those it started.
    Signal(Instance, Signal),
    /// Tell the operator.
    Say(Severity, String),
    /// The service is in another state than before.
    Became(State),
    /// It was stopped, and its last process has ended.
    Gone,
}

/// A signal that ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: finish.
    Term,
    /// SIGKILL.
    Kill,
}

/// The life of one service.
#[derive(Clone, Debug)]
pub struct Life {
    settings: Settings,
    current: Option<Process>,
    next: Option<Process>,
    leaving: Vec<Leaving>,
    /// What it is while there is no current process.
    idle: Idle,
    /// Starts in a row that did not last.
    failures: u32,
    restarts: u64,
    last_end: Option<String>,
    replacement_failure: Option<String>,
    /// The state that was last told, and since when.
    state: State,
    since: Millis,
    now: Millis,
    last_instance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// Not started yet, or stopped.
    Stopped,
    Pausing {
        until: Millis,
    },
    GivenUp,
    /// It ended and is not to be started again; whether that was a success.
    Ended {
        success: bool,
    },
}

impl Life {
    /// A service that was not started yet.
    #[must_use]
    pub fn new(settings: Settings) -> Life {
        Life {
            settings,
            current: None,
            next: None,
            leaving: Vec::new(),
            idle: Idle::Stopped,
            failures: 0,
            restarts: 0,
            last_end: None,
            replacement_failure: None,
            state: State::Stopped,
            since: 0,
            now: 0,
            last_instance: 0,
        }
    }

    /// Takes an event. An event of an instance that has ended already is ignored.
    pub fn on(&mut self, event: Event, now: Millis) -> Vec<Action> {
        self.now = self.now.max(now);
        let mut actions = Vec::new();
        self.take(event, &mut actions);
        let state = self.state_now();
        if state != self.state {
            (self.state, self.since) = (state, self.now);
            actions.push(Action::Became(state));
        }
        actions
    }

    /// When [`Event::Deadline`] is due, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let pause = match self.idle {
            Idle::Pausing { until } if self.current.is_none() => Some(until),
            _ => None,
        };
        let own = [&self.current, &self.next].into_iter().flatten();
        let own = own.filter_map(|process| process.deadline(&self.settings));
        let leaving = self.leaving.iter().filter_map(|leaving| leaving.kill_at);
        own.chain(leaving).chain(pause).min()
    }
}

impl From<&Service> for Settings {
    fn from(service: &Service) -> Settings {
        Settings {
            notify: service.notify,
            ready_after: millis(service.ready_after),
            start_timeout: service.start_timeout.map(millis),
            graceful_timeout: millis(service.graceful_timeout),
            restart: service.restart,
            restart_pause: millis(service.restart_pause),
            restart_pause_max: millis(service.restart_pause_max),
            restart_limit: service.restart_limit,
        }
    }
}

/// A time in milliseconds, not shorter than it is: what is longer than none stays so.
#[must_use]
pub fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl End {
    /// Whether it is what a program that did its work leaves behind.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == End::Exited(0)
    }
}

/// `exited with status 1`, `was killed by signal 9 (SIGKILL)`.
impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Exited(status) => write!(f, "exited with status {status}"),
            End::Signaled { signal, core } => {
                write!(f, "was ended by signal {signal}")?;
                if let Some(name) = signal_name(*signal) {
                    write!(f, " ({name})")?;
                }
                f.write_str(if *core { " and left a core file" } else { "" })
            }
        }
    }
}

/// The names of signal(7) that a process is likely to end by; their numbers are the same wherever this program runs.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
