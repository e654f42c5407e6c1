//! What has to be done for the server to be what a new configuration asks for: listeners, services and the console that
//! come, go and change.
//!
//! Pure, and all of it plain data: [`Changes::words`] says it to a person. Not for: whether it can be done, and what waits
//! for a restart (`Security`, `Pidfile`), see [`crate::pending`].
//!
//! A listening socket is the same as long as its address and type are, see [`SocketKey`]; it then stays open, whoever it
//! belongs to. What is set by listen(2) or chmod(2) is set anew on it. `Reuse_Port` can't be, since it decides who else
//! has the address: such a listener goes, and another comes. `Free_Bind` has no meaning once a socket is bound.

use std::collections::{BTreeMap, BTreeSet};

use stepdown_conf::Place;

use crate::wanted::address::{Address, Kind, Near, SocketKey};
use crate::wanted::{Console, Listen, Service, Wanted, Who};

mod words;

/// Whose a listening socket is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The console's.
    Console,
    /// That of the service of this name.
    Service(String),
}

/// Everything that differs. What does not is left out, but for the listeners that stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Listeners to be bound, in the order of the new configuration.
    pub added: Vec<Added>,
    /// Listeners to be closed, in the order of the old one.
    pub removed: Vec<Removed>,
    /// Listeners that stay, in the order of the new one.
    pub kept: Vec<Kept>,
    /// Services that differ: those of the new configuration in its order, then those that go.
    pub services: Vec<ServiceChange>,
    /// The console, if anything but its listeners differs.
    pub console: Option<ConsoleChange>,
}

/// A listener that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The socket.
    pub key: SocketKey,
    /// Whose it is.
    pub owner: Owner,
    /// Sockets that have its address, or part of it, and are to be closed: it can't be bound before they are.
    pub displaces: Vec<SocketKey>,
}

/// A listener that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The socket.
    pub key: SocketKey,
    /// Whose it was.
    pub owner: Owner,
}

/// A listener that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The socket.
    pub key: SocketKey,
    /// Whose it is from now on.
    pub owner: Owner,
    /// Whose it was, if it changes hands.
    pub from: Option<Owner>,
    /// The old and the new backlog, if it changes.
    pub backlog: Option<(u32, u32)>,
    /// The old and the new mode of the socket's file, if it changes.
    pub mode: Option<(u32, u32)>,
}

/// A service that comes, goes or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceChange {
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub what: What,
}

/// What happens to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It is started.
    Added,
    /// It is stopped.
    Removed,
    /// These options, which a process is started with, differ: it takes another process.
    Replaced(Vec<&'static str>),
    /// These options differ, and no process knows of them.
    Retimed(Vec<&'static str>),
}

/// How the console changes, its listeners apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleChange {
    /// There was none.
    Added,
    /// There is none any more.
    Removed,
    /// These options differ.
    Changed(Vec<&'static str>),
}

/// Compares what the server is with what it is asked to be.
#[must_use]
pub fn changes(old: &Wanted, new: &Wanted) -> Changes {
    let mut changes = Changes::default();
    listeners(old, new, &mut changes);
    services(old, new, &mut changes);
    changes.console = match (&old.console, &new.console) {
        (None, None) => None,
        (None, Some(_)) => Some(ConsoleChange::Added),
        (Some(_), None) => Some(ConsoleChange::Removed),
        (Some(old), Some(new)) => console(old, new),
    };
    changes
}

impl Changes {
    /// Whether nothing has to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.services.is_empty()
            && self.console.is_none()
            && !self.kept.iter().any(Kept::is_changed)
    }
}

impl Kept {
    /// Whether anything about it is to be done.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.from.is_some() || self.backlog.is_some() || self.mode.is_some()
    }
}

/// One listener of a configuration; what is none of its kind's is none.
#[derive(Debug)]
struct Socket {
    key: SocketKey,
    owner: Owner,
    backlog: Option<u32>,
    mode: Option<u32>,
}

impl Socket {
    fn of_service(listen: &Listen, service: &Service) -> Socket {
        Socket {
            key: listen.key(&service.name),
            owner: Owner::Service(service.name.clone()),
            backlog: (listen.kind == Kind::Stream).then_some(listen.backlog),
            mode: matches!(listen.address, Address::Unix(_)).then_some(listen.mode),
        }
    }
}

fn sockets(wanted: &Wanted) -> impl Iterator<Item = Socket> {
    let console = wanted.console.iter().flat_map(|console| &console.listeners).map(|listen| Socket {
        key: listen.key(),
        owner: Owner::Console,
        backlog: None,
        mode: Some(listen.mode),
    });
    console.chain(
        wanted
            .services
            .iter()
            .flat_map(|service| service.listeners.iter().map(|listen| Socket::of_service(listen, service))),
    )
}

fn listeners(old: &Wanted, new: &Wanted, changes: &mut Changes) {
    let old: Vec<Socket> = sockets(old).collect();
    let new: Vec<Socket> = sockets(new).collect();
    let stays: BTreeSet<&SocketKey> = new.iter().map(|socket| &socket.key).collect();
    let before: BTreeMap<&SocketKey, &Socket> = old.iter().map(|socket| (&socket.key, socket)).collect();
    let mut closed: BTreeMap<Near<'_>, Vec<&SocketKey>> = BTreeMap::new();
    for socket in old.iter().filter(|socket| !stays.contains(&socket.key)) {
        closed.entry(Near::of(&socket.key)).or_default().push(&socket.key);
        changes.removed.push(Removed { key: socket.key.clone(), owner: socket.owner.clone() });
    }
    for socket in &new {
        let (key, owner) = (socket.key.clone(), socket.owner.clone());
        if let Some(old) = before.get(&socket.key) {
            changes.kept.push(Kept {
                from: (old.owner != owner).then(|| old.owner.clone()),
                backlog: old.backlog.zip(socket.backlog).filter(|(old, new)| old != new),
                mode: old.mode.zip(socket.mode).filter(|(old, new)| old != new),
                key,
                owner,
            });
            continue;
        }
        let near = closed.get(&Near::of(&socket.key)).map_or(&[][..], Vec::as_slice);
        let displaces = near.iter().filter(|old| old.clashes(&key)).map(|old| (*old).clone()).collect();
        changes.added.push(Added { key, owner, displaces });
    }
}

fn services(old: &Wanted, new: &Wanted, changes: &mut Changes) {
    let before: BTreeMap<&str, &Service> =
        old.services.iter().map(|service| (service.name.as_str(), service)).collect();
    for service in &new.services {
        let what = match before.get(service.name.as_str()) {
            None => What::Added,
            Some(old) => {
                let mut started_with = started_with(old, service);
                let supervised_by = supervised_by(old, service);
                if !started_with.is_empty() {
                    // The new process goes by all of them.
                    started_with.extend(supervised_by);
                    What::Replaced(started_with)
                } else if !supervised_by.is_empty() {
                    What::Retimed(supervised_by)
                } else {
                    continue;
                }
            }
        };
        changes.services.push(ServiceChange { name: service.name.clone(), what });
    }
    let after: BTreeSet<&str> = new.services.iter().map(|service| service.name.as_str()).collect();
    for service in old.services.iter().filter(|service| !after.contains(service.name.as_str())) {
        changes.services.push(ServiceChange { name: service.name.clone(), what: What::Removed });
    }
}

/// The options that a process is started with and that differ.
fn started_with(old: &Service, new: &Service) -> Vec<&'static str> {
    let capabilities =
        |service: &Service| service.capabilities.as_ref().map(|capabilities| capabilities.value);
    let given = |service: &Service| -> Vec<(SocketKey, String)> {
        // A connection's process gets no listener.
        let listeners = service.listeners.iter().filter(|_| !service.accept);
        listeners.map(|listen| (listen.key(&service.name), listen.name.clone())).collect()
    };
    differing(&[
        ("Command", old.command.value != new.command.value),
        ("Environment", old.environment != new.environment),
        ("Capabilities", capabilities(old) != capabilities(new)),
        ("Directory", old.directory.value != new.directory.value),
        ("Accept", old.accept != new.accept),
        ("Output", old.output != new.output),
        ("Notify", old.notify != new.notify),
        ("Listen", old.accept == new.accept && given(old) != given(new)),
    ])
}

/// The options that only the server goes by and that differ.
fn supervised_by(old: &Service, new: &Service) -> Vec<&'static str> {
    differing(&[
        ("Max_Connections", old.max_connections != new.max_connections),
        ("Ready_After", old.ready_after != new.ready_after),
        ("Start_Timeout", old.start_timeout != new.start_timeout),
        ("Graceful_Timeout", old.graceful_timeout != new.graceful_timeout),
        ("Restart", old.restart != new.restart),
        ("Restart_Pause", old.restart_pause != new.restart_pause),
        ("Restart_Pause_Max", old.restart_pause_max != new.restart_pause_max),
        ("Restart_Limit", old.restart_limit != new.restart_limit),
    ])
}

fn console(old: &Console, new: &Console) -> Option<ConsoleChange> {
    let same = |old: &[(Who, Place)], new: &[(Who, Place)]| {
        old.iter().map(|(who, _)| who).eq(new.iter().map(|(who, _)| who))
    };
    let changed = differing(&[
        ("Timeout", old.timeout != new.timeout),
        ("Own_User", old.own_user != new.own_user),
        ("Operators", !same(&old.operators, &new.operators)),
        ("Observers", !same(&old.observers, &new.observers)),
        ("Max_Sessions", old.max_sessions != new.max_sessions),
    ]);
    (!changed.is_empty()).then_some(ConsoleChange::Changed(changed))
}

fn differing(options: &[(&'static str, bool)]) -> Vec<&'static str> {
    options.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests;
