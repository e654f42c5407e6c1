//! Passing the listening sockets from one server to the next, so that no connection is refused while a fresh process, which
//! is root again, takes the place of one that can't be.
//!
//! Whoever has the sockets gives them to a peer that is root, and goes on. The peer says `yield` when it can do without the
//! giver. What comes is looked at before it is used: a giver is a process with less privilege than the taker. Between the end
//! of one server and the start of the next, a [`Holder`] keeps the sockets open; clients wait in their queues.
//! Follows `docs/console.md`, "Restart"; unix(7), `SCM_RIGHTS` and `SO_PEERCRED`.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stepdown_conf::{Cause, Finding, shown_path};
use stepdown_kernel::events::{Events, Interest};
use stepdown_kernel::limits;
use stepdown_kernel::peer::Peer;
use stepdown_kernel::sockets::{self, Address, Options};

/// How long the other side may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all sockets may take to come, however little the other side sends at a time.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(20);
/// How often somebody who waits looks whether there is any sense in it.
const LOOK: Duration = Duration::from_millis(200);
/// The most sockets that are taken.
const MOST: usize = 100_000;

/// The other side of a connection over which sockets came: a server, or who holds them for it.
#[derive(Debug)]
pub struct Predecessor {
    socket: UnixStream,
    /// Its process.
    pub pid: u32,
    /// The user of the server that the sockets are from.
    pub uid: u32,
    /// Whether it holds the sockets of a server that has ended.
    is_holder: bool,
}

/// A process that has got the sockets of this server.
#[derive(Debug)]
pub(super) struct Taker {
    pub(super) socket: UnixStream,
    pub(super) pid: u32,
}

/// What a taker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It goes on with the sockets: this process may end.
    Yield,
    /// It has gone.
    Gone,
    /// Nothing yet.
    Nothing,
}

/// Keeps sockets open until a fresh server comes for them.
#[derive(Debug)]
pub struct Holder {
    listener: OwnedFd,
    path: PathBuf,
    sockets: Vec<OwnedFd>,
    /// The user of the server that they are from.
    from: u32,
}

/// Where a fresh server looks for the sockets of the one under the console `endpoint`: a file that only root can make.
#[must_use]
pub fn meeting_point(endpoint: &str) -> PathBuf {
    // FNV-1a: any number that is the same for the same path will do.
    let number = endpoint.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    PathBuf::from(format!("/run/stepdown-restart/{number:016x}"))
}

/// Asks for the sockets at `path`. `None` if nobody listens there.
///
/// # Errors
/// Somebody listens and does not give them; with `only_root`, also somebody who is not root.
pub fn take(path: &Path, only_root: bool) -> Result<Option<(Vec<OwnedFd>, Predecessor)>, Box<Finding>> {
    let failed = |what: &str, error: &io::Error| Box::new(no_sockets(path, &format!("{what}: {error}")));
    // A server has as many as its limit allows, which may be more than this process was given.
    limits::raise_descriptors().map_err(|error| failed("raising the limit of descriptors", &error))?;
    let (socket, owner) = match sockets::connect_exactly(path, Some(PATIENCE)) {
        Ok((socket, owner)) => (UnixStream::from(socket), owner),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(failed("connecting", &error)),
    };
    let peer = Peer::of(socket.as_fd()).map_err(|error| failed("asking who it is", &error))?;
    if only_root && peer.uid != 0 {
        let words = format!(
            "user {} (process {}) listens there, and only root may hold sockets for a restart",
            peer.uid, peer.pid
        );
        return Err(Box::new(no_sockets(path, &words)));
    }
    if peer.uid != 0 && peer.uid != owner {
        // A file of one user behind which another listens is no console of a server that stepped down.
        let words = format!(
            "the file belongs to user {owner}, and user {} (process {}) listens there",
            peer.uid, peer.pid
        );
        return Err(Box::new(no_sockets(path, &words)));
    }
    // A server listened while it was root, and that is what the kernel says of its socket; the file is that of its user.
    let uid = if peer.uid == 0 { owner } else { peer.uid };
    let mut predecessor = Predecessor { socket, pid: peer.pid, uid, is_holder: only_root };
    let sockets = predecessor.receive(path).map_err(|error| failed("receiving the sockets", &error))?;
    Ok(Some((sockets, predecessor)))
}

impl Predecessor {
    /// Whether it holds the sockets of a server that has ended, and there is no way back.
    #[must_use]
    pub fn is_holder(&self) -> bool {
        self.is_holder
    }

    /// Tells it that its sockets are in good hands: a server ends now.
    ///
    /// # Errors
    /// What the system answered; it has ended already, perhaps.
    pub fn yield_now(&mut self) -> io::Result<()> {
        self.socket.write_all(b"yield\n")
    }

    /// Whether it has ended, or closed the connection, by now.
    pub fn has_ended(&mut self) -> bool {
        let read = self.socket.set_nonblocking(true).and_then(|()| self.socket.read(&mut [0; 16]));
        let _ = self.socket.set_nonblocking(false);
        match read {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    fn receive(&mut self, endpoint: &Path) -> io::Result<Vec<OwnedFd>> {
        let until = Instant::now() + PATIENCE_FOR_ALL;
        self.socket.set_write_timeout(Some(PATIENCE))?;
        // Who refuses a session at once has closed it before it was asked: it said why, and that is still there to be read.
        let endpoint = stepdown_conf::quote(&endpoint.to_string_lossy()).into_owned();
        let asked = self.socket.write_all(format!("handover {endpoint}\n").as_bytes());
        let mut list = Vec::new();
        let mut words = Vec::new();
        let mut wanted = None;
        while wanted.is_none_or(|wanted| list.len() < wanted) {
            let left = until.saturating_duration_since(Instant::now()).min(PATIENCE);
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            let mut bytes = [0; 512];
            let (count, descriptors) = sockets::receive_descriptors(self.socket.as_fd(), &mut bytes)
                .map_err(|error| {
                    if error.kind() == io::ErrorKind::WouldBlock {
                        io::ErrorKind::TimedOut.into()
                    } else {
                        error
                    }
                })?;
            if count == 0 {
                return Err(asked.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()));
            }
            list.extend(descriptors);
            if wanted.is_none() {
                words.extend_from_slice(&bytes[..count]);
                if let Some((number, uid)) = announced(&words)? {
                    wanted = Some(number);
                    // Only who holds sockets, and is root, speaks for another.
                    self.uid = uid.filter(|_| self.is_holder).unwrap_or(self.uid);
                }
            }
            if list.len() > MOST {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(list)
    }
}

impl Taker {
    /// Gives sockets to a peer, which has to be root.
    pub(super) fn give(socket: OwnedFd, pid: u32, list: &[BorrowedFd<'_>]) -> io::Result<Taker> {
        give(socket.as_fd(), list, None)?;
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Taker { socket, pid })
    }

    /// What it says now.
    pub(super) fn listen(&mut self) -> Word {
        let mut bytes = [0; 64];
        match self.socket.read(&mut bytes) {
            Ok(count) if bytes[..count].starts_with(b"yield") => Word::Yield,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Word::Nothing
            }
            _ => Word::Gone,
        }
    }
}

impl Holder {
    /// Holds these sockets, of a server of the user `from`, for one under the console `endpoint`.
    ///
    /// # Errors
    /// The meeting point can't be made: by nobody but root, and by one at a time.
    pub fn new(endpoint: &str, sockets: Vec<OwnedFd>, from: u32) -> Result<Holder, Box<Finding>> {
        let path = meeting_point(endpoint);
        let options = Options { mode: Some(0o600), ..Options::default() };
        let listener = sockets::bind(&Address::Unix(path.clone()), &options).map_err(|error| {
            Box::new(
                Finding::error(
                    "no-meeting-point",
                    Cause::Host,
                    format!("{} can't be listened on: {error}", path.display()),
                )
                .because("a fresh server asks for the sockets there; only root can make it, and one restart runs at a time")
                .hint("run `stepdown restart` as root, after any other has ended"),
            )
        })?;
        Ok(Holder { listener, path, sockets, from })
    }

    /// Waits for a fresh server, gives it the sockets, and waits until it serves: its process. `None` if none came in time, or
    /// it `is_hopeless`. One that goes away before it serves is forgotten: another may come.
    ///
    /// # Errors
    /// What the system answered.
    pub fn wait(&self, patience: Duration, mut is_hopeless: impl FnMut() -> bool) -> io::Result<Option<u32>> {
        let until = Instant::now() + patience;
        let events = Events::new()?;
        events.add(self.listener.as_fd(), 0, Interest::Read)?;
        let mut happened = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            events.wait(&mut happened, Some(left.min(LOOK)))?;
            if happened.is_empty() && is_hopeless() {
                return Ok(None);
            }
            if happened.is_empty() {
                continue;
            }
            let Some(socket) = sockets::accept(self.listener.as_fd())? else { continue };
            let peer = Peer::of(socket.as_fd())?;
            if peer.uid != 0 {
                continue;
            }
            let mut socket = UnixStream::from(socket);
            socket.set_read_timeout(Some(PATIENCE))?;
            let mut line = [0; 512];
            if !matches!(socket.read(&mut line), Ok(count) if line[..count].starts_with(b"handover")) {
                continue;
            }
            let list: Vec<BorrowedFd<'_>> = self.sockets.iter().map(AsFd::as_fd).collect();
            if give(socket.as_fd(), &list, Some(self.from)).is_err() {
                continue;
            }
            let left = until.saturating_duration_since(Instant::now()).max(PATIENCE);
            socket.set_read_timeout(Some(left))?;
            if matches!(socket.read(&mut line), Ok(count) if line[..count].starts_with(b"yield")) {
                return Ok(Some(peer.pid));
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        sockets::remove(&self.path);
    }
}

/// `from` is the user of the server that they are from, where it is not the one that gives them.
fn give(socket: BorrowedFd<'_>, list: &[BorrowedFd<'_>], from: Option<u32>) -> io::Result<()> {
    let from = from.map(|uid| format!(" {uid}")).unwrap_or_default();
    sockets::send_descriptors(socket, format!("sockets {}{from}\n", list.len()).as_bytes(), list)
}

/// How many sockets come, and from which user's server, once the line that says so is there.
fn announced(words: &[u8]) -> io::Result<Option<(usize, Option<u32>)>> {
    let Some(end) = words.iter().position(|byte| *byte == b'\n') else {
        return if words.len() > 64 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
    };
    let line = String::from_utf8_lossy(&words[..end]).into_owned();
    let mut numbers = line.strip_prefix("sockets ").unwrap_or_default().split(' ');
    let number = numbers.next().and_then(|number| number.parse().ok());
    match number.filter(|number| *number <= MOST) {
        Some(number) => Ok(Some((number, numbers.next().and_then(|uid| uid.parse().ok())))),
        // A reply of the console: what it has to say comes after its first line.
        None => {
            let said = String::from_utf8_lossy(&words[end + 1..]).trim().to_owned();
            Err(io::Error::other(if said.is_empty() { "it refused".to_owned() } else { said }))
        }
    }
}

fn no_sockets(path: &Path, words: &str) -> Finding {
    let path = path.to_string_lossy();
    Finding::error("no-handover", Cause::Host, format!("the sockets of the server at {} could not be taken over: {words}", shown_path(&path)))
        .because("without them, clients would be refused between the end of one server and the start of the next")
        .hint("only root may take them; see `stepdown console` for whether the server answers, and stop it otherwise")
}

#[cfg(test)]
mod tests;
