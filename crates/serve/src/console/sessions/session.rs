//! One session: a socket, and how far its present request has come.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use stepdown_kernel::events::Interest;
use stepdown_kernel::peer::Peer;

use super::After;
use crate::console::wire::{Reply, Requests, Status};

#[derive(Debug)]
pub(super) struct Session<T> {
    pub(super) socket: UnixStream,
    pub(super) peer: Peer,
    pub(super) state: State,
    pub(super) interest: Interest,
    pub(super) deadline: Option<Duration>,
    /// When it last sent something, or was answered.
    pub(super) active: Duration,
    pub(super) data: T,
    /// Whether its turn will come.
    pub(super) is_queued: bool,
    /// Whether a reply has gone out, or part of one, since somebody asked.
    pub(super) has_answered: bool,
    pub(super) has_written: bool,
    requests: Requests,
    peer_is_done: bool,
}

/// Where a session is.
#[derive(Debug)]
pub(super) enum State {
    /// A request is read.
    Reading,
    /// It is there, and waits for its turn.
    Waiting(String),
    /// It is being answered.
    Answering,
    /// The reply goes out.
    Writing(Output),
}

#[derive(Debug)]
pub(super) struct Output {
    bytes: Vec<u8>,
    written: usize,
    after: After,
}

impl<T: Default> Session<T> {
    pub(super) fn new(
        socket: UnixStream,
        peer: Peer,
        now: Duration,
        deadline: Option<Duration>,
    ) -> Session<T> {
        Session {
            socket,
            peer,
            state: State::Reading,
            interest: Interest::Read,
            deadline,
            active: now,
            data: T::default(),
            is_queued: false,
            has_answered: false,
            has_written: false,
            requests: Requests::default(),
            peer_is_done: false,
        }
    }

    /// Reads once, so that a peer that never stops sending does not keep the others waiting.
    pub(super) fn read(&mut self) -> Result<(), ()> {
        let mut buffer = [0; 8 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.peer_is_done = true,
            Ok(length) => self.requests.feed(&buffer[..length]),
            Err(error) if is_temporary(&error) => {}
            Err(_) => return Err(()),
        }
        Ok(())
    }

    /// Has a reply to send.
    pub(super) fn say(&mut self, reply: &Reply, after: After) {
        self.state = State::Writing(Output { bytes: reply.encode(), written: 0, after });
        // The time to read it begins now.
        self.has_written = true;
    }

    /// How many bytes wait for the peer.
    pub(super) fn unread(&self) -> usize {
        match &self.state {
            State::Writing(output) => output.bytes.len() - output.written,
            _ => 0,
        }
    }

    /// Goes as far as it can without waiting, and says what to wait for; an error is the end of the session.
    pub(super) fn go_on(&mut self) -> Result<Interest, ()> {
        loop {
            match &mut self.state {
                State::Waiting(_) | State::Answering => return Ok(Interest::End),
                State::Writing(output) => {
                    while output.written < output.bytes.len() {
                        match self.socket.write(&output.bytes[output.written..]) {
                            Ok(0) => return Err(()),
                            Ok(length) => {
                                output.written += length;
                                self.has_written = true;
                            }
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) if is_temporary(&error) => return Ok(Interest::Write),
                            Err(_) => return Err(()),
                        }
                    }
                    if output.after == After::End {
                        return Err(());
                    }
                    self.state = State::Reading;
                    self.has_answered = true;
                }
                State::Reading => match self.requests.next() {
                    Some(Ok(line)) => self.state = State::Waiting(line),
                    Some(Err(malformed)) => {
                        let after = if malformed.is_last() { After::End } else { After::GoOn };
                        self.say(&not_understood(malformed), after);
                    }
                    None if !self.peer_is_done => return Ok(Interest::Read),
                    None => match self.requests.finish() {
                        Some(malformed) => self.say(&not_understood(malformed), After::End),
                        None => return Err(()),
                    },
                },
            }
        }
    }
}

/// Sends what the socket takes at once, and no more.
pub(super) fn write_at_once(mut socket: &UnixStream, bytes: &[u8]) {
    // A peer that reads nothing misses why.
    let _ = socket.write(bytes);
}

fn not_understood(what: impl std::fmt::Display) -> Reply {
    Reply::new(Status::NotUnderstood, format!("error: {what}\n"))
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
