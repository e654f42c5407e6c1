//! What a server reports of itself at its console, as plain data, and in which words and which JSON.
//!
//! Whoever runs the server fills these in; nothing here looks anything up. The text fits 80 columns and says first what
//! somebody has to do something about.

mod text;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stepdown::report;
use stepdown_conf::Place;

use super::lines;

pub use text::{listeners, services, status};

/// How a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// What it does, in one word: `serving`, `reloading`, `stopping`.
    pub state: &'static str,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it began to serve.
    pub since: SystemTime,
    /// How long that is ago, by a clock that is never set.
    pub uptime: Duration,
    /// The name of the node.
    pub node: String,
    /// The main configuration file.
    pub file: String,
    /// Which configuration it is, counted from 1.
    pub generation: u64,
    /// The online changes that are in no file yet, as what could be typed to make them again.
    pub unsaved: Vec<String>,
    /// The policy in force, as rows of a name and words, such as `user` and `994 (ecuser)`.
    pub security: Vec<(&'static str, String)>,
    /// What was proven about it, in words.
    pub proof: String,
    /// What waits for a restart.
    pub pending: Option<RestartRequired>,
    /// Its services.
    pub services: Vec<ServiceReport>,
    /// How many listening sockets there are.
    pub listeners: usize,
    /// How many sessions the console has.
    pub sessions: usize,
}

/// What waits for a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRequired {
    /// Since when it has been different.
    pub since: SystemTime,
    /// How long that is ago.
    pub ago: Duration,
    /// In what.
    pub differences: Vec<Difference>,
}

/// An option that can't change while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The option, such as `Security Capabilities`.
    pub option: String,
    /// What is in force, in words.
    pub old: String,
    /// What the configuration says now.
    pub new: String,
    /// Where what is in force came from; nowhere, if it is a default.
    pub old_place: Option<Place>,
    /// Where the new one is.
    pub new_place: Option<Place>,
    /// Whether that is a file of local changes, which root reads only where nobody else can write to it.
    pub is_local: bool,
}

/// How a service is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// Its state, in a word or two: `ready`, `starting`, `given up`.
    pub state: String,
    /// Whether it is as it should be.
    pub is_well: bool,
    /// How long it has been in that state.
    pub since: Duration,
    /// Its processes, the present one first.
    pub pids: Vec<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// How it ended last, in words.
    pub last_end: Option<String>,
    /// What it says of itself.
    pub says: Option<String>,
    /// Why its replacement failed.
    pub failure: Option<String>,
    /// Where each connection has a process: how many there are, and at most.
    pub connections: Option<(usize, usize)>,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerReport {
    /// Its address, as it is written in the configuration.
    pub address: String,
    /// `stream` or `datagram`.
    pub kind: &'static str,
    /// The service that has it; none for the console's.
    pub service: Option<String>,
    /// Its name in `LISTEN_FDNAMES`.
    pub name: Option<String>,
}

impl StatusReport {
    /// Whether nobody has to do anything.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.pending.is_none() && self.services.iter().all(|service| service.is_well)
    }

    /// For a machine.
    #[must_use]
    pub fn json(&self) -> Value {
        let security = self.security.iter().map(|(name, words)| ((*name).to_owned(), json!(words)));
        json!({
            "state": self.state,
            "well": self.is_well(),
            "pid": self.pid,
            "version": self.version,
            "since": lines::time(self.since),
            "uptime_seconds": self.uptime.as_secs(),
            "node": self.node,
            "file": self.file,
            "generation": self.generation,
            "unsaved": self.unsaved,
            "security": Value::Object(security.collect()),
            "proof": self.proof,
            "restart_required": self.pending.as_ref().map(RestartRequired::json),
            "services": self.services.iter().map(ServiceReport::json).collect::<Value>(),
            "listeners": self.listeners,
            "sessions": self.sessions,
        })
    }
}

impl RestartRequired {
    /// For a machine.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "since": lines::time(self.since),
            "for_seconds": self.ago.as_secs(),
            "differences": self.differences.iter().map(Difference::json).collect::<Value>(),
        })
    }
}

impl Difference {
    /// For a machine.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "option": self.option,
            "old": self.old,
            "new": self.new,
            "old_place": self.old_place.as_ref().map(report::place_value),
            "new_place": self.new_place.as_ref().map(report::place_value),
        })
    }
}

impl ServiceReport {
    /// For a machine.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "state": self.state,
            "well": self.is_well,
            "since_seconds": self.since.as_secs(),
            "pids": self.pids,
            "restarts": self.restarts,
            "last_end": self.last_end,
            "says": self.says,
            "failure": self.failure,
            "connections": self.connections.map(|(count, _)| count),
            "max_connections": self.connections.map(|(_, most)| most),
        })
    }
}

impl ListenerReport {
    /// For a machine.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "address": self.address, "type": self.kind, "service": self.service, "name": self.name })
    }
}
