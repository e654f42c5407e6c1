//! A socket that is to be listened on, in the kernel's terms.
//!
//! Not for: making it, which is in `sockets`.

use std::path::PathBuf;

use stepdown_conf::Place;
use stepdown_kernel::sockets::{self, Options};

use crate::wanted::{Address, ConsoleListen, Kind, Listen, Service, SocketKey, Wanted};

/// A socket that is to be listened on.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) key: SocketKey,
    /// The address as it is written.
    pub(super) written: String,
    pub(super) place: Place,
    pub(super) options: Options,
}

impl Wish {
    /// What is wanted of a service's listener; `owner` is who a new file belongs to.
    pub(super) fn of_listen(service: &Service, listen: &Listen, owner: (u32, u32)) -> Wish {
        Wish {
            key: listen.key(&service.name),
            written: listen.written.clone(),
            place: listen.place.clone(),
            options: Options {
                kind: kind(listen.kind),
                backlog: i32::try_from(listen.backlog).unwrap_or(i32::MAX),
                reuse_port: listen.reuse_port,
                free_bind: listen.free_bind,
                mode: matches!(listen.address, Address::Unix(_)).then_some(listen.mode),
                owner: Some(owner),
            },
        }
    }

    /// What is wanted of a listener of the console.
    pub(super) fn of_console(listen: &ConsoleListen, owner: (u32, u32)) -> Wish {
        Wish {
            key: listen.key(),
            written: listen.path.clone(),
            place: listen.place.clone(),
            options: Options { mode: Some(listen.mode), owner: Some(owner), ..Options::default() },
        }
    }

    /// Everything that a configuration wants to listen on: the console first, so that it is known early whether another
    /// server runs.
    pub(super) fn all(wanted: &Wanted, owner: (u32, u32)) -> Vec<Wish> {
        let console = wanted.console.iter().flat_map(|console| &console.listeners);
        let services = wanted.services.iter();
        console
            .map(|listen| Wish::of_console(listen, owner))
            .chain(services.flat_map(|service| {
                service.listeners.iter().map(move |listen| Wish::of_listen(service, listen, owner))
            }))
            .collect()
    }

    pub(super) fn address(&self) -> sockets::Address {
        match &self.key.address {
            Address::Inet(address) => sockets::Address::Inet(*address),
            Address::Any(port) => sockets::Address::Any(*port),
            Address::Unix(path) => sockets::Address::Unix(PathBuf::from(path)),
            Address::Abstract(name) => sockets::Address::Abstract(name.clone().into_bytes()),
        }
    }
}

fn kind(kind: Kind) -> sockets::Kind {
    match kind {
        Kind::Stream => sockets::Kind::Stream,
        Kind::Datagram => sockets::Kind::Datagram,
    }
}
