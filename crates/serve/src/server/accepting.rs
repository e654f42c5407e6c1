//! The listening sockets that the server itself accepts from: the console's, and those of services with `Accept`.
//!
//! All other sockets are only held: their services accept. Where there are no descriptors left, accepting rests for a moment;
//! clients wait in the queue of the socket. Source: accept(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use stepdown_kernel::events::Interest;
use stepdown_kernel::peer::Peer;
use stepdown_kernel::sockets;

use super::service::ServiceId;
use super::token::Token;
use super::{Phase, Server};
use crate::console::sessions::Change;
use crate::life::Millis;
use crate::log::Level;
use crate::wanted::SocketKey;

/// How long accepting rests after there were no descriptors left.
const BREATH: Millis = 500;
/// How many descriptors it takes to have a connection and to start its process, with some to spare.
const FOR_A_PROCESS: usize = 12;
/// The most connections that are taken from one socket before others get their turn.
const AT_A_TIME: usize = 64;

/// A socket that is accepted from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listened {
    pub(super) key: SocketKey,
    pub(super) whose: Whose,
}

/// Whom its connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Console,
    Service(ServiceId),
}

impl Server {
    /// Waits for exactly those sockets that connections are to be taken from now.
    pub(super) fn arrange_listeners(&mut self) {
        let wanted = self.to_be_listened();
        let gone: Vec<u64> = self
            .listened
            .iter()
            .filter(|(number, was)| wanted.get(number) != Some(was))
            .map(|(number, _)| *number)
            .collect();
        for number in gone {
            if let Some(was) = self.listened.remove(&number)
                && let Some(held) = self.sockets.get(&was.key).filter(|held| held.number == number)
            {
                let _ = self.events.remove(held.as_fd());
            }
        }
        for (number, listened) in wanted {
            if self.listened.contains_key(&number) {
                continue;
            }
            let Some(held) = self.sockets.get(&listened.key) else { continue };
            let added = sockets::set_nonblocking(held.as_fd(), true).and_then(|()| {
                self.events.add(held.as_fd(), Token::Listener(number).number(), Interest::Read)
            });
            match added {
                Ok(_) => drop(self.listened.insert(number, listened)),
                Err(error) => {
                    let text = format!("connections of {} can't be waited for: {error}", held.written);
                    self.log.event(Level::Error, None, &text);
                }
            }
        }
    }

    fn to_be_listened(&self) -> std::collections::BTreeMap<u64, Listened> {
        let mut wanted = std::collections::BTreeMap::new();
        if self.breathless_until.is_some() || self.phase == Phase::Ended {
            return wanted;
        }
        let mut want = |key: SocketKey, whose| {
            if let Some(held) = self.sockets.get(&key) {
                wanted.insert(held.number, Listened { key, whose });
            }
        };
        // A server that was told to end with its sockets in other hands leaves the console to these.
        if !(self.phase == Phase::Stopping && self.leaves_files) {
            for listen in self.wanted.console.iter().flat_map(|console| &console.listeners) {
                want(listen.key(), Whose::Console);
            }
        }
        for (id, service) in &self.services {
            if service.has_room() && !service.is_going {
                for listen in &service.wanted.listeners {
                    want(listen.key(&service.wanted.name), Whose::Service(*id));
                }
            }
        }
        wanted
    }

    /// Takes the connections of a socket.
    pub(super) fn accept(&mut self, number: u64) {
        let Some(Listened { key, whose }) = self.listened.get(&number).cloned() else { return };
        for _ in 0..AT_A_TIME {
            if let Whose::Service(id) = whose {
                if !self.services.get(&id).is_some_and(|service| service.has_room()) {
                    break;
                }
                // One that was accepted and can't have its process would be lost; in the queue it waits.
                let room =
                    (0..FOR_A_PROCESS).map(|_| self.null.try_clone()).collect::<io::Result<Vec<OwnedFd>>>();
                if let Err(error) = room {
                    return self.out_of_breath(&error);
                }
            }
            let Some(held) = self.sockets.get(&key) else { return };
            let connection = match sockets::accept(held.as_fd()) {
                Ok(Some(connection)) => connection,
                Ok(None) => {
                    self.is_breathless_said = false;
                    break;
                }
                Err(error) => return self.out_of_breath(&error),
            };
            match whose {
                Whose::Console => {
                    let now = self.clock.elapsed();
                    // A peer that can't be known gets nothing; one that has gone already is no loss.
                    if let Ok(peer) = Peer::of(connection.as_fd()) {
                        let _ = self.sessions.admit(connection, peer, now);
                    }
                }
                Whose::Service(id) => {
                    if let Some(instance) = self.services.get_mut(&id).and_then(super::Service::accepted) {
                        self.spawn(id, instance, Some(connection));
                    }
                }
            }
        }
        if let Whose::Service(id) = whose
            && !self.services.get(&id).is_some_and(|service| service.has_room())
        {
            self.arrange_listeners();
        }
    }

    /// There were no descriptors left, or no memory: to be told at once that there is a connection would be of no use.
    fn out_of_breath(&mut self, error: &io::Error) {
        // Once, until all who waited have been let in.
        if !std::mem::replace(&mut self.is_breathless_said, true) {
            self.log.event(
                Level::Error,
                None,
                &format!("a connection can't be accepted: {error}; clients wait, and the services go on (see ulimit -n)"),
            );
        }
        self.breathless_until = Some(self.now().saturating_add(BREATH));
        self.arrange_listeners();
    }

    /// Accepts again, if it is time.
    pub(super) fn breathe(&mut self, now: Millis) {
        if self.breathless_until.is_some_and(|until| until <= now) {
            self.breathless_until = None;
            self.arrange_listeners();
        }
    }

    /// Waits for the sockets of sessions as the sessions ask for it.
    pub(super) fn arrange_sessions(&mut self) {
        for change in self.sessions.changes() {
            match change {
                Change::Add(id, interest) => {
                    if let Some(socket) = self.sessions.socket(id) {
                        let _ = self.events.add(socket, Token::Session(id.0).number(), interest);
                    }
                }
                Change::Modify(id, interest) => {
                    if let Some(socket) = self.sessions.socket(id) {
                        let _ = self.events.modify(socket, Token::Session(id.0).number(), interest);
                    }
                }
                Change::Remove(_, socket) => {
                    let _ = self.events.remove(socket.as_fd());
                }
            }
        }
    }
}
