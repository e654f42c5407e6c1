//! The server: starts as root, binds, steps down, and from then on sleeps until something happens.
//!
//! One thread, one wait. What is decided is decided elsewhere: what is wanted in [`crate::wanted`], what differs in
//! [`crate::changes`], how a service lives in [`crate::life`], what the console answers in [`crate::console`]. Here it is
//! carried out. Follows `docs/serve.md`.

mod accepting;
mod boot;
mod console;
mod end;
mod events;
mod handover;
mod peers;
mod processes;
mod refusal;
mod reload;
mod remnants;
mod scope;
mod service;
mod sockets;
mod terminal;
mod token;
mod wish;

pub use boot::{check_start, endpoint};
pub use handover::{Holder, Predecessor, meeting_point, take};

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Instant, SystemTime};

use stepdown::online::{Draft, Online};
use stepdown_conf::Finding;
use stepdown_kernel::events::Events;
use stepdown_kernel::notify::{Notifier, Receiver};
use stepdown_kernel::pidfile::Pidfile;
use stepdown_kernel::signals::Signals;
use stepdown_kernel::warden::Warden;
use stepdown_security::policy::Sourced;

use crate::console::sessions::Sessions;
use crate::life::Millis;
use crate::log::{Log, Printer};
use crate::pending::Pending;
use crate::wanted::Wanted;
use processes::Processes;
use remnants::Remnants;
use scope::Scope;
use service::{Service, ServiceId};
use sockets::Sockets;

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The main configuration file; the one along the search path without it.
    pub main: Option<&'a Path>,
    /// Whether it takes the place of the server that runs under the same console.
    pub replace: bool,
    /// What the console answers to `version`.
    pub version: &'static str,
}

/// Runs a server until it is told to end. Says nothing before it is ready but what it returns; from then on, all it says goes
/// to standard error, through `printer`.
///
/// # Errors
/// Everything that stands in the way of a start. Nothing was started, and no process is left. Nothing more to say, where it has been
/// said why this server did not take the place of another.
pub fn run(start: &Start<'_>, printer: Box<dyn Printer>) -> Result<(), Vec<Finding>> {
    let mut server = boot::boot(start, Log::new(printer))?;
    server.serve();
    if server.failed { Err(Vec::new()) } else { Ok(()) }
}

/// A server that has stepped down.
pub(crate) struct Server {
    log: Log,
    events: Events,
    signals: Signals,
    /// Where services say how they are.
    receiver: Receiver,
    /// Who started this process, if that wants to know.
    manager: Option<Notifier>,
    /// Whether it has been said that it does not hear.
    manager_is_deaf: bool,
    warden: Option<Warden>,
    /// What services read from.
    null: OwnedFd,
    clock: Instant,
    since: SystemTime,
    version: &'static str,
    node: String,
    scope: Scope,
    online: Online,
    /// What the server is now.
    wanted: Wanted,
    pending: Pending,
    /// When the pending differences were first seen, by the system's clock.
    pending_since: Option<SystemTime>,
    sockets: Sockets,
    /// The listening sockets that are waited for here, by their numbers.
    listened: BTreeMap<u64, accepting::Listened>,
    /// Until when no connection is accepted, since there were no descriptors left.
    breathless_until: Option<Millis>,
    /// Whether that has been said.
    is_breathless_said: bool,
    services: BTreeMap<ServiceId, Service>,
    next_service: u64,
    processes: Processes,
    /// What services left behind when they ended.
    remnants: Remnants,
    sessions: Sessions<Option<Draft>>,
    pidfile: Option<Pidfile>,
    /// Where it is written which.
    held_pidfile: Option<Sourced<String>>,
    /// The process that got the sockets, and says when it is ready to go on with them.
    taker: Option<handover::Taker>,
    /// The server that this one replaces, until its services are ready.
    predecessor: Option<handover::Predecessor>,
    phase: Phase,
    /// Whether the files of sockets and the pid file are another process's by now.
    leaves_files: bool,
    /// Whether it ends since it could not take the place of another.
    failed: bool,
    /// Whether the state of a service may be another than before.
    state_changed: bool,
    /// Whether more was done since the last long sleep than to wake up: memory was touched that is not needed asleep.
    has_worked: bool,
    /// Whether standard error is waited for, since it had no room.
    waits_for_standard_error: bool,
    /// When the manager has to hear from this process.
    watchdog_at: Option<Millis>,
}

/// How far the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Services are being started for the first time.
    Starting,
    /// It serves.
    Serving,
    /// Services were told to finish.
    Stopping,
    /// There is nothing left to wait for.
    Ended,
}

impl Server {
    /// The time since the start, by a clock that nobody can set and that goes on while the machine sleeps or not.
    fn now(&self) -> Millis {
        u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
