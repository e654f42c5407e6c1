//! The connected peers of a console: their sockets, what came in, what has to go out, and until when.
//!
//! Everything here waits for nothing: the server's loop says which socket is ready, takes one request after another, and
//! gives the replies back. What it has to wait for comes out as [`Change`]s. A session has one request under way at a time
//! and reads no further before the reply has gone out, so nobody can make the server hold more than one line and one reply
//! for a session; all replies together have their limit too. Sessions take turns, a request each, and so do users.
//!
//! `T` is what a session owns besides: the server's is its transaction. Not for: what a request means.

mod places;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::{fmt, io, mem};

use places::{Place, Room};
use session::{Session, State};
use stepdown_kernel::events::Interest;
use stepdown_kernel::peer::Peer;

use super::authority::{Authority, Rights};
use super::wire::{Reply, Status};

/// The most that all replies together may hold that peers do not read, in bytes, unless it is one reply alone. Beyond it
/// the sessions that have stood still for longest are dropped.
pub const OUTPUT_LIMIT: usize = 64 << 20;
/// How long a peer may leave a reply unread where sessions may be silent for ever.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A session, by a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What the configuration says of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who may do what. A change holds for sessions that are there too.
    pub authority: Authority,
    /// How long a session may be silent; for ever if none.
    pub timeout: Option<Duration>,
    /// The most sessions at a time.
    pub max_sessions: usize,
}

/// A request whose turn it is.
#[derive(Debug)]
pub struct Request<T> {
    /// Whose it is.
    pub session: SessionId,
    /// Who that is.
    pub peer: Peer,
    /// What the peer may do, which is more than nothing.
    pub rights: Rights,
    /// What was typed.
    pub line: String,
    /// What the session owns; it is given back with the reply.
    pub data: T,
}

/// What becomes of a session after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    GoOn,
    /// It ends when the reply has gone out.
    End,
}

/// What a loop has to do about a socket.
#[derive(Debug)]
pub enum Change {
    /// Wait for it; [`Sessions::socket`] has it.
    Add(SessionId, Interest),
    /// Wait for something else.
    Modify(SessionId, Interest),
    /// Wait for it no more, and then close it by dropping it.
    Remove(SessionId, OwnedFd),
}

/// The sessions of a console. Times are since any moment, the same for all calls, by a clock that is never set.
#[derive(Debug)]
pub struct Sessions<T> {
    settings: Settings,
    sessions: BTreeMap<SessionId, Session<T>>,
    turns: VecDeque<SessionId>,
    /// Whose request was taken last.
    last: Option<u32>,
    changes: Vec<Change>,
    next: u64,
}

impl<T: Default + fmt::Debug> Sessions<T> {
    /// No sessions yet.
    #[must_use]
    pub fn new(settings: Settings) -> Sessions<T> {
        Sessions {
            settings,
            sessions: BTreeMap::new(),
            turns: VecDeque::new(),
            last: None,
            changes: Vec::new(),
            next: 0,
        }
    }

    /// Has other settings from now on. Sessions beyond the new limit stay; a new timeout holds from the next request on.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// Takes in a peer that has just been accepted. One that may not even look, or is one too many, gets a reply that says
    /// so, and its socket is closed. Root is never one too many while others have places: one of them loses its own.
    ///
    /// # Errors
    /// The socket can't be made non-blocking.
    pub fn admit(&mut self, socket: OwnedFd, peer: Peer, now: Duration) -> io::Result<Option<SessionId>> {
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let rights = self.settings.authority.rights(&peer);
        let refusal = match self.room(peer.uid, rights) {
            _ if rights == Rights::Nothing => Some(not_allowed(&peer)),
            Room::None(why) => Some(Reply::new(
                Status::Refused,
                format!("error: {why}\n  hint: `Max_Sessions` of Control_Listener is the limit\n"),
            )),
            Room::Instead(id) => {
                self.give_up(id);
                None
            }
            Room::Free => None,
        };
        if let Some(reply) = refusal {
            session::write_at_once(&socket, &reply.encode());
            return Ok(None);
        }
        let id = SessionId(self.next);
        self.next += 1;
        self.sessions.insert(id, Session::new(socket, peer, now, self.silence(now)));
        self.changes.push(Change::Add(id, Interest::Read));
        Ok(Some(id))
    }

    /// Goes on with a session whose socket is ready for what was waited for, or whose peer `has_gone`, as EPOLLHUP and
    /// EPOLLERR say.
    pub fn ready(&mut self, id: SessionId, has_gone: bool, now: Duration) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        // Nobody would read the reply. What is queued still has its turn: the peer may have meant it so.
        let is_over = match session.state {
            State::Answering => has_gone,
            State::Reading => {
                session.active = now;
                session.read().is_err()
            }
            State::Waiting(_) | State::Writing(_) => false,
        };
        if is_over {
            return self.remove(id);
        }
        self.go_on(id, now);
    }

    /// How many requests wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.turns.len()
    }

    /// The request whose turn it is. Its session waits for [`reply`](Self::reply) or [`release`](Self::release).
    pub fn take(&mut self, now: Duration) -> Option<Request<T>> {
        while let Some(id) = self.next_turn() {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            self.last = Some(session.peer.uid);
            session.is_queued = false;
            let State::Waiting(line) = mem::replace(&mut session.state, State::Answering) else { continue };
            let rights = self.settings.authority.rights(&session.peer);
            if rights > Rights::Nothing {
                let (peer, data) = (session.peer.clone(), mem::take(&mut session.data));
                return Some(Request { session: id, peer, rights, line, data });
            }
            let reply = not_allowed(&session.peer);
            self.reply(id, &reply, T::default(), After::End, now);
        }
        None
    }

    /// Whose turn it is: after a user another one's, so that many sessions of one keep nobody waiting longer than one would.
    fn next_turn(&mut self) -> Option<SessionId> {
        let user = |id: &SessionId| self.sessions.get(id).map(|session| session.peer.uid);
        let next = self.turns.iter().position(|id| user(id) != self.last).unwrap_or(0);
        self.turns.remove(next)
    }

    /// Answers the request that was taken. Nothing happens if the session has ended meanwhile.
    pub fn reply(&mut self, id: SessionId, reply: &Reply, data: T, after: After, now: Duration) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !matches!(session.state, State::Answering) {
            return;
        }
        session.data = data;
        session.active = now;
        session.say(reply, after);
        self.go_on(id, now);
        self.keep_to_limit();
    }

    /// Gives the socket of the session whose request was taken away, to talk on it in another way; the session is no more.
    /// The caller waits for it no longer.
    pub fn release(&mut self, id: SessionId) -> Option<OwnedFd> {
        match self.sessions.get(&id)?.state {
            State::Answering => self.sessions.remove(&id).map(|session| session.socket.into()),
            _ => None,
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.sessions.values().filter_map(|session| session.deadline).min()
    }

    /// Ends the sessions that were silent for too long, and says how many.
    pub fn expire(&mut self, now: Duration) -> usize {
        let over = |session: &Session<T>| session.deadline.is_some_and(|deadline| deadline <= now);
        let over: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| over(session)).map(|(id, _)| *id).collect();
        for id in &over {
            self.remove(*id);
        }
        over.len()
    }

    /// Ends all sessions, at the end of the server. What has not gone out is sent as far as sockets take it at once.
    pub fn end(&mut self) {
        let all: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in all {
            self.remove(id);
        }
    }

    /// What the loop has to do about sockets, in this order.
    pub fn changes(&mut self) -> Vec<Change> {
        mem::take(&mut self.changes)
    }

    /// The socket of a session.
    #[must_use]
    pub fn socket(&self, id: SessionId) -> Option<BorrowedFd<'_>> {
        Some(self.sessions.get(&id)?.socket.as_fd())
    }

    /// Does for a session what can be done without waiting.
    fn go_on(&mut self, id: SessionId, now: Duration) {
        let silence = self.silence(now);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let interest = match session.go_on() {
            Err(()) => return self.remove(id),
            Ok(interest) => interest,
        };
        match (&session.state, interest) {
            (State::Waiting(_), _) => {
                session.deadline = None;
                if !mem::replace(&mut session.is_queued, true) {
                    self.turns.push_back(id);
                }
            }
            (State::Answering, _) => session.deadline = None,
            // Only what is complete breaks the silence: a byte now and then does not.
            (State::Reading, _) if mem::take(&mut session.has_answered) => session.deadline = silence,
            (State::Reading, _) => {}
            (State::Writing(_), _) => {
                if mem::take(&mut session.has_written) {
                    session.deadline = Some(silence.unwrap_or(now + UNREAD_TIMEOUT));
                }
            }
        }
        if interest != session.interest {
            session.interest = interest;
            self.changes.push(Change::Modify(id, interest));
        }
    }

    fn keep_to_limit(&mut self) {
        loop {
            let unread = || self.sessions.iter().filter(|(_, session)| session.unread() > 0);
            let total: usize = unread().map(|(_, session)| session.unread()).sum();
            if total <= OUTPUT_LIMIT || unread().count() < 2 {
                return;
            }
            let stalled = unread().min_by_key(|(id, session)| (session.deadline, **id)).map(|(id, _)| *id);
            let Some(id) = stalled else { return };
            self.remove(id);
        }
    }

    fn room(&self, uid: u32, rights: Rights) -> Room {
        let place = |(&id, session): (&SessionId, &Session<T>)| Place {
            id,
            uid: session.peer.uid,
            rights: self.settings.authority.rights(&session.peer),
            is_idle: matches!(session.state, State::Reading),
            since: session.active,
        };
        let taken: Vec<Place> = self.sessions.iter().map(place).collect();
        places::room(self.settings.max_sessions, uid, rights, &taken)
    }

    /// Ends a session for the sake of another, and says so if it is not in the middle of a reply.
    fn give_up(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get(&id)
            && matches!(session.state, State::Reading)
        {
            let words = "error: this session is ended, since root needed its place\n";
            session::write_at_once(&session.socket, &Reply::new(Status::Refused, words).encode());
        }
        self.remove(id);
    }

    fn silence(&self, now: Duration) -> Option<Duration> {
        self.settings.timeout.map(|timeout| now.saturating_add(timeout))
    }

    fn remove(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.changes.push(Change::Remove(id, session.socket.into()));
        }
    }
}

fn not_allowed(peer: &Peer) -> Reply {
    let who = format!("user {} is not allowed to use this console", peer.uid);
    let hint =
        "`Operators` and `Observers` of Control_Listener name who is, besides root and the server's own user";
    Reply::new(Status::Refused, format!("error: {who}\n  hint: {hint}\n"))
}

#[cfg(test)]
mod tests;
