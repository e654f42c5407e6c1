//! The protocol of sd_notify(3), from both sides: to whoever started this process, and from those it starts.
//!
//! What a service says comes with the kernel's word on who it is, unix(7) `SCM_CREDENTIALS`. Not for: what the words mean.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname, socket_with,
};

use crate::sys;

/// The longest message that is taken from a service; sd_notify(3) has no limit, systemd's is the same.
pub const MESSAGE_LIMIT: usize = 4096;

/// The most messages that are taken at a time.
pub const BATCH: usize = 32;

/// Says to the service manager that started this process how it is.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
    watchdog: Option<Duration>,
}

/// Where services say how they are.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
    name: Vec<u8>,
}

/// What a service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which process said it, by the kernel's word.
    pub pid: u32,
    /// As which user.
    pub uid: u32,
    /// Lines of `NAME=value`; bytes that are not UTF-8 replaced.
    pub text: String,
}

/// Whether a variable of the environment is between this process and whoever started it: children don't get it.
#[must_use]
pub fn is_private(variable: &OsStr) -> bool {
    let name = variable.as_bytes();
    name.starts_with(b"LISTEN_")
        || name.starts_with(b"WATCHDOG_")
        || matches!(name, b"NOTIFY_SOCKET" | b"MAINPID" | b"FDSTORE" | b"MANAGERPID")
}

impl Notifier {
    /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` of the environment; `None` without the first. It is connected at
    /// once, so that it still works under another root directory. The environment stays as it is: what children get is made
    /// without them, see [`is_private`].
    ///
    /// # Errors
    /// EINVAL for an address that is neither an absolute path nor `@` and a name, or what connect(2) answered.
    pub fn from_environment() -> io::Result<Option<Notifier>> {
        let Some(value) = std::env::var_os("NOTIFY_SOCKET").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        // For this process, or for whichever gets the variable.
        let ours = std::env::var_os("WATCHDOG_PID").is_none()
            || number("WATCHDOG_PID") == Some(u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&micros| ours && micros > 0 && micros < u64::MAX);
        Notifier::to(&value, watchdog.map(Duration::from_micros)).map(Some)
    }

    /// To this address: an absolute path, or `@` and an abstract name.
    ///
    /// # Errors
    /// As [`Notifier::from_environment`].
    pub fn to(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Notifier> {
        let address = match address.as_bytes() {
            [b'/', ..] => SocketAddrUnix::new(address.as_bytes())?,
            [b'@', name @ ..] if !name.is_empty() => SocketAddrUnix::new_abstract_name(name)?,
            _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        let socket = datagram_socket()?;
        connect(&socket, &address)?;
        Ok(Notifier { socket, address, watchdog })
    }

    /// Says it: lines of `NAME=value`. Does not wait.
    ///
    /// # Errors
    /// What sendmsg(2) answered: EAGAIN where the manager is not reading.
    pub fn send(&self, text: &str) -> io::Result<()> {
        match sys::send(self.socket.as_fd(), text.as_bytes(), &[], false) {
            // The manager was started anew, at the same address.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::ENOTCONN)) => {
                connect(&self.socket, &self.address)?;
                sys::send(self.socket.as_fd(), text.as_bytes(), &[], false).map(drop)
            }
            result => result.map(drop),
        }
    }

    /// How often `WATCHDOG=1` has to be said at least; sd_watchdog_enabled(3) says to do it twice as often.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}

impl Receiver {
    /// At an abstract address that the kernel chooses: there is no file to leave behind, and it is there under every root
    /// directory. Whoever is in this network namespace can send to it, which is why the sender is told.
    ///
    /// # Errors
    /// What socket(2) or bind(2) answered.
    pub fn bind() -> io::Result<Receiver> {
        let socket = datagram_socket()?;
        set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new_unnamed())?;
        let address = SocketAddrUnix::try_from(getsockname(&socket)?)?;
        let name = address.abstract_name().ok_or(io::ErrorKind::InvalidData)?.to_owned();
        Ok(Receiver { socket, name })
    }

    /// What `NOTIFY_SOCKET` has to be for a service.
    #[must_use]
    pub fn address(&self) -> String {
        format!("@{}", String::from_utf8_lossy(&self.name))
    }

    /// The next messages, as many as are there and [`BATCH`] at most: somebody who sends without end is left for now, and what
    /// is left is said again by epoll(7). Messages that are too long, come without a sender, or from one that is nobody's to `whose` by
    /// its process and user, are passed over unread. Descriptors sent along are closed, but not before `whose` has
    /// answered: a sender that waits for that, as systemd-notify(1) does with `BARRIER=1`, is a process until then.
    ///
    /// # Errors
    /// What recvmsg(2) answered.
    pub fn receive<T>(&self, mut whose: impl FnMut(u32, u32) -> Option<T>) -> io::Result<Vec<(T, Message)>> {
        let mut bytes = [0; MESSAGE_LIMIT];
        let mut messages = Vec::new();
        for _ in 0..BATCH {
            let message = match sys::receive(self.socket.as_fd(), &mut bytes, false) {
                Ok(message) => message,
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => break,
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => continue,
                // What came before it is not lost with it.
                Err(_) if !messages.is_empty() => break,
                Err(error) => return Err(error),
            };
            let sender = message.sender.filter(|&(pid, ..)| pid > 0 && !message.text_cut);
            let sender = sender.map(|(pid, uid, _)| (pid.unsigned_abs(), uid));
            let Some((pid, uid)) = sender else { continue };
            if let Some(owner) = whose(pid, uid) {
                let text = String::from_utf8_lossy(&bytes[..message.length]).into_owned();
                messages.push((owner, Message { pid, uid, text }));
            }
        }
        Ok(messages)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn datagram_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?)
}
