//! What a configuration asks the server to be: its console, its services, and their listeners, read and typed.
//!
//! Everything that the text alone can get wrong is found here, all of it at once, each with its place, the reason and
//! what to write instead. Not for: whether a port can be bound or a program be executed, which the host decides. Follows
//! `docs/serve.md`; unix(7), ip(7) and sd_listen_fds(3) for what can be an address and a name.

pub mod address;
mod clash;
mod environment;
mod listen;
mod peers;
mod reader;
mod service;
mod top;

pub use address::{Address, Kind, SocketKey};
pub use environment::is_reserved;
pub use peers::Who;

use std::time::Duration;

use stepdown_conf::{Config, Finding, Place};
use stepdown_security::policy::Sourced;
use stepdown_security::text::CapState;

use crate::console::authority::Rights;

/// Everything that the server is asked to be, the `Security` scope apart.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The file for the process id: an absolute path.
    pub pidfile: Option<Sourced<String>>,
    /// The console, where one is asked for.
    pub console: Option<Console>,
    /// The services, in the order of the files.
    pub services: Vec<Service>,
}

/// The `Control_Listener` scope.
#[derive(Clone, Debug)]
pub struct Console {
    /// Where the scope is opened first.
    pub place: Place,
    /// Where it listens; at least one.
    pub listeners: Vec<ConsoleListen>,
    /// How long a session may be silent; `None` is for ever.
    pub timeout: Option<Duration>,
    /// What the server's own user may do, which every service runs as.
    pub own_user: Rights,
    /// Who may change things besides root and the server's own user, each with its place.
    pub operators: Vec<(Who, Place)>,
    /// Who may only look.
    pub observers: Vec<(Who, Place)>,
    /// How many sessions there may be at a time.
    pub max_sessions: u32,
}

/// A `Listen` of `Control_Listener`.
#[derive(Clone, Debug)]
pub struct ConsoleListen {
    /// Where it is written.
    pub place: Place,
    /// The absolute path of the socket.
    pub path: String,
    /// The mode of its file.
    pub mode: u32,
}

/// A `Service` scope.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Where the scope is opened first.
    pub place: Place,
    /// The program's absolute path and its arguments.
    pub command: Sourced<Vec<String>>,
    /// Its listeners, in the order of the files, which is the order it gets them in.
    pub listeners: Vec<Listen>,
    /// Whether each connection gets a process of its own.
    pub accept: bool,
    /// With `accept`, how many at a time.
    pub max_connections: u32,
    /// The capabilities it gets; `None` is what the `Security` scope retains.
    pub capabilities: Option<Sourced<CapState>>,
    /// Whether it says itself when it is ready.
    pub notify: bool,
    /// Else how long it runs to count as ready.
    pub ready_after: Duration,
    /// How long it may take to start; `None` is for ever.
    pub start_timeout: Option<Duration>,
    /// The time between SIGTERM and SIGKILL.
    pub graceful_timeout: Duration,
    /// When it is started again.
    pub restart: Restart,
    /// The first pause before that.
    pub restart_pause: Duration,
    /// The longest; never below the first.
    pub restart_pause_max: Duration,
    /// After how many failures in a row it is given up; `None` is never.
    pub restart_limit: Option<u32>,
    /// What becomes of its output.
    pub output: Output,
    /// Its working directory: an absolute path.
    pub directory: Sourced<String>,
    /// What is added to its environment, sorted by name, each name once.
    pub environment: Vec<(String, String)>,
}

/// A `Listen` of a `Service`.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where it is written.
    pub place: Place,
    /// The address as it is written.
    pub written: String,
    /// The address.
    pub address: Address,
    /// Stream or datagram.
    pub kind: Kind,
    /// The name that the service knows it by.
    pub name: String,
    /// How many connections may wait.
    pub backlog: u32,
    /// Whether others may have the same address.
    pub reuse_port: bool,
    /// Whether the address need not be one of this host's.
    pub free_bind: bool,
    /// The mode of the file of a Unix socket that has a path.
    pub mode: u32,
}

/// When a service is started again after it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Always,
    /// Unless it exited with status 0.
    OnFailure,
    /// Never.
    Never,
}

/// What becomes of a service's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Each line is written to the server's standard error behind the service's name.
    Prefix,
    /// The service writes to the server's standard error itself.
    Direct,
}

/// Whether a configuration says anything to a server: whether it has a scope of its.
#[must_use]
pub fn is_addressed(config: &Config) -> bool {
    let ours = |name: &str| ["service", "control_listener"].iter().any(|own| name.eq_ignore_ascii_case(own));
    config.root().scopes().any(|scope| ours(scope.name()))
}

/// Reads what a configuration asks for. `capability_count` is how many capabilities the kernel knows, which the meaning
/// of `all` in capability text depends on.
///
/// # Errors
/// All findings, at least one of which is an error. On success there may be warnings.
pub fn read(config: &Config, capability_count: u8) -> Result<(Wanted, Vec<Finding>), Vec<Finding>> {
    let mut reader = reader::Reader { config, capability_count, findings: Vec::new() };
    let wanted = reader.wanted();
    clash::look(&wanted, &mut reader.findings);
    if reader.findings.iter().any(Finding::is_error) {
        return Err(reader.findings);
    }
    Ok((wanted, reader.findings))
}

impl Wanted {
    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

impl Listen {
    /// What tells the socket from others, over reloads too; `service` is the name of the service it is of.
    #[must_use]
    pub fn key(&self, service: &str) -> SocketKey {
        SocketKey {
            address: self.address.clone(),
            kind: self.kind,
            shared_by: self.reuse_port.then(|| service.to_owned()),
        }
    }
}

impl ConsoleListen {
    /// What tells the socket from others, over reloads too.
    #[must_use]
    pub fn key(&self) -> SocketKey {
        SocketKey { address: Address::unix(&self.path), kind: Kind::Stream, shared_by: None }
    }
}

#[cfg(test)]
mod tests;
