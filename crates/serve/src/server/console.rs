//! What the console asks of the server: [`crate::console::answer::Server`], and the turns of its sessions.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime};

use stepdown::online::{Candidate, Online};
use stepdown_conf::{Cause, Finding, Place, nearest, shown};
use stepdown_kernel::events::Interest;

use super::handover::Taker;
use super::token::Token;
use super::{Phase, Server};
use crate::console::answer::{self, Answer, Applied, Asker};
use crate::console::report::{Difference, ListenerReport, RestartRequired, ServiceReport, StatusReport};
use crate::console::sessions::{After, SessionId};
use crate::console::wire::{Reply, Status};
use crate::log::Level;
use crate::wanted::Kind;

impl Server {
    /// Answers one request, the one whose turn it is.
    pub(super) fn answer_next(&mut self) {
        let now = self.clock.elapsed();
        let Some(request) = self.sessions.take(now) else { return };
        self.has_worked = true;
        let asker = Asker::new(request.rights, &request.peer);
        let mut draft = request.data;
        let (reply, after) = match answer::answer(self, &mut draft, &asker, &request.line) {
            Answer::Reply(reply) => (reply, After::GoOn),
            Answer::Last(reply) => (reply, After::End),
            Answer::Handover(endpoint) => match self.may_hand_over(endpoint.as_deref()) {
                Ok(()) => return self.hand_over(request.session, request.peer.pid),
                Err(words) => (Reply::new(Status::Refused, words), After::End),
            },
        };
        let now = self.clock.elapsed();
        self.sessions.reply(request.session, &reply, draft, after, now);
    }

    fn may_hand_over(&self, endpoint: Option<&str>) -> Result<(), String> {
        // A link in the place of another server's console could have led here.
        let own = self.wanted.console.iter().flat_map(|console| &console.listeners);
        if !endpoint.is_some_and(|endpoint| own.clone().any(|listen| listen.path == endpoint)) {
            let asked = endpoint.map_or_else(|| "none".to_owned(), |endpoint| shown(endpoint).to_string());
            return Err(format!("error: this server does not listen at {asked}, which was to be asked\n"));
        }
        if let Some(taker) = &self.taker {
            return Err(format!("error: process {} has got the sockets already\n", taker.pid));
        }
        match self.phase {
            Phase::Starting | Phase::Serving => Ok(()),
            Phase::Stopping | Phase::Ended => Err("error: the server is ending\n".to_owned()),
        }
    }

    /// Gives the listening sockets, and the pid file, to a session that is root's. It is no session any more.
    fn hand_over(&mut self, session: SessionId, pid: u32) {
        let Some(socket) = self.sessions.release(session) else { return };
        // Its changes first: it is not to be waited for as a session any more.
        self.arrange_sessions();
        let _ = self.events.remove(socket.as_fd());
        let files = self.pidfile.iter().map(AsFd::as_fd);
        let list: Vec<BorrowedFd<'_>> =
            self.sockets.iter().map(|(_, held)| held.as_fd()).chain(files).collect();
        match Taker::give(socket, pid, &list) {
            Ok(taker) => {
                let text = format!(
                    "process {pid}, which is root, has got the {} sockets of this server",
                    self.sockets.len()
                );
                let _ = self.events.add(taker.socket.as_fd(), Token::Handover.number(), Interest::Read);
                self.taker = Some(taker);
                self.log.event(Level::Info, None, &text);
            }
            Err(error) => {
                let text = format!("process {pid} could not be given the sockets: {error}");
                self.log.event(Level::Error, None, &text);
            }
        }
    }

    /// What waits for a restart.
    pub(super) fn restart_required(&self) -> Option<RestartRequired> {
        let since = self.pending.since()?;
        let local = |place: &Place| {
            let mut files = self.online.config().files().iter();
            files.any(|file| file.is_local_changes() && file.path() == place.file)
        };
        let differences = self.pending.differences().iter().map(|difference| Difference {
            option: match difference.option {
                "Pidfile" => "Pidfile".to_owned(),
                option => format!("Security {option}"),
            },
            old: difference.old.clone(),
            new: difference.new.clone(),
            old_place: difference.old_origin.place().cloned(),
            new_place: difference.new_origin.place().cloned(),
            is_local: difference.new_origin.place().is_some_and(local),
        });
        Some(RestartRequired {
            since: self.pending_since.unwrap_or_else(SystemTime::now),
            ago: Duration::from_millis(self.now().saturating_sub(since)),
            differences: differences.collect(),
        })
    }
}

impl answer::Server for Server {
    fn online(&mut self) -> &mut Online {
        &mut self.online
    }

    fn apply(&mut self, candidate: Candidate) -> Result<Applied, Vec<Finding>> {
        self.take_over(candidate)
    }

    fn status(&self) -> StatusReport {
        let file = self.online.config().files().first().map(|file| file.path().to_owned());
        StatusReport {
            state: match self.phase {
                Phase::Starting => "starting",
                Phase::Serving => "serving",
                Phase::Stopping | Phase::Ended => "stopping",
            },
            pid: std::process::id(),
            version: self.version.to_owned(),
            since: self.since,
            uptime: self.clock.elapsed(),
            node: self.node.clone(),
            file: file.unwrap_or_default(),
            generation: self.online.generation(),
            unsaved: self.online.unsaved().map(ToString::to_string).collect(),
            security: self.scope.rows(),
            proof: self.scope.proof(),
            pending: self.restart_required(),
            services: self.services(),
            listeners: self.sockets.len(),
            sessions: self.sessions.count(),
        }
    }

    fn services(&self) -> Vec<ServiceReport> {
        let now = self.now();
        let order = |name: &str| self.wanted.services.iter().position(|service| service.name == name);
        let mut list: Vec<_> = self.services.iter().collect();
        // Those that are going come last.
        list.sort_by_key(|(id, service)| (service.is_going, order(&service.wanted.name), **id));
        list.into_iter()
            .map(|(id, service)| {
                let mut pids = self.processes.of(*id);
                pids.reverse();
                service.report(pids, now)
            })
            .collect()
    }

    fn listeners(&self) -> Vec<ListenerReport> {
        let console = self.wanted.console.iter().flat_map(|console| &console.listeners).map(|listen| {
            ListenerReport { address: listen.path.clone(), kind: "stream", service: None, name: None }
        });
        let services = self.wanted.services.iter().flat_map(|service| {
            service.listeners.iter().map(move |listen| ListenerReport {
                address: listen.written.clone(),
                kind: match listen.kind {
                    Kind::Stream => "stream",
                    Kind::Datagram => "datagram",
                },
                service: Some(service.name.clone()),
                name: Some(listen.name.clone()).filter(|_| !service.accept),
            })
        });
        console.chain(services).collect()
    }

    fn restart_service(&mut self, name: &str) -> Result<(), Box<Finding>> {
        if matches!(self.phase, Phase::Stopping | Phase::Ended) {
            return Err(Box::new(
                Finding::error("server-ends", Cause::Host, "the server has been told to end")
                    .because("its services are finishing"),
            ));
        }
        let Some(id) = self.service_named(name) else {
            let finding =
                Finding::error("no-service", Cause::Text, format!("there is no service `{}`", shown(name)))
                    .because("a service has the name that stands behind `Service` in the configuration");
            let names = self.wanted.services.iter().map(|service| service.name.as_str());
            return Err(Box::new(match nearest(name, names) {
                Some(near) => finding.hint(format!("did you mean {near}?")),
                None => finding.hint("`services` lists them"),
            }));
        };
        if self.services.get(&id).is_some_and(super::Service::accepts) {
            return Err(Box::new(
                Finding::error(
                    "nothing-to-restart",
                    Cause::Text,
                    format!("`{}` starts a process for each connection", shown(name)),
                )
                .because("the next connection gets a new one anyway"),
            ));
        }
        let now = self.now();
        self.tell(id, |service| service.restart(now));
        Ok(())
    }

    fn shutdown(&mut self) {
        self.log.event(Level::Info, None, "shutdown from the console: the services are told to finish");
        self.stop(self.taker.is_some());
    }
}
