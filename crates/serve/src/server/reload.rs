//! Another configuration for a server that runs: looked at as a whole, then done as a whole, or not at all.
//!
//! Until everything that can fail has succeeded, nothing is touched. What differs in `Security` is never done: it is
//! remembered, and said. What differs otherwise is told to the lives of the services, which take it from there.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::SystemTime;

use stepdown::online::{Candidate, Kind};
use stepdown_conf::{Cause, Config, Finding};
use stepdown_kernel::{accounts, clock, sockets as kernel_sockets};
use stepdown_security::policy::Policy;
use stepdown_security::request::Request;

use super::boot::look_at_service;
use super::peers;
use super::refusal;
use super::service::{Service, ServiceId};
use super::sockets::{Held, remove_file};
use super::terminal;
use super::wish::Wish;
use super::{Phase, Server};
use crate::changes::{Changes, What, changes};
use crate::console::answer::Applied;
use crate::console::sessions::Settings;
use crate::log::Level;
use crate::pending::{Difference, compare_pidfile, compare_request};
use crate::wanted::{self, Address, SocketKey, Wanted};

/// Everything that a new configuration takes, ready to be done without anything that could fail.
struct Prepared {
    wanted: Wanted,
    changes: Changes,
    differences: Vec<Difference>,
    /// The policies of services that come, or get new processes.
    policies: BTreeMap<String, Policy>,
    settings: Settings,
    made: Vec<(SocketKey, Held)>,
    findings: Vec<Finding>,
}

impl Server {
    /// Takes a new configuration over, all of it or nothing.
    ///
    /// # Errors
    /// Everything that speaks against it. Nothing has changed then.
    pub(super) fn take_over(&mut self, candidate: Candidate) -> Result<Applied, Vec<Finding>> {
        let what = match candidate.kind() {
            Kind::Reload => "reload",
            Kind::Commit => "change",
        };
        let who = candidate.who().to_owned();
        self.tell_manager(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_micros()));
        let result = self.try_take_over(candidate);
        match &result {
            Ok(applied) => {
                self.log.event(Level::Info, None, &format!("{what} by {who}: done"));
                for change in &applied.changes {
                    self.log.event(Level::Info, None, change);
                }
                self.log.findings(&applied.warnings);
                self.say_pending();
            }
            Err(findings) => {
                self.log.findings(findings);
                self.log.event(
                    Level::Error,
                    None,
                    &format!("{what} by {who}: Reconfigure failed; nothing has changed"),
                );
            }
        }
        self.tell_manager("READY=1");
        result
    }

    /// As `config reload` does.
    pub(super) fn reload_by_signal(&mut self) {
        match self.online.reload(None, "SIGHUP") {
            Ok(candidate) => {
                let warnings = candidate.warnings().to_vec();
                self.log.findings(&warnings);
                let _ = self.take_over(candidate);
            }
            Err(findings) => {
                self.log.findings(&findings);
                self.log.event(
                    Level::Error,
                    None,
                    "reload by SIGHUP: Reconfigure failed; nothing has changed",
                );
            }
        }
    }

    /// What root left unread, since somebody else could have written it, is read by the user that the server serves as.
    pub(super) fn first_look(&mut self) {
        if !self.online.notes().iter().any(|note| note.code == "local-changes-later") {
            return;
        }
        let result =
            self.online.reload(None, "the start").and_then(|candidate| self.try_take_over(candidate));
        match result {
            Ok(applied) => {
                self.log.event(Level::Info, None, "the local changes are taken over");
                self.log.findings(&applied.warnings);
                self.say_pending();
            }
            Err(findings) => {
                self.log.findings(&findings);
                self.log.event(
                    Level::Error,
                    None,
                    "the local changes can't be taken over: the server starts without them",
                );
            }
        }
    }

    fn say_pending(&mut self) {
        for difference in self.pending.differences() {
            let text = format!(
                "restart required: {difference} (in force from {}, waiting from {})",
                difference.old_origin, difference.new_origin
            );
            self.log.event(Level::Warning, None, &text);
        }
    }

    fn try_take_over(&mut self, candidate: Candidate) -> Result<Applied, Vec<Finding>> {
        if matches!(self.phase, Phase::Stopping | Phase::Ended) {
            return Err(vec![
                Finding::error("server-ends", Cause::Host, "the server has been told to end")
                    .because("its services are finishing")
                    .hint("start it again"),
            ]);
        }
        self.online.check(&candidate).map_err(|finding| vec![*finding])?;
        let prepared = self.prepare(candidate.config())?;
        // Nothing below fails.
        self.online.accept(candidate).map_err(|finding| vec![*finding])?;
        let Prepared { wanted, changes, differences, policies, settings, made, findings } = prepared;
        let words = changes.words();
        let old = std::mem::replace(&mut self.wanted, wanted);
        self.look_at_pending(differences);
        self.sockets.insert(made);
        self.adjust_sockets(&old, &changes);
        self.sessions.set(settings);
        self.change_services(&changes, policies);
        for gone in &changes.removed {
            self.close(&gone.key);
        }
        self.arrange_listeners();
        self.state_changed = true;
        Ok(Applied { changes: words, warnings: findings, pending: self.restart_required() })
    }

    /// Everything that can be refused, and everything that is made.
    fn prepare(&mut self, config: &Config) -> Result<Prepared, Vec<Finding>> {
        let count = self.scope.capability_count;
        let mut errors = Vec::new();
        let wanted = wanted::read(config, count).map_err(|findings| errors.extend(findings)).ok();
        let differences = match Request::read(config, count) {
            Ok((request, notes)) => {
                compare_request((&self.scope.request, &self.scope.policy), &request, count, accounts::answer)
                    .map(|differences| (differences, notes))
            }
            Err(findings) => Err(findings),
        };
        let differences = differences.map_err(|findings| errors.extend(findings)).ok();
        // What can be looked at without the rest is, so that all reasons are told at once.
        let Some((wanted, mut findings)) = wanted else { return Err(errors) };
        let changes = changes(&self.wanted, &wanted);
        let mut policies = BTreeMap::new();
        for change in &changes.services {
            if !matches!(change.what, What::Added | What::Replaced(_)) {
                continue;
            }
            let Some(service) = wanted.service(&change.name) else { continue };
            match look_at_service(&self.scope.grounds, &self.scope.policy, service, None) {
                Ok((policy, notes)) => {
                    policies.insert(service.name.clone(), policy);
                    findings.extend(notes);
                    findings.extend(terminal::handed_to(service));
                }
                Err(found) => errors.extend(found),
            }
        }
        let settings = peers::settings(wanted.console.as_ref(), self.scope.policy.user.value.id);
        let settings = settings.map_err(|findings| errors.extend(findings)).ok();
        let wishes = self.wishes(&wanted, &changes);
        for (added, wish) in changes.added.iter().zip(&wishes) {
            if !added.displaces.is_empty() {
                errors.push(refusal::displaced(wish));
            }
        }
        let (Some(settings), Some((mut differences, notes)), true) =
            (settings, differences, errors.is_empty())
        else {
            return Err(errors);
        };
        findings.extend(notes);
        differences.extend(compare_pidfile(self.held_pidfile.as_ref(), wanted.pidfile.as_ref()));
        let made = self.sockets.make(&wishes, &mut self.sockets.lingering(&wishes))?;
        Ok(Prepared { wanted, changes, differences, policies, settings, made, findings })
    }

    /// The sockets that are to be made, in the order of what is added.
    fn wishes(&self, wanted: &Wanted, changes: &Changes) -> Vec<Wish> {
        let mut all: BTreeMap<SocketKey, Wish> =
            Wish::all(wanted, self.scope.owner()).into_iter().map(|wish| (wish.key.clone(), wish)).collect();
        changes.added.iter().filter_map(|added| all.remove(&added.key)).collect()
    }

    fn look_at_pending(&mut self, differences: Vec<Difference>) {
        let now = self.now();
        self.pending.look(differences, now);
        self.pending_since = match self.pending.since() {
            None => None,
            Some(_) => self.pending_since.or_else(|| Some(SystemTime::now())),
        };
    }

    /// Sockets that stay and are to be otherwise.
    fn adjust_sockets(&mut self, old: &Wanted, changes: &Changes) {
        for kept in &changes.kept {
            let Some(held) = self.sockets.get(&kept.key) else { continue };
            let mut said = Vec::new();
            if let Some((_, backlog)) = kept.backlog
                && let Err(error) =
                    kernel_sockets::set_backlog(held.as_fd(), i32::try_from(backlog).unwrap_or(i32::MAX))
            {
                said.push(format!("the Backlog of {} stays as it was: {error}", held.written));
            }
            if let (Some((_, mode)), Address::Unix(path)) = (kept.mode, &kept.key.address)
                && let Err(error) = kernel_sockets::set_mode(std::path::Path::new(path), mode)
            {
                said.push(format!("the File_Mode of {path} stays as it was: {error}"));
            }
            for text in said {
                self.log.event(Level::Warning, None, &text);
            }
        }
        // A socket that was accepted from here does not block, and all who have it see that. Others expect one that does.
        for before in old.services.iter().filter(|service| service.accept) {
            for listen in &before.listeners {
                let key = listen.key(&before.name);
                let accepts = self.wanted.services.iter().any(|service| {
                    service.accept && service.listeners.iter().any(|listen| listen.key(&service.name) == key)
                });
                if let (false, Some(held)) = (accepts, self.sockets.get(&key)) {
                    let _ = kernel_sockets::set_nonblocking(held.as_fd(), false);
                }
            }
        }
    }

    fn change_services(&mut self, changes: &Changes, mut policies: BTreeMap<String, Policy>) {
        for change in &changes.services {
            let id = self.service_named(&change.name);
            let wanted = self.wanted.service(&change.name).cloned();
            let now = self.now();
            match (&change.what, id, wanted) {
                (What::Added, _, Some(wanted)) => {
                    let policy = policies.remove(&change.name).unwrap_or_else(|| self.scope.policy.clone());
                    self.add_service(wanted, policy);
                }
                (What::Removed, Some(id), _) => self.tell(id, |service| service.stop(now)),
                (What::Replaced(_), Some(id), Some(wanted)) => {
                    let policy = policies.remove(&change.name).unwrap_or_else(|| self.scope.policy.clone());
                    let accepted = self.services.get(&id).is_some_and(Service::accepts);
                    if accepted == wanted.accept {
                        self.tell(id, |service| service.replace(wanted, policy, now));
                    } else {
                        // Another kind of life: the old one comes to its end, and the new one begins, with the same sockets.
                        self.tell(id, |service| service.stop(now));
                        self.add_service(wanted, policy);
                    }
                }
                (What::Retimed(_), Some(id), Some(wanted)) => {
                    self.tell(id, |service| service.retime(wanted, now))
                }
                _ => {}
            }
        }
    }

    fn add_service(&mut self, wanted: wanted::Service, policy: Policy) {
        let id = ServiceId(self.next_service);
        self.next_service += 1;
        self.services.insert(id, Service::new(wanted, policy));
        let now = self.now();
        self.tell(id, |service| service.start(now));
    }

    /// The service of that name that is not on its way out.
    pub(super) fn service_named(&self, name: &str) -> Option<ServiceId> {
        self.services
            .iter()
            .find(|(_, service)| service.wanted.name == name && !service.is_going)
            .map(|(id, _)| *id)
    }

    pub(super) fn tell(
        &mut self,
        id: ServiceId,
        what: impl FnOnce(&mut Service) -> Vec<crate::life::Action>,
    ) {
        if let Some(service) = self.services.get_mut(&id) {
            let actions = what(service);
            self.act(id, actions);
        }
    }

    /// Closes a listening socket, and removes its file. One without a file has its address for as long as a process has it: until
    /// that has finished it can be taken back, and is not closed here either.
    fn close(&mut self, key: &SocketKey) {
        if let Some(held) = self.sockets.remove(key) {
            if self.listened.remove(&held.number).is_some() {
                let _ = self.events.remove(held.as_fd());
            }
            remove_file(key, &held);
            if !matches!(key.address, Address::Unix(_)) && self.processes.have(key) {
                self.sockets.let_linger(key.clone(), held);
            }
        }
    }
}
