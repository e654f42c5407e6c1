//! The commands that change the configuration. In words: `docs/console.md`, "Changes".

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::console::Reply as Said;
use stepdown::online::{Candidate, Draft, Outcome};
use stepdown::report;
use stepdown_conf::{Cause, Finding};

use super::{Applied, Asker, Server};

/// `config set` and `unset`: in the session's transaction, or else at once, as a transaction of its own.
pub(super) fn change<S: Server>(
    server: &mut S,
    draft: &mut Option<Draft>,
    asker: &Asker,
    make: impl FnOnce(&mut Draft) -> Result<Said, Vec<Finding>>,
) -> Said {
    if let Some(draft) = draft {
        return make(draft).unwrap_or_else(Said::refused);
    }
    let mut draft = Draft::begin(server.online(), &asker.who);
    let said = match make(&mut draft) {
        Ok(said) if draft.changes().is_empty() => return said,
        Ok(said) => said,
        Err(findings) => return Said::refused(findings),
    };
    let candidate = match draft.candidate(server.online()) {
        Ok(candidate) => candidate,
        Err(finding) => return Said::refused(vec![*finding]),
    };
    match server.apply(candidate) {
        // The new line is the answer; what it did to listeners and services is told apart from it.
        Ok(applied) => with(said, &applied),
        Err(findings) => failed(findings),
    }
}

pub(super) fn begin<S: Server>(
    server: &mut S,
    draft: &mut Option<Draft>,
    asker: &Asker,
    from_scratch: bool,
) -> Said {
    if draft.is_some() {
        return refused(
            "transaction-open",
            "this session has a transaction already",
            "`config commit` or `config rollback` ends it",
        );
    }
    let online = server.online();
    let begun = match from_scratch {
        true => Draft::begin_from_scratch(online, &asker.who),
        false => Ok(Draft::begin(online, &asker.who)),
    };
    match begun {
        Ok(begun) => {
            *draft = Some(begun);
            let from = if from_scratch { " from an empty configuration" } else { "" };
            let text = format!("a transaction has begun{from}\n");
            Said::said(text, json!({ "transaction": true, "from_scratch": from_scratch }))
        }
        Err(findings) => Said::refused(findings),
    }
}

pub(super) fn commit<S: Server>(server: &mut S, draft: &mut Option<Draft>) -> Said {
    let Some(open) = draft else { return no_transaction() };
    let candidate = match open.candidate(server.online()) {
        Ok(candidate) => candidate,
        Err(finding) => return Said::refused(vec![*finding]),
    };
    let count = open.changes().len();
    apply(server, candidate, |_| {
        *draft = None;
        match count {
            1 => "one change is committed".to_owned(),
            count => format!("{count} changes are committed"),
        }
    })
}

pub(super) fn rollback(draft: &mut Option<Draft>) -> Said {
    let Some(open) = draft.take() else { return no_transaction() };
    let count = open.changes().len();
    let text = match count {
        0 => "the transaction is over; it had no changes\n".to_owned(),
        1 => "the transaction is over; its change is forgotten\n".to_owned(),
        count => format!("the transaction is over; its {count} changes are forgotten\n"),
    };
    Said::said(text, json!({ "transaction": false, "forgotten": count }))
}

pub(super) fn replay<S: Server>(server: &mut S, draft: &mut Option<Draft>) -> Said {
    let Some(open) = draft else { return no_transaction() };
    match open.replay(server.online()) {
        Ok(warnings) => {
            let count = open.changes().len();
            let changes =
                if count == 1 { "one change is".to_owned() } else { format!("{count} changes are") };
            let text = format!("{changes} made again on what is running now; `config commit` applies it\n");
            Said::said(text, json!({ "transaction": true, "changes": count })).with(warnings)
        }
        Err(findings) => Said::refused(findings),
    }
}

pub(super) fn reload<S: Server>(
    server: &mut S,
    draft: &Option<Draft>,
    asker: &Asker,
    path: Option<&str>,
) -> Said {
    if draft.is_some() {
        return refused(
            "transaction-open",
            "a reload would take away what this session's transaction is about",
            "`config commit` or `config rollback` ends it",
        );
    }
    match server.online().reload(path, &asker.who) {
        Ok(candidate) => apply(server, candidate, |_| "the configuration is reloaded".to_owned()),
        Err(findings) => failed(findings),
    }
}

pub(super) fn write_back<S: Server>(server: &mut S, path: Option<&str>) -> Said {
    let written = server.online().writeback(path);
    let mut text = String::new();
    for file in &written.files {
        let what = if file.outcome == Outcome::Saved { "saved" } else { "not saved" };
        let _ = writeln!(text, "{}: {what}", report::clean(&file.path));
    }
    if written.files.is_empty() && written.unsaved.is_empty() {
        text.push_str("every change is in a file already\n");
    }
    if !written.unsaved.is_empty() {
        text.push_str("what is in no file, as it could be typed again:\n");
        for line in written.unsaved.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    let files: Value = written
        .files
        .iter()
        .map(|file| json!({ "path": file.path, "saved": file.outcome == Outcome::Saved }))
        .collect();
    let unsaved: Value = written.unsaved.lines().collect();
    let is_refused = written.findings.iter().any(Finding::is_error);
    let said = Said::said(text, json!({ "files": files, "unsaved": unsaved })).with(written.findings);
    // A change that no file can take is a warning, a file that could not be written is a "no".
    Said { status: u8::from(is_refused), ..said }
}

/// Applies a candidate, and says what is different now.
fn apply<S: Server>(server: &mut S, candidate: Candidate, done: impl FnOnce(&Applied) -> String) -> Said {
    let warnings = candidate.warnings().to_vec();
    match server.apply(candidate) {
        Ok(applied) => {
            let said = Said::said(format!("{}\n", done(&applied)), json!({ "applied": true }));
            with(said.with(warnings), &applied)
        }
        Err(findings) => failed(findings),
    }
}

/// The answer, and below it what is different now and what waits for a restart.
fn with(mut said: Said, applied: &Applied) -> Said {
    for change in &applied.changes {
        // The words of a value could be read as a file; so can these.
        let _ = writeln!(said.text, "# {}", report::clean(change));
    }
    if let Some(pending) = &applied.pending {
        for difference in &pending.differences {
            said.findings.push(
                Finding::warning("restart-required", Cause::Text, difference.words())
                    .because("it can't change in a process that runs")
                    .hint(difference.remedy()),
            );
        }
    }
    if let Value::Object(object) = &mut said.json {
        object.insert("changes".to_owned(), applied.changes.iter().map(String::as_str).collect());
        let pending = applied.pending.as_ref().map(super::RestartRequired::json);
        object.insert("restart_required".to_owned(), json!(pending));
    }
    said.with(applied.warnings.clone())
}

/// Nothing has changed: the reasons, and below them that it is so.
fn failed(mut findings: Vec<Finding>) -> Said {
    findings.push(
        Finding::error("reconfigure-failed", Cause::Text, "Reconfigure failed")
            .because("the server goes on as it was: a change is made as a whole, or not at all"),
    );
    Said::refused(findings)
}

fn no_transaction() -> Said {
    refused("no-transaction", "this session has no transaction", "`config begin` begins one")
}

fn refused(code: &'static str, message: &str, hint: &'static str) -> Said {
    Said::refused(vec![Finding::error(code, Cause::Text, message.to_owned()).hint(hint)])
}
