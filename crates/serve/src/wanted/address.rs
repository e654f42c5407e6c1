//! Addresses of listeners: what is written, what it means, and which of them can't be bound at the same time.
//!
//! Follows ip(7), ipv6(7) and unix(7). Names of hosts are not looked up: an answer could change between two starts, and
//! a server that can't reach its name server would not start.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use stepdown_conf::shown_path;

/// The longest path or abstract name of a Unix socket, in bytes: `sun_path` of unix(7) has 108, one of which ends a path
/// and begins an abstract name.
pub const MAX_UNIX: usize = 107;

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// An address and a port. One of IPv6 is IPv6 alone.
    Inet(SocketAddr),
    /// A port of every address of both families.
    Any(u16),
    /// A path, without `//`, `/./` and the like.
    Unix(String),
    /// A name in the abstract namespace of Unix sockets, without the leading NUL.
    Abstract(String),
}

/// What is sent over a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Connections: TCP, or a Unix stream.
    Stream,
    /// Datagrams: UDP, or Unix datagrams.
    Datagram,
}

/// What tells one listening socket from every other, over reloads too.
///
/// A socket that shares its address is its service's own. One that does not is the only one, whoever it belongs to, so
/// it can go from one service to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketKey {
    /// Its address.
    pub address: Address,
    /// What is sent over it.
    pub kind: Kind,
    /// With `Reuse_Port`, the service it belongs to.
    pub shared_by: Option<String>,
}

/// What two sockets have to have in common to be in each other's way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Near<'a> {
    Port(u16, Kind),
    Path(&'a str),
    Name(&'a str, Kind),
}

impl Near<'_> {
    pub(crate) fn of(key: &SocketKey) -> Near<'_> {
        match &key.address {
            Address::Inet(inet) => Near::Port(inet.port(), key.kind),
            Address::Any(port) => Near::Port(*port, key.kind),
            Address::Unix(path) => Near::Path(path),
            Address::Abstract(name) => Near::Name(name, key.kind),
        }
    }
}

/// Why a text is no address: what is wrong, why, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What is wrong with it, to stand after the text.
    pub what: &'static str,
    /// The rule.
    pub why: &'static str,
    /// What to write instead.
    pub hint: String,
}

impl Address {
    /// Reads `*:443`, `192.0.2.1:25`, `[2001:db8::1]:25`, `/run/socket` or `@name`.
    ///
    /// # Errors
    /// Everything else, and what no socket can be bound to.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if text.starts_with('/') {
            return unix(text);
        }
        if let Some(name) = text.strip_prefix('@') {
            return named(name);
        }
        let Some((host, port)) = text.rsplit_once(':') else { return Err(no_port(text)) };
        if host.contains(':') && !host.starts_with('[') {
            return Err(bare_ipv6(text));
        }
        let port = read_port(port)?;
        if host == "*" {
            return Ok(Address::Any(port));
        }
        match host.strip_prefix('[') {
            Some(rest) => ipv6(rest, port),
            None => match host.parse::<Ipv4Addr>() {
                Ok(ip) => Ok(Address::Inet(SocketAddr::new(IpAddr::V4(ip), port))),
                Err(_) => Err(no_ipv4(host, port)),
            },
        }
    }

    /// The address of a path.
    #[must_use]
    pub fn unix(path: &str) -> Address {
        Address::Unix(plain_path(path))
    }

    /// Whether two sockets of the same kind can't both be bound, unless they share.
    #[must_use]
    pub fn overlaps(&self, other: &Address) -> bool {
        match (self, other) {
            (Address::Inet(a), Address::Inet(b)) => {
                let wild = a.ip().is_unspecified() || b.ip().is_unspecified();
                a == b || (a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && wild)
            }
            (Address::Any(port), Address::Inet(inet)) | (Address::Inet(inet), Address::Any(port)) => {
                *port == inet.port()
            }
            _ => self == other,
        }
    }

    /// The port, where it has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(inet) => Some(inet.port()),
            Address::Any(port) => Some(*port),
            Address::Unix(_) | Address::Abstract(_) => None,
        }
    }
}

impl SocketKey {
    /// Whether this socket can't be bound while the other is.
    #[must_use]
    pub fn clashes(&self, other: &SocketKey) -> bool {
        // A file is one file, whatever is sent over it.
        let same_space = self.kind == other.kind || matches!(self.address, Address::Unix(_));
        let share = self.shared_by.is_some() && other.shared_by.is_some();
        same_space && !share && self.address.overlaps(&other.address)
    }
}

/// The path without empty and `.` parts, which is another name of the same file; `..` depends on links, and stays.
#[must_use]
pub fn plain_path(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        plain.push('/');
        plain.push_str(part);
    }
    if plain.is_empty() {
        plain.push('/');
    }
    plain
}

fn unix(path: &str) -> Result<Address, AddressError> {
    let error = |what, why, hint: &str| Err(AddressError { what, why, hint: hint.to_owned() });
    if path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..") {
        return error(
            "names a directory",
            "a socket is a file of its own",
            "write the socket's own name behind it",
        );
    }
    let plain = plain_path(path);
    if plain.len() > MAX_UNIX {
        return error(
            "is too long for a socket",
            "the address of a Unix socket holds a path of 107 bytes at most, unix(7)",
            "choose a shorter directory, such as one in /run",
        );
    }
    Ok(Address::Unix(plain))
}

fn named(name: &str) -> Result<Address, AddressError> {
    let error = |what, why| {
        Err(AddressError {
            what,
            why,
            hint: "write a name of 1 to 107 bytes behind the @, such as @my-web".into(),
        })
    };
    match name.len() {
        0 => error("names nothing", "an abstract Unix socket is known by its name alone, unix(7)"),
        1..=MAX_UNIX => Ok(Address::Abstract(name.to_owned())),
        _ => error("is too long for a socket", "an abstract name has 107 bytes at most, unix(7)"),
    }
}

fn ipv6(rest: &str, port: u16) -> Result<Address, AddressError> {
    let Some(inside) = rest.strip_suffix(']') else {
        return Err(AddressError {
            what: "has no `]` before its port",
            why: "an IPv6 address is written in brackets, since it has colons of its own",
            hint: "write it as [2001:db8::1]:443".into(),
        });
    };
    let (ip, zone) = inside.split_once('%').map_or((inside, None), |(ip, zone)| (ip, Some(zone)));
    let scope = match zone.map(str::parse::<u32>) {
        None => 0,
        Some(Ok(index)) if zone.is_some_and(|zone| zone.bytes().all(|byte| byte.is_ascii_digit())) => index,
        Some(_) => {
            return Err(AddressError {
                what: "has a zone that is no number",
                why: "names of interfaces are not looked up",
                hint: "write the interface's number, as `ip link` shows it".into(),
            });
        }
    };
    let Ok(ip) = ip.parse::<Ipv6Addr>() else {
        return Err(AddressError {
            what: "has no IPv6 address in its brackets",
            why: "names of hosts are not looked up, and in brackets stands an IPv6 address",
            hint: format!(
                "write it as [2001:db8::1]:{port}, or [::]:{port} for every IPv6 address of this host"
            ),
        });
    };
    if let Some(v4) = ip.to_ipv4_mapped() {
        return Err(AddressError {
            what: "is an IPv4 address in IPv6 clothes",
            why: "a listener in brackets is IPv6 alone, ipv6(7) IPV6_V6ONLY, and can't be bound to it",
            hint: format!("did you mean {v4}:{port}?"),
        });
    }
    Ok(Address::Inet(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))))
}

fn read_port(port: &str) -> Result<u16, AddressError> {
    let error = |what, why| {
        Err(AddressError { what, why, hint: "write a port from 1 to 65535 behind the last colon".into() })
    };
    if port.is_empty() || port.len() > 10 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return error(
            "has no port that is a number",
            "names of services are not looked up; a port is a plain decimal number",
        );
    }
    if port.len() > 1 && port.starts_with('0') {
        return error(
            "has a port that begins with 0",
            "a leading zero could mean octal; ports are plain decimal",
        );
    }
    match port.parse::<u32>() {
        Ok(0) => error("has port 0", "with 0 the kernel chooses a port, and nobody would know which"),
        Ok(number) => match u16::try_from(number) {
            Ok(port) => Ok(port),
            Err(_) => error("has a port above 65535", "ports have 16 bits, ip(7)"),
        },
        Err(_) => error("has a port above 65535", "ports have 16 bits, ip(7)"),
    }
}

fn no_port(text: &str) -> AddressError {
    let hint = if !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("did you mean *:{text}, which is every address of this host?")
    } else if text.contains('/') {
        format!("a path is absolute: did you mean /{}?", shown_path(text))
    } else {
        "write ADDRESS:PORT, *:PORT, [IPV6]:PORT, an absolute path, or @NAME".into()
    };
    AddressError {
        what: "is no address",
        why: "there is no port, and it is neither an absolute path nor an @name",
        hint,
    }
}

fn bare_ipv6(text: &str) -> AddressError {
    let hint = if text.parse::<Ipv6Addr>().is_ok() {
        format!("write [{text}]:PORT")
    } else {
        "write [IPV6]:PORT".into()
    };
    AddressError {
        what: "has colons that leave open where the port begins",
        why: "an IPv6 address is written in brackets, since it has colons of its own",
        hint,
    }
}

fn no_ipv4(host: &str, port: u16) -> AddressError {
    if host.is_empty() {
        return AddressError {
            what: "has no address before its port",
            why: "it does not say whether one family of addresses is meant or both",
            hint: format!("write *:{port} for every address of this host, 0.0.0.0:{port} for those of IPv4"),
        };
    }
    if host.contains('/') {
        return AddressError {
            what: "is no absolute path",
            why: "a relative path would depend on where the server happens to be started",
            hint: "write the whole path, beginning with /".into(),
        };
    }
    AddressError {
        what: "has no IP address before its port",
        why: "names are not looked up: what they mean can change between two starts, and is not known without the network",
        hint: if host == "localhost" {
            format!("write 127.0.0.1:{port} or [::1]:{port}")
        } else {
            format!("write the address itself, or *:{port} for every address of this host")
        },
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(inet) => write!(f, "{inet}"),
            Address::Any(port) => write!(f, "*:{port}"),
            Address::Unix(path) => write!(f, "{}", shown_path(path)),
            Address::Abstract(name) => write!(f, "@{}", shown_path(name)),
        }
    }
}

/// `*:443`, and `*:53 (datagram)`.
impl fmt::Display for SocketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Stream => write!(f, "{}", self.address),
            Kind::Datagram => write!(f, "{} (datagram)", self.address),
        }
    }
}

#[cfg(test)]
mod tests;
