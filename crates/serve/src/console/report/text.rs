//! The reports in words.

use std::fmt::Write;

use stepdown::report::clean;
use stepdown_conf::shown_path;

use super::{Difference, ListenerReport, RestartRequired, ServiceReport, StatusReport};
use crate::console::lines;

/// The answer to `status`.
#[must_use]
pub fn status(report: &StatusReport) -> String {
    let mut text = String::new();
    let ill: Vec<&ServiceReport> = report.services.iter().filter(|service| !service.is_well).collect();
    let mut first = format!(
        "stepdown {} on {}: {}, pid {}, for {}",
        report.version,
        clean(&report.node),
        report.state,
        report.pid,
        lines::duration(report.uptime)
    );
    if report.pending.is_some() {
        first.push_str(" - RESTART REQUIRED");
    }
    match ill.len() {
        0 => {}
        1 => first.push_str(" - ONE SERVICE IS NOT WELL"),
        count => {
            let _ = write!(first, " - {count} SERVICES ARE NOT WELL");
        }
    }
    lines::wrap(&mut text, &first, 0);
    row(&mut text, "configuration", &format!("{}, generation {}", clean(&report.file), report.generation));
    if !report.unsaved.is_empty() {
        let count = report.unsaved.len();
        let words = if count == 1 { "one online change is" } else { &format!("{count} online changes are") };
        row(&mut text, "", &format!("{words} in no file yet: `config writeback`"));
    }
    for (name, words) in &report.security {
        row(&mut text, name, words);
    }
    row(&mut text, "proof", &report.proof);
    if let Some(pending) = &report.pending {
        row(
            &mut text,
            "restart required",
            &format!("since {} ({})", lines::time(pending.since), lines::duration(pending.ago)),
        );
        for difference in &pending.differences {
            row(&mut text, "", &difference.words());
        }
        row(&mut text, "", "the old values stay in force until `stepdown restart`");
        if let Some(local) = pending.differences.iter().find(|difference| difference.is_local) {
            row(&mut text, "", &local.remedy());
        }
    }
    let count = report.services.len();
    let words = match (count, ill.len()) {
        (0, _) => "none".to_owned(),
        (_, 0) => format!("{count}, all well"),
        (_, ill) => format!("{count}, {ill} not well"),
    };
    row(&mut text, "services", &words);
    for service in ill {
        row(&mut text, "", &service.words());
    }
    row(&mut text, "listeners", &report.listeners.to_string());
    row(&mut text, "sessions", &report.sessions.to_string());
    text
}

/// The answer to `services`.
#[must_use]
pub fn services(reports: &[ServiceReport]) -> String {
    let mut text = String::new();
    for report in reports {
        lines::wrap(&mut text, &report.words(), 0);
        let processes: Vec<String> = report.pids.iter().map(u32::to_string).collect();
        if !processes.is_empty() {
            row(&mut text, if processes.len() == 1 { "process" } else { "processes" }, &processes.join(" "));
        }
        if let Some((count, most)) = report.connections {
            row(&mut text, "connections", &format!("{count} of at most {most}"));
        }
        if report.restarts > 0 {
            row(&mut text, "started again", &report.restarts.to_string());
        }
        for (name, words) in [("ended last", &report.last_end), ("says", &report.says)] {
            if let Some(words) = words {
                row(&mut text, name, &clean(words));
            }
        }
    }
    if reports.is_empty() {
        text.push_str("there are no services\n");
    }
    text
}

/// The answer to `listeners`.
#[must_use]
pub fn listeners(reports: &[ListenerReport]) -> String {
    let mut text = String::new();
    let longest = reports.iter().map(|report| report.address.chars().count()).max().unwrap_or(0);
    let column = longest.min(40) + 2;
    for report in reports {
        let of = match (&report.service, &report.name) {
            (None, _) => "console".to_owned(),
            (Some(service), Some(name)) if name != service => {
                format!("{}, as {}", clean(service), clean(name))
            }
            (Some(service), _) => clean(service),
        };
        lines::row(&mut text, &clean(&report.address), &format!("{:<8}  {of}", report.kind), column);
    }
    if reports.is_empty() {
        text.push_str("there are no listeners\n");
    }
    text
}

impl ServiceReport {
    /// Its name and its state, and what is wrong with it, in one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let mut text = format!("{}: {} for {}", clean(&self.name), self.state, lines::duration(self.since));
        if let Some(failure) = &self.failure {
            let _ = write!(text, "; {}", clean(failure));
        } else if let (false, Some(end)) = (self.is_well, &self.last_end) {
            let _ = write!(text, "; {}", clean(end));
        }
        text
    }
}

impl Difference {
    /// The option, what is in force, and what is written now, with its place.
    #[must_use]
    pub fn words(&self) -> String {
        let place = |place: &Option<stepdown_conf::Place>| match place {
            Some(place) => format!(" ({place})"),
            None => " (the default)".to_owned(),
        };
        format!(
            "{}: now {}{}, then {}{}",
            self.option,
            self.old,
            place(&self.old_place),
            self.new,
            place(&self.new_place)
        )
    }
}

impl Difference {
    /// What puts it in force.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self.new_place.as_ref().filter(|_| self.is_local) {
            None => "`stepdown restart` puts it in force".to_owned(),
            Some(place) => format!(
                "root, who starts the server, does not read {} while others can write to it: write it into the main configuration, \
                 then `stepdown restart`",
                shown_path(&place.file)
            ),
        }
    }
}

impl RestartRequired {
    /// A line for each option, behind one that says what they wait for.
    #[must_use]
    pub fn words(&self) -> String {
        let mut text =
            format!("restart required since {}; until `stepdown restart`:\n", lines::time(self.since));
        for difference in &self.differences {
            lines::wrap(&mut text, &difference.words(), 2);
        }
        text
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    const COLUMN: usize = 20;
    let name = if name.is_empty() { String::new() } else { format!("  {name}") };
    lines::row(text, &name, value, COLUMN);
}

#[cfg(test)]
mod tests;
