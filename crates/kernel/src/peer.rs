//! Who is at the other end of a Unix socket: unix(7) `SO_PEERCRED`, socket(7) `SO_PEERGROUPS`.
//!
//! The kernel recorded it when the peer connected, and nothing that it does since changes it.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sys;

/// The process at the other end, as it was when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id; 0 if it is not in this process's pid namespace.
    pub pid: u32,
    /// Its effective user id; the overflow id if it has none here.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
    /// Its supplementary groups, in the kernel's order. `None` where the kernel does not tell, before Linux 4.13: it may then be
    /// in any.
    pub groups: Option<Vec<u32>>,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// What getsockopt(2) answered; ENOTCONN or the like for a socket that has no peer.
    pub fn of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
        let (pid, uid, gid) = sys::peer(socket)?;
        if uid == u32::MAX {
            // What the kernel answers where nobody is connected: no user has that id.
            return Err(io::Error::from_raw_os_error(libc::ENOTCONN));
        }
        let groups = match sys::peer_groups(socket) {
            Ok(groups) => Some(groups),
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => None,
            Err(error) => return Err(error),
        };
        Ok(Peer { pid: u32::try_from(pid).unwrap_or(0), uid, gid, groups })
    }

    /// Whether it is in the group, primarily or besides.
    #[must_use]
    pub fn is_in(&self, group: u32) -> bool {
        self.gid == group || self.groups.as_ref().is_some_and(|groups| groups.contains(&group))
    }
}
