//! `stepdown status`: what a process holds, every thread of it, as `/proc` shows it to whoever asks.
//!
//! Unlike the proof of `run` this is a look from outside: another process may change while it is read, and some of what
//! it holds only it can ask for.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::conf::{Cause, Finding, nearest, shown};
use stepdown::security::capability::CapSet;
use stepdown::security::credentials::{Securebits, words_of_set};
use stepdown_kernel::processes::{self, Process, ReadError, Seccomp, Thread, Unseen};
use stepdown_kernel::{accounts, host};

use crate::arguments::{Arguments, Format, UsageError};
use crate::output;
use crate::table::{self, Held, Words};
use stepdown::report;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let wanted = match &arguments.operands[..] {
        [] => None,
        [one] => Some(one.to_string_lossy()),
        _ => return Err(arguments.wrong("there is one process at most; several of one name are all shown")),
    };
    let processes = match find(wanted.as_deref()) {
        Ok(processes) => processes,
        Err(finding) => return Ok(fail(*finding, format)),
    };
    match format {
        Format::Text => {
            let mut text = String::new();
            let mut names = Names::default();
            for process in &processes {
                if !text.is_empty() {
                    text.push('\n');
                }
                block(&mut text, process, &mut names, table::width());
            }
            output::out(&text);
        }
        Format::Json => {
            let list: Vec<Value> = processes.iter().map(object).collect();
            output::out(&format!("{}\n", json!({ "processes": list })));
        }
    }
    Ok(0)
}

fn fail(finding: Finding, format: Format) -> u8 {
    match format {
        Format::Text => output::error(&report::text(&[finding], output::colour_error())),
        Format::Json => {
            output::out(&format!("{}\n", json!({ "processes": [], "findings": report::value(&[finding]) })));
        }
    }
    1
}

/// The processes that an operand names: a number, a name, or the caller where there is none.
fn find(wanted: Option<&str>) -> Result<Vec<Process>, Box<Finding>> {
    let Some(wanted) = wanted else {
        return match processes::own().1 {
            Some(parent) => Ok(vec![one(parent)?]),
            None => Err(Box::new(
                Finding::error(
                    "no-caller",
                    Cause::Host,
                    "the process that called this one can't be seen from here",
                )
                .because("it is outside of this process id namespace")
                .hint("name a process by its id or its name: stepdown status 1"),
            )),
        };
    };
    if !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        return match wanted.parse() {
            Ok(id) => Ok(vec![one(id)?]),
            Err(_) => Err(not_there(format!("there is no process {}", shown(wanted)))),
        };
    }
    let names = processes::names().map_err(|error| no_proc(&error))?;
    let mut list = Vec::new();
    for (id, _) in names.iter().filter(|(_, name)| processes::is_named(name, wanted)) {
        match processes::read(*id) {
            Ok(process) => list.push(process),
            // One of several that has ended since is none.
            Err(ReadError::NotThere | ReadError::Ended) => {}
            Err(error) => return Err(explain(*id, error)),
        }
    }
    if !list.is_empty() {
        return Ok(list);
    }
    let mut finding = *not_there(format!("there is no process named `{}`", shown(wanted)));
    // One of the very name has ended since it was listed.
    let others =
        names.iter().map(|(_, name)| name.as_str()).filter(|name| !processes::is_named(name, wanted));
    if let Some(near) = nearest(wanted, others) {
        finding = finding.hint(format!("did you mean `{}`?", shown(near)));
    }
    Err(Box::new(finding))
}

fn one(id: u32) -> Result<Process, Box<Finding>> {
    processes::read(id).map_err(|error| explain(id, error))
}

fn explain(id: u32, error: ReadError) -> Box<Finding> {
    match error {
        ReadError::NotThere => not_there(format!("there is no process {id}")),
        ReadError::Ended => Box::new(
            Finding::error(
                "process-ended",
                Cause::Host,
                format!("process {id} ended while it was looked at"),
            )
            .because("what was read by then is no state that it was ever in as a whole"),
        ),
        ReadError::ThreadOf(process) => Box::new(
            Finding::error("a-thread", Cause::Host, format!("{id} is a thread, not a process"))
                .because(format!("it belongs to process {process}"))
                .hint(format!("stepdown status {process} shows all of its threads")),
        ),
        ReadError::System(error) => match processes::hidden() {
            Some(value) => Box::new(
                Finding::error(
                    "process-hidden",
                    Cause::Host,
                    format!("process {id} can't be looked at: {error}"),
                )
                .because(format!(
                    "/proc is mounted with hidepid={value}, which hides processes of other users"
                ))
                .hint("ask as that user, as root, or as a member of the group of the mount's option gid"),
            ),
            None => no_proc(&error),
        },
    }
}

fn no_proc(error: &std::io::Error) -> Box<Finding> {
    Box::new(
        Finding::error("no-proc", Cause::Host, format!("/proc can't be read: {error}"))
            .because("it is the kernel's account of every process")
            .hint("mount -t proc proc /proc"),
    )
}

fn not_there(message: String) -> Box<Finding> {
    let finding = Finding::error("no-process", Cause::Host, message);
    Box::new(match processes::hidden() {
        Some(value) => finding.because(format!(
            "or it is hidden: /proc is mounted with hidepid={value}, and shows other users' to root alone"
        )),
        None => finding,
    })
}

/// Names of ids, each asked for once.
#[derive(Default)]
struct Names {
    users: BTreeMap<u32, Option<String>>,
    groups: BTreeMap<u32, Option<String>>,
}

impl Names {
    fn look_up(&mut self, process: &Process) {
        for thread in &process.threads {
            let status = &thread.status;
            for id in [status.uid.real, status.uid.effective, status.uid.saved, status.uid.filesystem] {
                self.users.entry(id).or_insert_with(|| accounts::name_of(id));
            }
            let ids = [status.gid.real, status.gid.effective, status.gid.saved, status.gid.filesystem];
            for id in ids.iter().chain(&status.groups) {
                self.groups.entry(*id).or_insert_with(|| accounts::name_of_group(*id));
            }
        }
    }
}

fn block(text: &mut String, process: &Process, names: &mut Names, width: usize) {
    names.look_up(process);
    let groups = alike(&process.threads);
    let many = process.threads.len();
    let threads = match (many, groups.len()) {
        (1, _) => "one thread".to_owned(),
        (_, 1) => format!("{many} threads, all alike"),
        (_, kinds) => format!("{many} threads of {kinds} kinds"),
    };
    let ended = if process.threads[0].state == 'Z' { ", ended and not yet waited for" } else { "" };
    table::wrap(
        text,
        &format!(
            "process {} ({}), {threads}{ended}:",
            process.id,
            report::clean(&process.name).replace('\n', "\\n")
        ),
        0,
        width,
    );
    let securebits = own_securebits(process);
    let first = rows(groups[0][0], process, securebits, names);
    for (name, value) in &first {
        table::row(text, name, value, width);
    }
    for group in &groups[1..] {
        table::wrap(text, &format!("{}:", who(group)), 0, width);
        for ((name, value), (_, usual)) in rows(group[0], process, securebits, names).iter().zip(&first) {
            if value != usual {
                table::row(text, name, value, width);
            }
        }
    }
}

/// The threads, those that hold the same together, those like the first thread first.
fn alike(threads: &[Thread]) -> Vec<Vec<&Thread>> {
    let same = |one: &Thread, other: &Thread| {
        let mut status = other.status.clone();
        (status.thread, status.threads) = (one.status.thread, one.status.threads);
        one.status == status && one.seccomp == other.seccomp
    };
    let mut groups: Vec<Vec<&Thread>> = Vec::new();
    for thread in threads {
        match groups.iter_mut().find(|group| same(group[0], thread)) {
            Some(group) => group.push(thread),
            None => groups.push(vec![thread]),
        }
    }
    groups
}

/// Which threads differ, in words: `but thread 12 (worker) differs`.
fn who(group: &[&Thread]) -> String {
    const SHOWN: usize = 6;
    let mut words = String::from(if group.len() == 1 { "but thread" } else { "but threads" });
    for (index, thread) in group.iter().take(SHOWN).enumerate() {
        let name = report::clean(&thread.name).replace('\n', "\\n");
        let _ = write!(words, "{} {} ({name})", if index == 0 { "" } else { "," }, thread.status.thread);
    }
    if group.len() > SHOWN {
        let _ = write!(words, " and {} more", group.len() - SHOWN);
    }
    words.push_str(if group.len() == 1 { " differs" } else { " differ" });
    words
}

fn rows(
    thread: &Thread,
    process: &Process,
    securebits: Option<Securebits>,
    names: &Names,
) -> Vec<(&'static str, String)> {
    let user = |id: u32| clean_name(names.users.get(&id));
    let group = |id: u32| clean_name(names.groups.get(&id));
    let count = host::capability_count();
    let words = Words { user: &user, group: &group, member: &group, set: &|set| short(set, count) };
    let mut held = Held::from(&thread.status);
    held.securebits = securebits.map(|bits| bits.to_string());
    let mut rows = table::rows(&held, &words);
    let seccomp = match thread.seccomp {
        Seccomp::Off => "off".to_owned(),
        Seccomp::Strict => "strict".to_owned(),
        Seccomp::Filters(None) => "filtered".to_owned(),
        Seccomp::Filters(Some(1)) => "filtered, by one program".to_owned(),
        Seccomp::Filters(Some(count)) => format!("filtered, by {count} programs"),
        Seccomp::Unknown => "not in this kernel".to_owned(),
    };
    let root = match &process.root {
        Ok(path) => report::clean(path).replace('\n', "\\n"),
        Err(Unseen::Denied) => "not readable: it takes the right to trace the process".to_owned(),
        Err(Unseen::None) => "none: the process has ended, or is the kernel's".to_owned(),
    };
    rows.extend([("seccomp", seccomp), ("root directory", root)]);
    rows
}

fn clean_name(name: Option<&Option<String>>) -> Option<String> {
    Some(report::clean(name?.as_ref()?))
}

/// A set in words that are quickly read: a full one, or nearly full, by what it lacks.
fn short(set: CapSet, count: u8) -> String {
    let all = CapSet::first(count);
    let missing = all.difference(set);
    if set == all {
        format!("all {count}")
    } else if set.is_subset(all) && missing.len() <= 4 && set.len() > missing.len() {
        format!("all but {missing}")
    } else {
        words_of_set(set)
    }
}

/// The secure bits, which the kernel tells a thread about itself alone.
fn own_securebits(process: &Process) -> Option<Securebits> {
    let own = process.id == processes::own().0;
    own.then(|| processes::own_securebits().ok().map(Securebits)).flatten()
}

fn object(process: &Process) -> Value {
    let securebits = own_securebits(process);
    let groups = alike(&process.threads);
    let threads: Vec<Value> = process
        .threads
        .iter()
        .map(|thread| {
            let mut object = table::json(&Held::from(&thread.status));
            object["thread"] = thread.status.thread.into();
            object["name"] = thread.name.clone().into();
            object["state"] = thread.state.to_string().into();
            object["securebits"] = securebits.map(|bits| bits.0).into();
            object["seccomp"] = match thread.seccomp {
                Seccomp::Off => json!({ "mode": "off" }),
                Seccomp::Strict => json!({ "mode": "strict" }),
                Seccomp::Filters(count) => json!({ "mode": "filtered", "filters": count }),
                Seccomp::Unknown => Value::Null,
            };
            object
        })
        .collect();
    json!({
        "pid": process.id,
        "parent": process.parent,
        "name": process.name,
        "root": process.root.as_ref().ok(),
        "alike": groups.len() == 1,
        "threads": threads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepdown::security::capability::Capability;

    #[test]
    fn a_set_is_told_by_the_shorter_way() {
        let all = CapSet::first(41);
        assert_eq!(short(all, 41), "all 41");
        assert_eq!(short(all.without(Capability::SYS_RESOURCE), 41), "all but cap_sys_resource");
        assert_eq!(short(CapSet::EMPTY, 41), "none");
        assert_eq!(short(CapSet::only(Capability::CHOWN), 2), "cap_chown");
        assert_eq!(short(CapSet::from_bits(1 << 45 | 1), 41), "cap_chown,45");
    }
}
