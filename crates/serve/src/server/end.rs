//! How a start comes to its end, and how the server does: in good order, and with nothing left behind.

use super::service::ServiceId;
use super::{Phase, Server};
use crate::log::Level;

impl Server {
    /// Every service is ready, or will not be without somebody's doing.
    pub(super) fn has_started(&mut self, now: crate::life::Millis) {
        let unwell: Vec<String> = self
            .services
            .values()
            .map(|service| service.report(Vec::new(), now))
            .filter(|report| !report.is_well)
            .map(|report| report.name)
            .collect();
        if let Some(mut predecessor) = self.predecessor.take() {
            if !unwell.is_empty() && !predecessor.is_holder() {
                let text = format!(
                    "{} did not start: process {} goes on with the sockets, and this one ends",
                    unwell.join(", "),
                    predecessor.pid
                );
                self.log.event(Level::Error, None, &text);
                self.failed = true;
                self.stop(true);
                return;
            }
            if let Err(error) = predecessor.yield_now() {
                let text =
                    format!("process {}, which had the sockets, could not be told: {error}", predecessor.pid);
                self.log.event(Level::Warning, None, &text);
            }
        }
        if let Some(pidfile) = &self.pidfile
            && let Err(error) = pidfile.write(std::process::id())
        {
            self.log.event(Level::Warning, None, &format!("the pid file could not be written: {error}"));
        }
        self.phase = Phase::Serving;
        let words = match unwell.as_slice() {
            [] => format!("serving as user {}, pid {}", self.scope.policy.user.value.id, std::process::id()),
            names => format!("serving, but not well: {}", names.join(", ")),
        };
        self.log.event(if unwell.is_empty() { Level::Info } else { Level::Warning }, None, &words);
        self.tell_manager(&format!("READY=1\nSTATUS={words}"));
    }

    /// Tells every service to finish. `leave_files` is for a server whose sockets another process has.
    pub(super) fn stop(&mut self, leave_files: bool) {
        self.leaves_files |= leave_files;
        if matches!(self.phase, Phase::Stopping | Phase::Ended) {
            return;
        }
        self.phase = Phase::Stopping;
        self.state_changed = true;
        self.tell_manager("STOPPING=1");
        self.for_each_service(|service, now| service.stop(now));
    }

    /// Lets no service finish.
    pub(super) fn kill_all(&mut self) {
        self.log.event(Level::Warning, None, "the services are killed");
        self.for_each_service(|service, now| service.kill(now));
        self.state_changed = true;
    }

    fn for_each_service(
        &mut self,
        mut ask: impl FnMut(&mut super::Service, crate::life::Millis) -> Vec<crate::life::Action>,
    ) {
        let ids: Vec<ServiceId> = self.services.keys().copied().collect();
        for id in ids {
            let now = self.now();
            if let Some(service) = self.services.get_mut(&id) {
                let actions = ask(service, now);
                self.act(id, actions);
            }
        }
    }

    /// Everything has ended: what belongs to this server goes, and what belongs to the next stays.
    pub(super) fn ended(&mut self) {
        self.phase = Phase::Ended;
        self.drain_outputs();
        self.sessions.end();
        self.arrange_sessions();
        if let Some(warden) = self.warden.take() {
            warden.goodbye();
        }
        if self.leaves_files {
            // They are another server's: to remove them would hide it.
            drop(self.pidfile.take());
            if self.failed {
                self.sockets.remove_own_files();
            }
        } else {
            self.sockets.remove_files();
            if let Some(pidfile) = self.pidfile.take() {
                pidfile.remove();
            }
        }
        self.log.event(Level::Info, None, "ended");
        self.log.flush();
    }
}
