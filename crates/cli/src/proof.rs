//! Shows what was proven: a state as a table, and the ways back that the kernel refused.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::prepare::Ready;
use stepdown::security::credentials::{Credentials, words_of_set};
use stepdown::security::policy::Policy;
use stepdown::transition::Proof;

use crate::table::{self, Held, Words};

/// The proof for a person.
pub(crate) fn text(ready: &Ready, proof: &Proof) -> String {
    let threads = if proof.threads == 1 {
        "its one thread".to_owned()
    } else {
        format!("all {} threads", proof.threads)
    };
    let mut text = format!("stepdown: proven, for {threads}, from the kernel's own account:\n");
    for (name, value) in rows(&proof.state, Some(&ready.policy)) {
        let _ = writeln!(text, "  {name:<18}{value}");
    }
    let descriptors: Vec<String> = proof.descriptors.iter().map(i32::to_string).collect();
    let _ = writeln!(text, "  {:<18}{}", "descriptors", descriptors.join(" "));
    text.push_str("stepdown: tried, and refused by the kernel:\n");
    for attempt in &proof.attempts {
        let _ = writeln!(text, "  {}: {}", attempt.way, attempt.expected);
    }
    if let Some(program) = &ready.program {
        let _ = writeln!(
            text,
            "stepdown: executing {}",
            stepdown::report::clean(&program.path.to_string_lossy())
        );
    }
    text
}

/// The proof for a machine.
pub(crate) fn json(ready: &Ready, proof: &Proof) -> Value {
    let attempts: Vec<Value> = proof
        .attempts
        .iter()
        .map(|attempt| json!({ "attempt": attempt.way.to_string(), "answer": attempt.expected.name() }))
        .collect();
    json!({
        "proven": state(&proof.state),
        "threads": proof.threads,
        "descriptors": proof.descriptors,
        "refused": attempts,
        "program": ready.program.as_ref().map(|program| program.path.to_string_lossy()),
    })
}

/// A state as rows of name and value; with names of user, group and root directory where the policy has them.
pub(crate) fn rows(state: &Credentials, policy: Option<&Policy>) -> Vec<(&'static str, String)> {
    let words = Words {
        user: &|_| policy?.user.value.name.clone(),
        group: &|_| policy?.group.value.name.clone(),
        member: &|_| None,
        set: &words_of_set,
    };
    let root = policy.and_then(|policy| policy.chroot.as_ref()).map_or("/", |chroot| chroot.value.as_str());
    let mut rows = table::rows(&Held::from(state), &words);
    rows.push(("root directory", stepdown::report::clean(root)));
    rows
}

/// A state for a machine: ids as numbers, sets as arrays of names.
pub(crate) fn state(state: &Credentials) -> Value {
    let mut object = table::json(&Held::from(state));
    object["securebits"] = state.securebits.0.into();
    object
}
