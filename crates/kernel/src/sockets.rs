//! Sockets that are listened on: made, recognised, accepted from, and passed from one process to another.
//!
//! What is made here is closed by execve(2), and blocks: services expect that of what they inherit, and whoever accepts
//! itself says otherwise ([`set_nonblocking`]). Sources: socket(7), ip(7), ipv6(7), unix(7), listen(2), accept(2),
//! sd_listen_fds(3). Not for: which sockets there are to be.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::net::{accept_with, bind as bind_socket, getsockname, listen, socket_with};
use stepdown_security::errno::Errno;

use crate::error::number_of;
use crate::sys;

mod file_of;
mod passing;
mod unix;

pub use passing::{receive_descriptors, send_batch, send_descriptors, take_inherited};
pub use unix::{remove, set_mode};

use crate::trust::Untrusted;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// One address of one family. That of IPv6 is of IPv6 alone.
    Inet(SocketAddr),
    /// Every address of this host, of both families: one socket.
    Any(u16),
    /// A file.
    Unix(PathBuf),
    /// A name without a file, which ends with the socket.
    Abstract(Vec<u8>),
}

/// What kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Connections, which are listened for.
    Stream,
    /// Datagrams.
    Datagram,
}

/// How a socket is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What kind.
    pub kind: Kind,
    /// How many connections wait to be accepted, listen(2); no more than `net.core.somaxconn`.
    pub backlog: i32,
    /// Whether several sockets share the address, `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// Whether the address need not be there yet, `IP_FREEBIND`.
    pub free_bind: bool,
    /// The mode of the file; what the umask leaves of 0777 without it.
    pub mode: Option<u32>,
    /// User and group of the file, and of its directory if that is made; this process's own without it.
    pub owner: Option<(u32, u32)>,
}

/// What a socket turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Where it is; `None` for one that is nowhere yet.
    pub address: Option<Address>,
    /// What kind.
    pub kind: Kind,
    /// Whether it listens.
    pub listening: bool,
    /// Whether it is of IPv6 alone, `IPV6_V6ONLY`.
    pub v6only: bool,
}

/// Why a socket can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// A call failed: which, and with what. EACCES from bind is a privileged port or a directory that can't be written to,
    /// EADDRINUSE an address that is taken, EADDRNOTAVAIL one that this host does not have.
    System(&'static str, Errno),
    /// Another process listens on the file.
    Live,
    /// In the file's place there is something that is no socket: what it is.
    NotASocket(&'static str),
    /// This process has privileges, and somebody else decides what the path leads to.
    Untrusted(Untrusted),
}

/// What there is to say of a socket that was bound before, see [`settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is what [`bind`] would have made.
    Kept,
    /// So it is, but somebody who is neither root nor its owner could put another in the place of its file.
    Shared(Untrusted),
    /// The path does not lead to it: nobody can reach it by it.
    Lost,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            kind: Kind::Stream,
            backlog: 4096,
            reuse_port: false,
            free_bind: false,
            mode: None,
            owner: None,
        }
    }
}

/// Makes a socket, binds it, and listens on it if it is for connections.
///
/// The file of a Unix socket that nobody listens on is replaced; its directory is made if it is missing, one level, with mode
/// 0755. A process with privileges goes no way that somebody else could change: what is above the directory is root's alone,
/// and the directory is root's or the owner's. Nobody can connect before mode and owner are what they are to be. For that the umask is changed for a moment:
/// no other thread may make files meanwhile.
///
/// # Errors
/// See [`BindError`]. Nothing is left behind then.
pub fn bind(address: &Address, options: &Options) -> Result<OwnedFd, BindError> {
    let socket = match address {
        Address::Inet(address) => inet(*address, address.is_ipv6().then_some(true), options)?,
        Address::Any(port) => any(*port, options)?,
        Address::Abstract(name) => {
            let address = SocketAddrUnix::new_abstract_name(name).map_err(called("bind"))?;
            let socket = new(AddressFamily::UNIX, options)?;
            bind_socket(&socket, &address).map_err(called("bind"))?;
            socket
        }
        Address::Unix(path) => return unix::bind(path, options),
    };
    if options.kind == Kind::Stream {
        listen(&socket, options.backlog).map_err(called("listen"))?;
    }
    Ok(socket)
}

/// Makes a socket that was bound before, by whomever, what [`bind`] would have made, as far as clients see it: mode and owner of
/// its file, if it has one.
///
/// # Errors
/// See [`BindError`].
pub fn settle(socket: BorrowedFd<'_>, address: &Address, options: &Options) -> Result<Settled, BindError> {
    match address {
        Address::Unix(path) => unix::settle(path, socket, options),
        _ => Ok(Settled::Kept),
    }
}

/// What a socket is that came from elsewhere.
///
/// # Errors
/// ENOTSOCK for what is none, EXDEV for one of another network namespace, EPROTONOSUPPORT for one that is neither of IP nor of Unix or neither for connections nor for
/// datagrams, and what the calls answered.
pub fn identify(descriptor: BorrowedFd<'_>) -> io::Result<Bound> {
    if rustix::fs::fstat(descriptor)?.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    let unsupported = || io::Error::from_raw_os_error(libc::EPROTONOSUPPORT);
    // An address is one of a network: the same one elsewhere is not what clients of this host reach.
    if !is_of_this_network(descriptor)? {
        return Err(io::Error::from_raw_os_error(libc::EXDEV));
    }
    let kind = match sockopt::socket_type(descriptor)? {
        SocketType::STREAM => Kind::Stream,
        SocketType::DGRAM => Kind::Datagram,
        _ => return Err(unsupported()),
    };
    let listening = kind == Kind::Stream && sockopt::socket_acceptconn(descriptor)?;
    let family = sockopt::socket_domain(descriptor)?;
    let v6only = family == AddressFamily::INET6 && sockopt::ipv6_v6only(descriptor)?;
    let address = match family {
        AddressFamily::INET | AddressFamily::INET6 => {
            let address = SocketAddr::try_from(getsockname(descriptor)?)?;
            let any = address.ip() == Ipv6Addr::UNSPECIFIED && !v6only;
            let address = if any { Address::Any(address.port()) } else { Address::Inet(address) };
            Some(address).filter(|address| address.port() != Some(0))
        }
        AddressFamily::UNIX => {
            let address = SocketAddrUnix::try_from(getsockname(descriptor)?)?;
            let path = address
                .path_bytes()
                .map(|path| Address::Unix(PathBuf::from(std::ffi::OsStr::from_bytes(path))));
            let name = address.abstract_name().filter(|name| !name.is_empty());
            path.or_else(|| name.map(|name| Address::Abstract(name.to_owned())))
        }
        _ => return Err(unsupported()),
    };
    Ok(Bound { address, kind, listening, v6only })
}

/// Whether a socket that is there is what [`bind`] would make, so that it can be kept. Backlog, mode and owner can be changed
/// and do not count, see [`settle`].
#[must_use]
pub fn is_same(bound: &Bound, address: &Address, options: &Options) -> bool {
    let same_address = match (&bound.address, address) {
        // On a host without IPv6, every address is that of IPv4.
        (Some(Address::Inet(SocketAddr::V4(bound))), Address::Any(port)) => {
            bound.ip().is_unspecified() && bound.port() == *port && !has_ipv6()
        }
        (Some(bound), wanted) => bound == wanted,
        (None, _) => false,
    };
    same_address && bound.kind == options.kind && bound.listening == (options.kind == Kind::Stream)
}

/// The next connection, close-on-exec and blocking. `None` where there is none, if the listening socket does not block
/// ([`set_nonblocking`]).
///
/// # Errors
/// What accept4(2) answered, but for connections that have gone again: EMFILE, ENFILE, ENOMEM, which will pass.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    loop {
        return match accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(connection) => Ok(Some(connection)),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            // accept(2): errors that the network already had for the connection come from here.
            Err(error) if GONE.contains(&error) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Connects to a Unix socket for connections. Where too many wait there already it waits for its turn, for ever or this long.
///
/// # Errors
/// What connect(2) answered: ENOENT, ECONNREFUSED, EACCES; EAGAIN where its turn did not come.
pub fn connect(path: &Path, patience: Option<Duration>) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // It counts for connecting as well, socket(7).
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, patience)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// As [`connect`], to the very socket that is at the path and to nothing that a link in its place leads to. The owner of its file
/// comes along.
///
/// # Errors
/// As [`connect`]; ENOTSOCK for what is no socket, a link included.
pub fn connect_exactly(path: &Path, patience: Option<Duration>) -> io::Result<(OwnedFd, u32)> {
    use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
    let file = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let status = fstat(&file)?;
    if status.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    let held = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)));
    Ok((connect(&held, patience)?, status.st_uid))
}

/// Sets how many connections may wait, of a socket that listens already: listen(2) once more.
///
/// # Errors
/// What listen(2) answered.
pub fn set_backlog(listener: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    Ok(listen(listener, backlog)?)
}

/// Sets or clears `O_NONBLOCK`, of the socket: every process that has it sees that.
///
/// # Errors
/// What fcntl(2) answered.
pub fn set_nonblocking(descriptor: BorrowedFd<'_>, set: bool) -> io::Result<()> {
    let mut flags = rustix::fs::fcntl_getfl(descriptor)?;
    flags.set(rustix::fs::OFlags::NONBLOCK, set);
    Ok(rustix::fs::fcntl_setfl(descriptor, flags)?)
}

/// Whether a socket is of the network namespace that this process is in. Before Linux 5.14 nobody can tell.
fn is_of_this_network(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let Some(network) = sys::network_cookie(descriptor)? else { return Ok(true) };
    let own = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(sys::network_cookie(own.as_fd())? == Some(network))
}

impl Address {
    /// The port, where it has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(address) => Some(address.port()),
            Address::Any(port) => Some(*port),
            Address::Unix(_) | Address::Abstract(_) => None,
        }
    }
}

/// As the configuration writes it: `192.0.2.1:80`, `[::1]:80`, `*:80`, `/run/x`, `@name`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => write!(f, "{address}"),
            Address::Any(port) => write!(f, "*:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::System(call, errno) => write!(f, "{call} answered {errno}"),
            BindError::Live => f.write_str("another process listens there"),
            BindError::NotASocket(what) => write!(f, "there is {what} in its place"),
            BindError::Untrusted(untrusted) => write!(f, "{untrusted}"),
        }
    }
}

impl std::error::Error for BindError {}

/// What accept(2) lists as errors of the connection, not of the listening socket.
const GONE: [rustix::io::Errno; 10] = [
    rustix::io::Errno::INTR,
    rustix::io::Errno::CONNABORTED,
    rustix::io::Errno::NETDOWN,
    rustix::io::Errno::PROTO,
    rustix::io::Errno::NOPROTOOPT,
    rustix::io::Errno::HOSTDOWN,
    rustix::io::Errno::NONET,
    rustix::io::Errno::HOSTUNREACH,
    rustix::io::Errno::OPNOTSUPP,
    rustix::io::Errno::NETUNREACH,
];

fn called(call: &'static str) -> impl Fn(rustix::io::Errno) -> BindError {
    move |error| BindError::System(call, number_of(error))
}

fn new(family: AddressFamily, options: &Options) -> Result<OwnedFd, BindError> {
    let kind = match options.kind {
        Kind::Stream => SocketType::STREAM,
        Kind::Datagram => SocketType::DGRAM,
    };
    socket_with(family, kind, SocketFlags::CLOEXEC, None).map_err(called("socket"))
}

fn inet(address: SocketAddr, v6only: Option<bool>, options: &Options) -> Result<OwnedFd, BindError> {
    let set = called("setsockopt");
    let socket = match address {
        SocketAddr::V4(_) => new(AddressFamily::INET, options)?,
        SocketAddr::V6(_) => new(AddressFamily::INET6, options)?,
    };
    if let Some(v6only) = v6only {
        sockopt::set_ipv6_v6only(&socket, v6only).map_err(&set)?;
    }
    // Of datagrams it would let another process of the user share the port unasked, socket(7).
    if options.kind == Kind::Stream {
        sockopt::set_socket_reuseaddr(&socket, true).map_err(&set)?;
    }
    if options.reuse_port {
        sockopt::set_socket_reuseport(&socket, true).map_err(&set)?;
    }
    if options.free_bind {
        match address {
            SocketAddr::V4(_) => sockopt::set_ip_freebind(&socket, true),
            SocketAddr::V6(_) => sockopt::set_ipv6_freebind(&socket, true),
        }
        .map_err(&set)?;
    }
    bind_socket(&socket, &address).map_err(called("bind"))?;
    Ok(socket)
}

/// Both families in one socket, or IPv4 alone where the host has no other.
fn any(port: u16, options: &Options) -> Result<OwnedFd, BindError> {
    match inet(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), Some(false), options) {
        Err(BindError::System("socket" | "bind", errno))
            if matches!(errno.0, libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) =>
        {
            inet(SocketAddr::from(([0, 0, 0, 0], port)), None, options)
        }
        result => result,
    }
}

fn has_ipv6() -> bool {
    let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    socket.is_ok_and(|socket| bind_socket(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).is_ok())
}
