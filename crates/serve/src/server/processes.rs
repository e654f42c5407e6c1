//! Carries out what the lives of services ask for: processes are started, heard, told to end, and waited for.
//!
//! What is to be done is decided in [`crate::life`] and [`crate::accept`]. Sources: sd_listen_fds(3), sd_notify(3).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use stepdown::service::{self as start, Report, Started};
use stepdown_conf::Severity;
use stepdown_kernel::events::Interest;
use stepdown_kernel::start::report;
use stepdown_kernel::{output, reap, signals};
use stepdown_security::capability::Capability;

use super::accepting::Whose;
use super::service::ServiceId;
use super::token::Token;
use super::{Phase, Server};
use crate::life::{Action, End, Instance, Notification, Signal, millis};
use crate::log::{Entry, Level};
use crate::relay::Lines;
use crate::wanted::{Output, SocketKey};

/// The processes of all services, and their outputs, which may outlive them.
#[derive(Debug, Default)]
pub(super) struct Processes {
    list: BTreeMap<u64, Process>,
    by_pid: BTreeMap<u32, u64>,
    outputs: BTreeMap<u64, OutputPipe>,
    next: u64,
}

#[derive(Debug)]
struct Process {
    service: ServiceId,
    instance: Instance,
    pid: u32,
    pidfd: OwnedFd,
    /// What it says before it executes its program; gone once that is known.
    report: Option<OwnedFd>,
    /// The listening sockets that it was given.
    given: Vec<SocketKey>,
}

#[derive(Debug)]
struct OutputPipe {
    name: String,
    from: OwnedFd,
    lines: Lines,
}

impl Processes {
    /// The numbers of a service's processes, the oldest first.
    pub(super) fn of(&self, service: ServiceId) -> Vec<u32> {
        self.list.values().filter(|process| process.service == service).map(|process| process.pid).collect()
    }

    /// Whether a process was given that socket, and may have it still. One that has not executed its program yet has all.
    pub(super) fn have(&self, key: &SocketKey) -> bool {
        self.list.values().any(|process| process.report.is_some() || process.given.contains(key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The session of each process, and whose it is.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (u32, ServiceId)> {
        self.list.values().map(|process| (process.pid, process.service))
    }

    /// Whether the server itself started that process, and waits for it.
    pub(super) fn is_known(&self, pid: u32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    fn number_of(&self, service: ServiceId, instance: Instance) -> Option<u64> {
        let of = |process: &Process| process.service == service && process.instance == instance;
        self.list.iter().find(|(_, process)| of(process)).map(|(number, _)| *number)
    }
}

impl Server {
    /// Does what the life of a service asks for.
    pub(super) fn act(&mut self, id: ServiceId, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Spawn(instance) => self.spawn(id, instance, None),
                Action::Signal(instance, signal) => self.signal(id, instance, signal),
                Action::Say(severity, text) => {
                    let level = match severity {
                        Severity::Error => Level::Error,
                        Severity::Warning => Level::Warning,
                        Severity::Note => Level::Info,
                    };
                    let name = self.services.get(&id).map(|service| service.wanted.name.clone());
                    self.log.event(level, name.as_deref(), &text);
                }
                Action::Became(_) => self.state_changed = true,
                Action::Gone => {
                    self.services.remove(&id);
                    self.state_changed = true;
                }
            }
        }
        // One connection fewer where there were as many as there may be: those that wait can be taken again.
        let has_room = self.services.get(&id).is_some_and(super::Service::has_room);
        if has_room && !self.listened.values().any(|listened| listened.whose == Whose::Service(id)) {
            self.state_changed = true;
        }
    }

    /// Starts a process of a service; `connection` is what it has as its standard input and output, if it is for one.
    pub(super) fn spawn(&mut self, id: ServiceId, instance: Instance, connection: Option<OwnedFd>) {
        match self.try_spawn(id, instance, connection.as_ref().map(AsFd::as_fd)) {
            Ok(()) => {}
            Err(why) => {
                let now = self.now();
                let Some(service) = self.services.get_mut(&id) else { return };
                let actions = service.not_executed(instance, &why, now);
                self.act(id, actions);
            }
        }
    }

    fn try_spawn(
        &mut self,
        id: ServiceId,
        instance: Instance,
        connection: Option<BorrowedFd<'_>>,
    ) -> Result<(), String> {
        let Some(service) = self.services.get(&id) else { return Ok(()) };
        let wanted = &service.wanted;
        let pipe = match wanted.output {
            Output::Prefix => Some(output::pipe().map_err(|error| format!("pipe answered {error}"))?),
            Output::Direct => None,
        };
        let listeners = if wanted.accept { &[] } else { wanted.listeners.as_slice() };
        let mut descriptors = Vec::with_capacity(listeners.len());
        for listen in listeners {
            let held = self.sockets.get(&listen.key(&wanted.name));
            descriptors.push(held.ok_or("one of its sockets is not there")?.as_fd());
        }
        let mut added: Vec<(OsString, OsString)> = Vec::new();
        let mut add = |name: &str, value: &str| added.push((name.into(), value.into()));
        add("NOTIFY_SOCKET", &self.receiver.address());
        if !descriptors.is_empty() {
            let names: Vec<&str> = listeners.iter().map(|listen| listen.name.as_str()).collect();
            add("LISTEN_FDS", &descriptors.len().to_string());
            add("LISTEN_FDNAMES", &names.join(":"));
        }
        for (name, value) in &wanted.environment {
            add(name, value);
        }
        let environment = start::environment(&service.policy, &added);
        let Some((program, arguments)) = wanted.command.value.split_first() else { return Ok(()) };
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let (out, error) = match &pipe {
            Some((_, to)) => (to.as_fd(), to.as_fd()),
            None => (output::standard_output(), output::standard_error()),
        };
        let standard = match connection {
            Some(connection) => [connection, connection, error],
            None => [self.null.as_fd(), out, error],
        };
        let started = start::start(
            &self.scope.grounds,
            &service.policy,
            &start::Service {
                program: Path::new(program),
                arguments: &arguments,
                environment: &environment,
                listen_pid: !descriptors.is_empty(),
                standard,
                descriptors: &descriptors,
                directory: Some(Path::new(&wanted.directory.value)),
                death_signal: Some(signals::TERM),
                inherited: self.signals.inherited(),
            },
        )
        .map_err(|findings| {
            findings
                .iter()
                .find(|finding| finding.is_error())
                .map(|finding| finding.message.clone())
                .unwrap_or_default()
        })?;
        let name = wanted.name.clone();
        let graceful = wanted.graceful_timeout;
        let given = listeners.iter().map(|listen| listen.key(&name)).collect();
        self.started(id, instance, (started, given), pipe.map(|(from, _)| (name, from)), graceful);
        Ok(())
    }

    fn started(
        &mut self,
        service: ServiceId,
        instance: Instance,
        (started, given): (Started, Vec<SocketKey>),
        pipe: Option<(String, OwnedFd)>,
        graceful: std::time::Duration,
    ) {
        let number = self.processes.next;
        self.processes.next += 1;
        let Started { pid, pidfd, report } = started;
        if let Some(warden) = &self.warden {
            // One that does not hear is replaced when its end is noticed, and then told everything.
            let _ = warden.watch(pid, graceful);
        }
        // If this fails, its end is what is noticed.
        let _ = self.events.add(report.as_fd(), Token::Report(number).number(), Interest::Read);
        if let Some((name, from)) = pipe {
            let _ = self.events.add(from.as_fd(), Token::Output(number).number(), Interest::Read);
            self.processes.outputs.insert(number, OutputPipe { name, from, lines: Lines::default() });
        }
        self.processes.by_pid.insert(pid, number);
        self.processes
            .list
            .insert(number, Process { service, instance, pid, pidfd, report: Some(report), given });
    }

    /// A child has decided whether its program is executed.
    pub(super) fn read_report(&mut self, number: u64) {
        let Some(process) = self.processes.list.get_mut(&number) else { return };
        let Some(pipe) = &process.report else { return };
        let said = match report(pipe.as_fd()) {
            Ok(Report::Pending) => return,
            Ok(said) => said,
            Err(error) => Report::Failed(format!("its report can't be read: {error}")),
        };
        let _ = self.events.remove(pipe.as_fd());
        process.report = None;
        let (id, instance) = (process.service, process.instance);
        self.sockets.close_lingering(|key| self.processes.have(key));
        let now = self.now();
        let Some(service) = self.services.get_mut(&id) else { return };
        let actions = match said {
            Report::Failed(words) => service.not_executed(instance, &words, now),
            _ => service.executed(instance, now),
        };
        self.act(id, actions);
    }

    /// Children have ended.
    pub(super) fn reap(&mut self) {
        let ended = match reap::reap() {
            Ok(ended) => ended,
            Err(error) => {
                self.log.event(Level::Error, None, &format!("waiting for children: {error}"));
                return;
            }
        };
        let mut orphans_ended = false;
        for (pid, end) in ended {
            if self.warden.as_ref().is_some_and(|warden| warden.pid() == pid) {
                self.warden_ended();
                continue;
            }
            let Some(number) = self.processes.by_pid.remove(&pid) else {
                orphans_ended = true;
                continue;
            };
            // What it said before it ended comes first.
            self.read_report(number);
            let Some(process) = self.processes.list.remove(&number) else { continue };
            if let Some(pipe) = &process.report {
                let _ = self.events.remove(pipe.as_fd());
            }
            let now = self.now();
            let mut kill_at = now;
            if let Some(service) = self.services.get_mut(&process.service) {
                kill_at = now.saturating_add(millis(service.wanted.graceful_timeout));
                let end = match end {
                    reap::End::Exited(status) => End::Exited(status),
                    reap::End::Signaled(signal, core) => End::Signaled { signal, core },
                };
                let actions = service.exited(process.instance, end, now);
                self.act(process.service, actions);
            }
            self.leave_nobody(pid, kill_at);
        }
        if orphans_ended {
            self.look_at_remnants();
        }
        self.sockets.close_lingering(|key| self.processes.have(key));
    }

    fn signal(&mut self, service: ServiceId, instance: Instance, signal: Signal) {
        let Some(number) = self.processes.number_of(service, instance) else { return };
        let Some(process) = self.processes.list.get(&number) else { return };
        let result = match signal {
            Signal::Term => reap::signal(process.pidfd.as_fd(), signals::TERM),
            Signal::Kill => {
                // Those that it started, too. The process itself by its descriptor: its group may not be made yet.
                let group = reap::signal_group(process.pid, signals::KILL);
                reap::signal(process.pidfd.as_fd(), signals::KILL).or(group)
            }
        };
        if let Err(error) = result {
            let name = self.services.get(&service).map(|service| service.wanted.name.clone());
            self.log.event(
                Level::Error,
                name.as_deref(),
                &format!("process {} could not be signalled: {error}", process.pid),
            );
        }
    }

    /// Services have said something of themselves. Whoever is in this network namespace can send: what others say is dropped, and
    /// the loop goes on to other things after a few messages.
    pub(super) fn read_notifications(&mut self) {
        // Which user a process can be that a service starts: the scope's, unless it can become another.
        let own = self.scope.owner().0;
        let others = self.scope.policy.retained().permitted.contains(Capability::SETUID);
        let known = |pid: &u32| self.processes.by_pid.get(pid).copied();
        // It counts if the sender belongs to a service's session; that is asked while the sender is there still.
        let whose = |pid: u32, uid: u32| {
            let is_heard = uid == own || uid == 0 || others;
            let session = || if is_heard { reap::session_of(pid) } else { None };
            known(&pid).or_else(|| session().as_ref().and_then(known))
        };
        let messages = match self.receiver.receive(whose) {
            Ok(messages) => messages,
            Err(error) => {
                self.log.event(Level::Warning, None, &format!("what a service said was lost: {error}"));
                return;
            }
        };
        for (number, message) in messages {
            let Some(process) = self.processes.list.get(&number) else { continue };
            let (id, instance) = (process.service, process.instance);
            // What it said comes after its being executed, whichever is noticed first.
            self.read_report(number);
            for notification in Notification::read(&message.text) {
                let now = self.now();
                let Some(service) = self.services.get_mut(&id) else { break };
                let actions = service.said(instance, notification, now);
                self.act(id, actions);
            }
        }
    }

    /// There is output of a service, unless standard error has no room for it: then it waits where it is, and so does the service.
    pub(super) fn read_output(&mut self, number: u64) {
        if self.log.is_behind() {
            self.wait_for_standard_error();
            return;
        }
        let Some(pipe) = self.processes.outputs.get_mut(&number) else { return };
        let mut bytes = [0; output::PIECE];
        let log = &mut self.log;
        let name = &pipe.name;
        match output::read(pipe.from.as_fd(), &mut bytes) {
            Ok(Some(0)) | Err(_) => {
                pipe.lines.end(|line| log.say(&Entry::Output { service: name, line }));
                let _ = self.events.remove(pipe.from.as_fd());
                self.processes.outputs.remove(&number);
            }
            Ok(Some(count)) => {
                pipe.lines.take(&bytes[..count], |line| log.say(&Entry::Output { service: name, line }));
            }
            Ok(None) => {}
        }
    }

    /// Whether outputs are listened to: not while there is nowhere to put them. Not even their ends, which would be said over
    /// and over.
    pub(super) fn listen_to_outputs(&self, listen: bool) {
        for (number, pipe) in &self.processes.outputs {
            let _ = match listen {
                true => self
                    .events
                    .add(pipe.from.as_fd(), Token::Output(*number).number(), Interest::Read)
                    .map(drop),
                false => self.events.remove(pipe.from.as_fd()),
            };
        }
    }

    /// Reads what services wrote last, before the end.
    pub(super) fn drain_outputs(&mut self) {
        let numbers: Vec<u64> = self.processes.outputs.keys().copied().collect();
        for number in numbers {
            for _ in 0..64 {
                if self.log.is_behind() || !self.processes.outputs.contains_key(&number) {
                    break;
                }
                self.read_output(number);
            }
        }
    }

    /// The warden has died: another takes its place, and is told everything.
    fn warden_ended(&mut self) {
        self.warden = None;
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.log.event(Level::Warning, None, "the warden has ended; another is started");
        self.start_warden();
    }
}
