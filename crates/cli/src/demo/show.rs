//! Shows the evidence of the demonstration, to a person or a machine.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::security::capability::CapSet;
use stepdown::security::credentials::{Ids, words_of_ids, words_of_set};
use stepdown_kernel::host;
use stepdown_kernel::observe::Status;

use super::Evidence;
use crate::table::{self, Held};

/// The evidence for a person.
pub(crate) fn text(evidence: &Evidence, sound: bool, colour: bool) -> String {
    let (bold, plain) = if colour { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let place = &evidence.place;
    let mut text = format!("{bold}A server that starts as root and serves without it{plain}\n\nWhere:\n");
    for words in &place.words {
        wrapped(&mut text, words);
    }
    let _ = writeln!(text, "\nThe scope:");
    for line in place.scope().lines() {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\n{bold}  {:<14}{:<30}after, as /proc shows the server{plain}", "", "before");
    let rows = rows(&evidence.before).into_iter().zip(rows(&evidence.after));
    for ((name, before), (_, after)) in rows {
        let _ = writeln!(text, "  {name:<14}{before:<30}{after}");
    }
    let _ =
        writeln!(text, "\nServed: GET http://127.0.0.1:{}/ was answered `{}`", place.port, evidence.greeting);
    let _ = writeln!(text, "\nTried from inside the server, to get root back:");
    for tried in &evidence.tried {
        let verdict = if tried.refused { "refused" } else { "NOT REFUSED" };
        let _ = writeln!(text, "  {:<58} {verdict}, {}", tried.way, tried.answer);
    }
    let _ = writeln!(text, "\nThe same server without the capability:\n  {}", evidence.without);
    let verdict = if sound { "All as it must be; nothing is left behind." } else { "NOT as it must be." };
    let _ = writeln!(text, "\n{bold}{verdict}{plain}");
    text
}

/// The evidence for a machine.
pub(crate) fn json(evidence: &Evidence, sound: bool) -> Value {
    let tried: Vec<Value> = evidence
        .tried
        .iter()
        .map(|tried| json!({ "way": tried.way, "answer": tried.answer, "refused": tried.refused }))
        .collect();
    json!({
        "sound": sound,
        "place": evidence.place.words,
        "scope": evidence.place.scope(),
        "before": table::json(&Held::from(&evidence.before)),
        "after": table::json(&Held::from(&evidence.after)),
        "served": evidence.greeting,
        "tried": tried,
        "without_capability": evidence.without,
    })
}

fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let id = |ids: Ids| {
        let all = [ids.real, ids.effective, ids.saved, ids.filesystem];
        if all.iter().all(|id| *id == ids.real) { ids.real.to_string() } else { format!("{all:?}") }
    };
    vec![
        ("user", id(status.uid)),
        ("group", id(status.gid)),
        ("groups", words_of_ids(&status.groups)),
        ("permitted", set(status.permitted)),
        ("effective", set(status.effective)),
        ("inheritable", set(status.inheritable)),
        ("bounding", set(status.bounding)),
        ("ambient", set(status.ambient)),
        ("no_new_privs", if status.no_new_privs { "set" } else { "not set" }.to_owned()),
    ]
}

/// A set short enough for a column: a large one by what it lacks.
fn set(set: CapSet) -> String {
    let missing = CapSet::first(host::capability_count()).difference(set);
    if missing.is_empty() {
        format!("all {}", set.len())
    } else if set.len() > 3 && missing.len() == 1 {
        format!("all but {missing}")
    } else if set.len() > 3 {
        format!("{} of {}", set.len(), set.len() + missing.len())
    } else {
        words_of_set(set)
    }
}

/// An item of a list, broken at 90 columns.
fn wrapped(text: &mut String, words: &str) {
    let mut column = 0;
    for word in words.split(' ') {
        if column + word.chars().count() > 86 {
            text.push_str("\n   ");
            column = 0;
        } else if column == 0 {
            text.push_str("  -");
        }
        text.push(' ');
        text.push_str(word);
        column += word.chars().count() + 1;
    }
    text.push('\n');
}
