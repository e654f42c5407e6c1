//! `stepdown explain`: what `run` would do and why, in words. Nothing is changed, and no privilege is needed.
//!
//! Of a process as it is, running or pasted, [`question`] tells; [`graph`] draws.

mod ability;
mod graph;
mod question;
mod steps;

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Value, json};
use stepdown::Environment;
use stepdown::conf::Finding;
use stepdown::error::no_program;
use stepdown::prepare::{End, Ready, Refusal, prepare};
use stepdown::security::credentials::words_of_ids;
use stepdown::security::execve::ProgramFile;
use stepdown::security::policy::{BoundingSet, Origin};
use stepdown::security::text::canonical;
use stepdown::source;
use stepdown_kernel::host;
use stepdown_kernel::observe::Status;

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::{output, proof};
use stepdown::report;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let graph = arguments.has(Name::Graph);
    if graph && (arguments.has(Name::Format) || arguments.has(Name::Pid) || arguments.has(Name::State)) {
        return Err(arguments.wrong("--graph draws what becomes of a scope, as an SVG and nothing else"));
    }
    if let Some(status) = question::run(arguments)? {
        return Ok(status);
    }
    // The arguments of the program change nothing of what is explained.
    let program = arguments.operands.first().map(|name| name.as_bytes());
    let config = match source::load(arguments.value(Name::Config).map(Path::new)) {
        Ok(config) => config,
        Err(findings) => return Ok(refuse(&findings, format)),
    };
    let ready = match prepare(&config, End::Forecast(program), &[], &Environment::of_process()) {
        Ok(ready) => ready,
        Err(Refusal::Findings(findings)) => return Ok(refuse(&findings, format)),
        Err(Refusal::Program(error)) => return Ok(refuse(&[no_program(&error)], format)),
    };
    match format {
        _ if graph => output::out(&graph::svg(&ready)),
        Format::Text => output::out(&text(&ready, output::colour_out())),
        Format::Json => output::out(&format!("{}\n", json(&ready))),
    }
    Ok(0)
}

fn refuse(findings: &[Finding], format: Format) -> u8 {
    match format {
        Format::Text => output::error(&report::text(findings, output::colour_error())),
        Format::Json => output::out(&format!("{}\n", json!({ "findings": report::value(findings) }))),
    }
    1
}

fn text(ready: &Ready, colour: bool) -> String {
    let heading =
        |words: &str| if colour { format!("\u{1b}[1m{words}\u{1b}[0m\n") } else { format!("{words}\n") };
    let mut text = heading("What is asked for");
    for (name, value, origin) in asked(ready) {
        let _ = writeln!(text, "  {name:<20}{value}");
        let _ = writeln!(text, "  {:<20}  {origin}", "");
    }
    text.push('\n');
    text.push_str(&heading("From"));
    let _ = writeln!(text, "  {}", from());
    for (name, value) in proof::rows(&ready.plan.start, None) {
        if !["securebits", "root directory"].contains(&name) {
            let _ = writeln!(text, "  {name:<20}{}", steps::short(&value));
        }
    }
    text.push('\n');
    text.push_str(&heading("Step by step, and what each changes"));
    text.push_str(&steps::text(
        &ready.plan,
        ready.policy.chroot.as_ref().map(|chroot| chroot.value.as_str()),
    ));
    text.push('\n');
    text.push_str(&heading("Then execve(2)"));
    match (&ready.program, &ready.plan.after_execve) {
        (Some(program), Some(after)) => {
            let path = program.path.to_string_lossy();
            let _ = writeln!(text, "  of {}", about(&path, &program.file));
            text.push_str(&steps::changes(&ready.plan.end, after, "  "));
        }
        _ => text.push_str(
            "  of any program that has no set-id bits and no capabilities of its own: nothing changes\n",
        ),
    }
    text.push('\n');
    let ability = ability::of(ready);
    text.push_str(&heading("What the program can do that another unprivileged program can't"));
    items(&mut text, &ability.can);
    text.push('\n');
    text.push_str(&heading("What it can no longer do"));
    items(&mut text, &ability.cannot);
    if !ready.findings.is_empty() {
        text.push('\n');
        text.push_str(&report::text(&ready.findings, colour));
    }
    text
}

fn json(ready: &Ready) -> Value {
    let asked: Vec<Value> = asked(ready)
        .into_iter()
        .map(|(name, value, origin)| json!({ "option": name, "value": value, "origin": origin }))
        .collect();
    let ability = ability::of(ready);
    json!({
        "asked": asked,
        "from": { "words": from(), "state": proof::state(&ready.plan.start) },
        "steps": steps::json(&ready.plan),
        "end": proof::state(&ready.plan.end),
        "execve": ready.program.as_ref().map(|program| json!({
            "program": program.path.to_string_lossy(),
            "file": about(&program.path.to_string_lossy(), &program.file),
            "state": ready.plan.after_execve.as_ref().map(proof::state),
        })),
        "can": ability.can,
        "cannot": ability.cannot,
        "findings": report::value(&ready.findings),
    })
}

/// Each option with its value and where that comes from.
fn asked(ready: &Ready) -> Vec<(&'static str, String, String)> {
    let policy = &ready.policy;
    let named =
        |id: u32, name: Option<&String>| name.map_or_else(|| id.to_string(), |name| format!("{name} ({id})"));
    let none = |rule: &'static str| Origin::Default(rule).to_string();
    let user = &policy.user.value;
    let group = &policy.group.value;
    let count = host::capability_count();
    let capabilities = match &policy.capabilities {
        Some(capabilities) => (canonical(&capabilities.value, count), capabilities.origin.to_string()),
        None if policy.stays_root() => {
            ("all that it is started with".to_owned(), none("root without Capabilities stays root"))
        }
        None => ("none".to_owned(), none("without Capabilities, none are retained")),
    };
    let bounding = match &policy.bounding_set {
        Some(set) => match set.value {
            BoundingSet::Unchanged => ("all, as it is".to_owned(), set.origin.to_string()),
            BoundingSet::Exactly(names) => {
                (stepdown::security::credentials::words_of_set(names), set.origin.to_string())
            }
        },
        None => ("what is retained".to_owned(), none("the retained capabilities")),
    };
    let chroot = match &policy.chroot {
        Some(chroot) => (report::clean(&chroot.value), chroot.origin.to_string()),
        None => ("the root directory stays".to_owned(), none("without Chroot, none is entered")),
    };
    let on = if policy.no_new_privs.value { "true" } else { "false" };
    vec![
        ("User", named(user.id, user.name.as_ref()), policy.user.origin.to_string()),
        ("Group", named(group.id, group.name.as_ref()), policy.group.origin.to_string()),
        ("Supplemental_Groups", words_of_ids(&policy.groups.value), policy.groups.origin.to_string()),
        ("Capabilities", capabilities.0, capabilities.1),
        ("Bounding_Set", bounding.0, bounding.1),
        ("No_New_Privs", on.to_owned(), policy.no_new_privs.origin.to_string()),
        ("Chroot", chroot.0, chroot.1),
    ]
}

fn from() -> String {
    match Status::of_process(std::process::id()) {
        Ok(status) if status.uid.effective != 0 => format!(
            "a process started as root, which this one is not: it is user {}; what it would have is taken from its bounding set",
            status.uid.effective
        ),
        _ => "this process as it is".to_owned(),
    }
}

/// A program file in words: what of it counts at execve(2).
fn about(path: &str, file: &ProgramFile) -> String {
    let mut words = if file.path == path {
        path.to_owned()
    } else {
        format!("{path}, a script that {} executes", file.path)
    };
    let mut facts = Vec::new();
    let ignored = if file.nosuid { ", ignored on its nosuid mount" } else { "" };
    if file.set_user_id {
        facts.push(format!("set-user-id of user {}{ignored}", file.owner));
    }
    if file.set_group_id {
        facts.push(format!("set-group-id of group {}{ignored}", file.group));
    }
    if let Some(capabilities) = file.capabilities {
        facts.push(format!("with the capabilities {capabilities}{ignored}"));
    }
    if facts.is_empty() {
        facts.push("no set-id bits, no capabilities of its own".to_owned());
    }
    words.push_str(": ");
    words.push_str(&facts.join("; "));
    report::clean(&words)
}

fn items(text: &mut String, list: &[String]) {
    if list.is_empty() {
        text.push_str("  nothing\n");
    }
    for item in list {
        let mut lines = String::new();
        crate::help::wrap(&mut lines, &format!("- {item}"), 2);
        // What follows the first line stands under its first word.
        text.push_str(&lines.trim_end().replace("\n  ", "\n    "));
        text.push('\n');
    }
}
