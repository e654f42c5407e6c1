//! Shows what was proven: a state as a table, and the ways back that the kernel refused.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::prepare::Ready;
use stepdown::security::credentials::{Credentials, Ids, words_of_ids, words_of_set};
use stepdown::security::policy::Policy;
use stepdown::transition::Proof;

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
        let _ = writeln!(text, "stepdown: executing {}", program.path.to_string_lossy());
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
    let named = |ids: Ids, name: Option<&String>| {
        let all = [ids.real, ids.effective, ids.saved, ids.filesystem];
        let ids = if all.iter().all(|id| *id == ids.real) {
            ids.real.to_string()
        } else {
            format!("real {} effective {} saved {} filesystem {}", all[0], all[1], all[2], all[3])
        };
        name.map_or(ids.clone(), |name| format!("{ids} ({name})"))
    };
    let root = policy.and_then(|policy| policy.chroot.as_ref()).map_or("/", |chroot| chroot.value.as_str());
    vec![
        ("user", named(state.uid, policy.and_then(|policy| policy.user.value.name.as_ref()))),
        ("group", named(state.gid, policy.and_then(|policy| policy.group.value.name.as_ref()))),
        ("groups", words_of_ids(&state.groups)),
        ("permitted", words_of_set(state.permitted)),
        ("effective", words_of_set(state.effective)),
        ("inheritable", words_of_set(state.inheritable)),
        ("bounding", words_of_set(state.bounding)),
        ("ambient", words_of_set(state.ambient)),
        ("securebits", state.securebits.to_string()),
        ("no_new_privs", if state.no_new_privs { "set" } else { "not set" }.to_owned()),
        ("root directory", crate::report::clean(root)),
    ]
}

/// A state for a machine: ids as numbers, sets as arrays of names.
pub(crate) fn state(state: &Credentials) -> Value {
    let ids = |ids: Ids| json!([ids.real, ids.effective, ids.saved, ids.filesystem]);
    let set = |set: stepdown::security::capability::CapSet| -> Value {
        set.iter().map(|capability| Value::String(capability.to_string())).collect()
    };
    json!({
        "user": ids(state.uid),
        "group": ids(state.gid),
        "groups": state.groups,
        "permitted": set(state.permitted),
        "effective": set(state.effective),
        "inheritable": set(state.inheritable),
        "bounding": set(state.bounding),
        "ambient": set(state.ambient),
        "securebits": state.securebits.0,
        "no_new_privs": state.no_new_privs,
    })
}
