//! The loop: sleeps until something happens or is due, and sees to it.

use std::os::fd::AsFd;
use std::time::Duration;

use stepdown_kernel::events::{Event, Interest};
use stepdown_kernel::memory;
use stepdown_kernel::signals;
use stepdown_kernel::warden::Warden;

use super::handover::Word;
use super::service::ServiceId;
use super::token::Token;
use super::{Phase, Server};
use crate::console::sessions::SessionId;
use crate::life::{Millis, millis};
use crate::log::Level;

impl Server {
    /// Serves until it is told to end, and has ended.
    pub(super) fn serve(&mut self) {
        self.begin();
        let mut events = Vec::new();
        while self.phase != Phase::Ended {
            self.due();
            self.answer_next();
            if std::mem::take(&mut self.state_changed) {
                self.look_at_states();
                self.has_worked = true;
            }
            self.arrange_sessions();
            if self.phase == Phase::Ended {
                break;
            }
            self.before_sleep();
            if let Err(error) = self.events.wait(&mut events, self.pause()) {
                // Nothing can be waited for any more. Never seen; but to spin would be worse than to end.
                self.log.event(Level::Error, None, &format!("waiting is impossible: {error}"));
                self.stop(false);
                break;
            }
            for event in &events {
                self.see_to(event);
            }
        }
        self.ended();
    }

    /// What has to be told to the warden, which is started first and each time it has ended.
    pub(super) fn start_warden(&mut self) {
        match Warden::start() {
            Ok(warden) => {
                for (session, service) in self.processes.sessions() {
                    if let Some(service) = self.services.get(&service) {
                        let _ = warden.watch(session, service.wanted.graceful_timeout);
                    }
                }
                self.remnants.tell(&warden, self.now());
                self.warden = Some(warden);
            }
            Err(error) => {
                let text = format!(
                    "the warden can't be started: {error}; if this server is killed, its services may be left behind"
                );
                self.log.event(Level::Error, None, &text);
            }
        }
    }

    /// Starts the services, and reads what root left for later.
    fn begin(&mut self) {
        self.first_look();
        let ids: Vec<ServiceId> = self.services.keys().copied().collect();
        for id in ids {
            let now = self.now();
            if let Some(service) = self.services.get_mut(&id) {
                let actions = service.start(now);
                self.act(id, actions);
            }
        }
        self.arrange_listeners();
        self.watchdog_at = self.half_watchdog().map(|half| self.now() + half);
    }

    fn see_to(&mut self, event: &Event) {
        match Token::of(event.token) {
            Some(Token::Signals) => self.read_signals(),
            Some(Token::Notify) => self.read_notifications(),
            Some(Token::StandardError) => self.standard_error_has_room(),
            Some(Token::Listener(number)) => self.accept(number),
            Some(Token::Session(number)) => {
                let gone = event.closed && !event.readable;
                self.sessions.ready(SessionId(number), gone, self.clock.elapsed());
            }
            Some(Token::Report(number)) => self.read_report(number),
            Some(Token::Output(number)) => self.read_output(number),
            Some(Token::Handover) => self.hear_taker(),
            Some(Token::Warden) | None => {}
        }
    }

    fn read_signals(&mut self) {
        let received = match self.signals.read() {
            Ok(received) => received,
            Err(error) => {
                self.log.event(Level::Error, None, &format!("signals can't be read: {error}"));
                return;
            }
        };
        // However many of a kind: a storm is one.
        let has = |signal| received.iter().any(|one| one.signal == signal);
        if has(signals::CHLD) {
            self.reap();
        }
        if has(signals::TERM) || has(signals::INT) {
            let signal = if has(signals::TERM) { "SIGTERM" } else { "SIGINT" };
            if self.phase == Phase::Stopping && has(signals::INT) {
                // A person at a terminal who asks twice does not want to wait.
                self.kill_all();
            } else {
                self.log.event(Level::Info, None, &format!("{signal}: the services are told to finish"));
                self.stop(self.taker.is_some());
            }
        }
        if has(signals::HUP) && matches!(self.phase, Phase::Starting | Phase::Serving) {
            self.has_worked = true;
            self.reload_by_signal();
        }
    }

    /// Everything whose time has come.
    fn due(&mut self) {
        let now = self.now();
        let ids: Vec<ServiceId> = self
            .services
            .iter()
            .filter(|(_, service)| service.deadline().is_some_and(|deadline| deadline <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(service) = self.services.get_mut(&id) {
                let actions = service.due(now);
                self.act(id, actions);
            }
        }
        self.end_remnants(now);
        self.sessions.expire(self.clock.elapsed());
        self.breathe(now);
        if self.watchdog_at.is_some_and(|at| at <= now) {
            self.tell_manager("WATCHDOG=1");
            self.watchdog_at = self.half_watchdog().map(|half| now + half);
        }
    }

    /// How long nothing is due: for ever, in a server that is idle.
    fn pause(&self) -> Option<Duration> {
        if self.sessions.waiting() > 0 {
            return Some(Duration::ZERO);
        }
        let services = self.services.values().filter_map(super::Service::deadline);
        let own = [self.remnants.deadline(), self.breathless_until, self.watchdog_at].into_iter().flatten();
        let next = services.chain(own).min().map(Duration::from_millis);
        let next = [next, self.sessions.deadline()].into_iter().flatten().min()?;
        Some(next.saturating_sub(self.clock.elapsed()))
    }

    /// An idle server holds as little memory as it can. Only when nobody talks to it, so that nobody waits for pages.
    fn before_sleep(&mut self) {
        if self.phase == Phase::Serving && self.sessions.count() == 0 && std::mem::take(&mut self.has_worked)
        {
            memory::release();
        }
    }

    /// A service is in another state: perhaps everything has started, or everything has ended.
    fn look_at_states(&mut self) {
        let now = self.now();
        match self.phase {
            Phase::Starting => {
                if self.services.values().all(|service| service.is_settled(now)) {
                    self.has_started(now);
                }
            }
            Phase::Stopping => {
                if self.services.is_empty() && self.processes.is_empty() && !self.remnants.are_waited_for() {
                    self.phase = Phase::Ended;
                }
            }
            Phase::Serving | Phase::Ended => {}
        }
        self.arrange_listeners();
    }

    pub(super) fn tell_manager(&mut self, words: &str) {
        let Some(manager) = &self.manager else { return };
        let Err(error) = manager.send(words) else {
            self.manager_is_deaf = false;
            return;
        };
        // Once, and not with every sign of life.
        if !std::mem::replace(&mut self.manager_is_deaf, true) {
            let text = format!("the service manager could not be told `{words}`: {error}");
            self.log.event(Level::Warning, None, &text.replace('\n', " "));
        }
    }

    fn half_watchdog(&self) -> Option<Millis> {
        let limit = self.manager.as_ref()?.watchdog()?;
        Some((millis(limit) / 2).max(1))
    }

    /// Reads no more from services until standard error takes what there is.
    pub(super) fn wait_for_standard_error(&mut self) {
        if self.waits_for_standard_error || self.log.flush() {
            return;
        }
        let added = self.events.add(self.log.descriptor(), Token::StandardError.number(), Interest::Write);
        if matches!(added, Ok(true)) {
            self.waits_for_standard_error = true;
            self.listen_to_outputs(false);
        }
    }

    fn standard_error_has_room(&mut self) {
        if self.log.flush() && std::mem::take(&mut self.waits_for_standard_error) {
            let _ = self.events.remove(self.log.descriptor());
            self.listen_to_outputs(true);
        }
    }

    fn hear_taker(&mut self) {
        let Some(taker) = &mut self.taker else { return };
        match taker.listen() {
            Word::Nothing => {}
            Word::Yield => {
                let text = format!(
                    "process {} goes on with the sockets: the services are told to finish",
                    taker.pid
                );
                let _ = self.events.remove(taker.socket.as_fd());
                self.log.event(Level::Info, None, &text);
                self.stop(true);
            }
            Word::Gone => {
                let text =
                    format!("process {}, which had the sockets, has gone: this server goes on", taker.pid);
                let _ = self.events.remove(taker.socket.as_fd());
                self.taker = None;
                if matches!(self.phase, Phase::Starting | Phase::Serving) {
                    self.log.event(Level::Warning, None, &text);
                }
            }
        }
    }
}
