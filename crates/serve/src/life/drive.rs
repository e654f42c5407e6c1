//! What each event does.

use stepdown_conf::{Severity, shown_path};

use super::process::{Finishing, Leaving, Process};
use super::{Action, End, Event, Idle, Instance, LASTING, Life, Millis, Notification, Settings, Signal};
use crate::wanted::Restart;

/// So many processes may be told to finish and not have ended. When there are more, the oldest is killed.
pub(super) const MOST_LEAVING: usize = 8;

/// From the second failure in a row the pause is no shorter, whatever is written: a program that can't be executed
/// must not keep a processor busy.
const LEAST_PAUSE: Millis = 100;

/// Which of the two processes that are the service's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Current,
    Next,
}

impl Life {
    pub(super) fn take(&mut self, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Start => {
                if self.current.is_none() && self.idle == Idle::Stopped {
                    self.start(out);
                }
            }
            Event::Executed(id) => self.executed(id, out),
            Event::NotExecuted(id, why) => {
                self.ended(id, &format!("can't be executed: {}", shown_path(&why)), false, out);
            }
            Event::Said(id, notification) => self.said(id, notification, out),
            Event::Exited(id, end) => self.exited(id, end, out),
            Event::Replace(settings) => {
                self.settings = settings;
                self.renew(out);
            }
            Event::Retime(settings) => self.retime(settings, out),
            Event::Stop => self.stop(out),
            // What was stopped is about to be forgotten.
            Event::Restart if self.current.is_none() && self.idle == Idle::Stopped => {}
            Event::Restart => self.renew(out),
            Event::Kill => {
                self.stop(out);
                for leaving in self.leaving.iter_mut().filter(|leaving| leaving.kill_at.is_some()) {
                    leaving.kill_at = None;
                    out.push(Action::Signal(leaving.id, Signal::Kill));
                }
            }
            Event::Deadline => self.due(out),
        }
    }

    fn process(&mut self, slot: Slot) -> &mut Option<Process> {
        match slot {
            Slot::Current => &mut self.current,
            Slot::Next => &mut self.next,
        }
    }

    /// Which it is; neither for one that was told to finish, or has ended.
    fn slot_of(&self, id: Instance) -> Option<Slot> {
        let is = |process: &Option<Process>| process.as_ref().is_some_and(|process| process.id == id);
        match (is(&self.current), is(&self.next)) {
            (true, _) => Some(Slot::Current),
            (_, true) => Some(Slot::Next),
            _ => None,
        }
    }

    fn spawn(&mut self, slot: Slot, out: &mut Vec<Action>) {
        self.last_instance += 1;
        let id = Instance(self.last_instance);
        *self.process(slot) = Some(Process::new(id, self.now));
        out.push(Action::Spawn(id));
    }

    /// Starts it where nothing runs.
    fn start(&mut self, out: &mut Vec<Action>) {
        self.idle = Idle::Stopped;
        self.spawn(Slot::Current, out);
    }

    /// A new process, beside the current one where that serves or may come to.
    fn renew(&mut self, out: &mut Vec<Action>) {
        self.failures = 0;
        self.replacement_failure = None;
        if let Some(process) = &mut self.current {
            process.outdated = true;
        }
        self.dismiss(Slot::Next, out);
        if self.current.as_ref().is_some_and(|process| process.finishing.is_some()) {
            self.dismiss(Slot::Current, out);
        }
        match &self.current {
            Some(_) => self.spawn(Slot::Next, out),
            None => self.start(out),
        }
    }

    fn retime(&mut self, settings: Settings, out: &mut Vec<Action>) {
        self.settings = settings;
        if self.current.is_some() {
            return;
        }
        match self.idle {
            Idle::GivenUp => self.renew(out),
            Idle::Ended { success } if self.again(success) => self.renew(out),
            Idle::Pausing { until } => {
                let pause = self.pause();
                self.idle = Idle::Pausing { until: until.min(self.now.saturating_add(pause)) };
            }
            _ => {}
        }
    }

    fn stop(&mut self, out: &mut Vec<Action>) {
        self.dismiss(Slot::Next, out);
        self.dismiss(Slot::Current, out);
        self.idle = Idle::Stopped;
        if self.leaving.is_empty() {
            out.push(Action::Gone);
        }
    }

    /// Tells a process to finish, unless it was told already; from then on it is waited for, and no more than that.
    fn dismiss(&mut self, slot: Slot, out: &mut Vec<Action>) {
        let Some(process) = self.process(slot).take() else { return };
        let kill_at = match process.finishing {
            Some(Finishing { kill_at, why: Some(_) }) => kill_at,
            // One that began to finish by itself has not had the signal.
            _ => self.term(process.id, out),
        };
        self.leaving.push(Leaving { id: process.id, kill_at, is_late: false });
        let mut waiting = self.leaving.iter_mut().filter(|leaving| leaving.kill_at.is_some());
        if let Some(oldest) = waiting.next()
            && waiting.count() >= MOST_LEAVING
        {
            oldest.kill_at = None;
            out.push(Action::Signal(oldest.id, Signal::Kill));
        }
    }

    /// SIGTERM, or SIGKILL where no time is given; and when to kill it.
    fn term(&mut self, id: Instance, out: &mut Vec<Action>) -> Option<Millis> {
        if self.settings.graceful_timeout == 0 {
            out.push(Action::Signal(id, Signal::Kill));
            return None;
        }
        out.push(Action::Signal(id, Signal::Term));
        Some(self.now.saturating_add(self.settings.graceful_timeout))
    }

    fn executed(&mut self, id: Instance, out: &mut Vec<Action>) {
        let Some(slot) = self.slot_of(id) else { return };
        let now = self.now;
        if let Some(process) = self.process(slot) {
            process.executed.get_or_insert(now);
        }
        if !self.settings.notify && self.settings.ready_after == 0 {
            self.ready(slot, out);
        }
    }

    fn said(&mut self, id: Instance, notification: Notification, out: &mut Vec<Action>) {
        let Some(slot) = self.slot_of(id) else { return };
        let now = self.now;
        let graceful = self.settings.graceful_timeout;
        let Some(process) = self.process(slot) else { return };
        match notification {
            Notification::Ready => {
                process.reloading = false;
                self.ready(slot, out);
            }
            Notification::Reloading => process.reloading = process.ready.is_some(),
            Notification::Stopping => {
                if process.finishing.is_none() {
                    let kill_at = Some(now.saturating_add(graceful));
                    process.finishing = Some(Finishing { kill_at, why: None });
                }
            }
            Notification::Status(text) => process.status = text,
            Notification::Extend(time) => process.extended = Some(now.saturating_add(time)),
            // Nothing waits for it.
            Notification::Watchdog => {}
        }
    }

    fn ready(&mut self, slot: Slot, out: &mut Vec<Action>) {
        let now = self.now;
        match self.process(slot) {
            Some(process) if process.ready.is_none() && process.finishing.is_none() => {
                process.ready = Some(now)
            }
            _ => return,
        }
        if slot == Slot::Next {
            let words = "the replacement is ready; the old process is told to finish";
            out.push(Action::Say(Severity::Note, words.into()));
            self.dismiss(Slot::Current, out);
            self.current = self.next.take();
        } else {
            out.push(Action::Say(Severity::Note, "ready".into()));
        }
        // One that was to be replaced, and is ready only now, is not what failed.
        if self.current.as_ref().is_some_and(|process| !process.outdated) {
            self.replacement_failure = None;
        }
    }

    fn due(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        for leaving in self.leaving.iter_mut().filter(|leaving| leaving.kill_at.is_some_and(|at| at <= now)) {
            leaving.kill_at = None;
            leaving.is_late = true;
            out.push(Action::Signal(leaving.id, Signal::Kill));
        }
        // The next one first: if both have come to be ready, the newer is the one to stay.
        for slot in [Slot::Next, Slot::Current] {
            self.process_due(slot, out);
        }
        if let (None, Idle::Pausing { until }) = (&self.current, self.idle)
            && until <= now
        {
            self.restarts += 1;
            self.start(out);
        }
    }

    fn process_due(&mut self, slot: Slot, out: &mut Vec<Action>) {
        let (now, settings) = (self.now, self.settings.clone());
        let Some(process) = self.process(slot) else { return };
        if process.deadline(&settings).is_none_or(|at| at > now) {
            return;
        }
        let id = process.id;
        if let Some(finishing) = &mut process.finishing {
            finishing.kill_at = None;
            finishing.why.get_or_insert_with(|| "did not finish in time".into());
            out.push(Action::Signal(id, Signal::Kill));
        } else if process.ready_at(&settings).is_some() {
            self.ready(slot, out);
        } else {
            let why = format!("was not ready within {}", seconds(now.saturating_sub(process.spawned)));
            self.start_failed(slot, id, why, out);
        }
    }

    /// A start took too long: the process is told to finish.
    fn start_failed(&mut self, slot: Slot, id: Instance, why: String, out: &mut Vec<Action>) {
        match slot {
            Slot::Next => {
                self.replacement_failed(&why, out);
                self.dismiss(Slot::Next, out);
            }
            Slot::Current => {
                out.push(Action::Say(Severity::Error, format!("{why}, and is told to finish")));
                let kill_at = self.term(id, out);
                if let Some(process) = &mut self.current {
                    process.finishing = Some(Finishing { kill_at, why: Some(why) });
                }
            }
        }
    }

    fn replacement_failed(&mut self, why: &str, out: &mut Vec<Action>) {
        self.replacement_failure = Some(why.to_owned());
        out.push(Action::Say(
            Severity::Error,
            format!("replacement failed: it {why}; the old process stays"),
        ));
    }

    fn exited(&mut self, id: Instance, end: End, out: &mut Vec<Action>) {
        let late = self.leaving.iter().any(|leaving| leaving.id == id && leaving.is_late);
        let finishing = match self.slot_of(id) {
            Some(slot) => self.process(slot).as_ref().and_then(|process| process.finishing.as_ref()),
            None => None,
        };
        match finishing.and_then(|finishing| finishing.why.clone()) {
            None if late => self.ended(id, &format!("did not finish in time, and {end}"), false, out),
            Some(why) => self.ended(id, &format!("{why}, and {end}"), false, out),
            None => self.ended(id, &end.to_string(), end.is_success(), out),
        }
    }

    fn ended(&mut self, id: Instance, how: &str, success: bool, out: &mut Vec<Action>) {
        match self.slot_of(id) {
            Some(Slot::Next) => {
                self.next = None;
                self.replacement_failed(how, out);
            }
            Some(Slot::Current) => {
                let ready = self.current.take().and_then(|process| process.ready);
                self.last_end = Some(how.to_owned());
                if self.next.is_some() {
                    out.push(Action::Say(Severity::Note, format!("{how}; its replacement takes its place")));
                    self.current = self.next.take();
                } else {
                    self.current_ended(how, success, ready, out);
                }
            }
            None => {
                let before = self.leaving.len();
                self.leaving.retain(|leaving| leaving.id != id);
                if self.leaving.len() == before {
                    return;
                }
                let stopped = self.current.is_none() && self.idle == Idle::Stopped;
                let which = if stopped { "" } else { "the old process " };
                out.push(Action::Say(Severity::Note, format!("{which}{how}")));
                if stopped {
                    self.last_end = Some(how.to_owned());
                    if self.leaving.is_empty() {
                        out.push(Action::Gone);
                    }
                }
            }
        }
    }

    fn current_ended(&mut self, how: &str, success: bool, ready: Option<Millis>, out: &mut Vec<Action>) {
        if !self.again(success) {
            self.idle = Idle::Ended { success };
            let level = if success { Severity::Note } else { Severity::Error };
            out.push(Action::Say(level, format!("{how}; Restart says that it is not started again")));
            return;
        }
        let lasted = ready.is_some_and(|ready| self.now.saturating_sub(ready) >= LASTING);
        self.failures = if lasted { 0 } else { self.failures.saturating_add(1) };
        if self.settings.restart_limit.is_some_and(|limit| self.failures >= limit) {
            self.idle = Idle::GivenUp;
            let starts = self.failures;
            out.push(Action::Say(
                Severity::Error,
                format!("{how}; given up after {starts} starts in a row that did not last; `restart` tries it again"),
            ));
            return;
        }
        let pause = self.pause();
        self.idle = Idle::Pausing { until: self.now.saturating_add(pause) };
        let when = format!("{how}; it is started again in {}", seconds(pause));
        out.push(Action::Say(Severity::Warning, when));
    }

    fn again(&self, success: bool) -> bool {
        match self.settings.restart {
            Restart::Always => true,
            Restart::OnFailure => !success,
            Restart::Never => false,
        }
    }

    /// The pause after so many failures in a row.
    fn pause(&self) -> Millis {
        let doublings = self.failures.saturating_sub(1).min(40);
        let grown = self.settings.restart_pause.saturating_mul(1 << doublings);
        let least = if self.failures > 1 { LEAST_PAUSE } else { 0 };
        grown.min(self.settings.restart_pause_max).max(least)
    }
}

/// Milliseconds as seconds, in words.
fn seconds(time: Millis) -> String {
    match (time / 1000, time % 1000) {
        (whole, 0) => format!("{whole} s"),
        (whole, rest) => format!("{whole}.{} s", format!("{rest:03}").trim_end_matches('0')),
    }
}
