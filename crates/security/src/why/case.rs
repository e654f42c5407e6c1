//! What a question is about, and the words that its answers share.

use alloc::format;
use alloc::string::{String, ToString};

use crate::capability::CapSet;
use crate::credentials::{Credentials, Facts, IdMap};
use crate::execve::ProgramFile;

/// A thread that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What is true of its kernel and user namespace.
    pub facts: &'a Facts,
    /// What it is.
    pub state: &'a Credentials,
    /// What is known of its network.
    pub network: Network,
}

/// What of a network decides about capabilities in it. Nothing need be known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// Whether the user namespace that owns it is that of the thread or below it.
    pub owned: Option<bool>,
    /// The first port that needs no capability, ip(7) `ip_unprivileged_port_start`.
    pub unprivileged_port_start: Option<u32>,
}

/// A program that the thread may execute.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The file that the kernel finally executes; the interpreter, for a script.
    pub file: &'a ProgramFile,
    /// The script, if it is one.
    pub script: Option<&'a ProgramFile>,
}

/// Whether every id exists in the thread's user namespace, as in the first one there is.
pub(super) fn has_every_id(facts: &Facts) -> bool {
    facts.uid_map == IdMap::all()
}

/// The names, or how many, where they would fill the line.
pub(super) fn few(set: CapSet) -> String {
    if set.len() > 4 { format!("{} capabilities", set.len()) } else { set.to_string() }
}

/// "is" for one, "are" for more.
pub(super) fn is(set: CapSet) -> &'static str {
    if set.len() == 1 { "is" } else { "are" }
}

/// The names as `--cap-add` of container runtimes takes them.
pub(super) fn runtime_names(set: CapSet) -> String {
    let mut words = String::new();
    for capability in set.iter().take(4) {
        let name = capability.to_string();
        let short = name.strip_prefix("cap_").unwrap_or(&name).to_ascii_uppercase();
        words.push_str(if words.is_empty() { "--cap-add " } else { " --cap-add " });
        words.push_str(&short);
    }
    words
}
