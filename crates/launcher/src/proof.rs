//! Shows what was proven: a state as a table, and the ways back that the kernel refused.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

use stepdown::held::{self, Held, Words};
use stepdown::json::Json;
use stepdown::prepare::Ready;
use stepdown::report;
use stepdown::security::credentials::{Credentials, words_of_set};
use stepdown::security::policy::Policy;
use stepdown::security::ways::Attempt;
use stepdown::transition::Proof;
use stepdown_kernel::program::Program;

/// The proof for a person.
pub fn text(ready: &Ready, proof: &Proof) -> String {
    let threads = if proof.threads == 1 {
        "its one thread".to_owned()
    } else {
        format!("all {} threads", proof.threads)
    };
    let mut text = format!("stepdown: proven, for {threads}, from the kernel's own account:\n");
    for (name, value) in rows(&proof.state, Some(&ready.policy)) {
        let _ = writeln!(text, "  {name:<18}{value}");
    }
    let _ = write!(text, "  {:<17}", "descriptors");
    for number in &proof.descriptors {
        let _ = write!(text, " {number}");
    }
    text.push('\n');
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
pub fn json(ready: &Ready, proof: &Proof) -> Json {
    let attempt = |attempt: &Attempt| {
        Json::Object(vec![
            ("attempt", attempt.way.to_string().into()),
            ("answer", attempt.expected.name().into()),
        ])
    };
    let path = |program: &Program| program.path.to_string_lossy().into_owned();
    Json::Object(vec![
        ("proven", state(&proof.state)),
        ("threads", proof.threads.into()),
        ("descriptors", proof.descriptors.iter().copied().collect()),
        ("refused", proof.attempts.iter().map(attempt).collect()),
        ("program", ready.program.as_ref().map(path).into()),
        ("findings", report::json(&ready.findings)),
    ])
}

/// A state as rows of name and value; with names of user, group and root directory where the policy has them.
pub fn rows(state: &Credentials, policy: Option<&Policy>) -> Vec<(&'static str, String)> {
    let words = Words {
        user: &|_| policy?.user.value.name.clone(),
        group: &|_| policy?.group.value.name.clone(),
        member: &|_| None,
        set: &words_of_set,
    };
    let root = policy.and_then(|policy| policy.chroot.as_ref()).map_or("/", |chroot| chroot.value.as_str());
    let mut rows = held::rows(&Held::from(state), &words);
    rows.push(("root directory", stepdown::report::clean(root)));
    rows
}

/// A state for a machine: ids as numbers, sets as arrays of names.
pub fn state(state: &Credentials) -> Json {
    let mut json = held::json(&Held::from(state));
    if let Json::Object(list) = &mut json {
        list.push(("securebits", state.securebits.0.into()));
    }
    json
}
