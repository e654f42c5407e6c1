//! Which file a Unix socket is bound to, by the kernel's account: sock_diag(7), `UDIAG_SHOW_VFS`.
//!
//! The name that getsockname(2) gives is what somebody bound it to once, in a mount namespace that may be another, and the file
//! may be another by now. Not for: sockets of another network namespace, and kernels without unix_diag: `None`.

use std::os::fd::BorrowedFd;

use rustix::fs::fstat;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{netlink, recv, send, socket_with, sockopt};

/// The lower half of the file's inode number.
pub(super) fn number(socket: BorrowedFd<'_>) -> Option<u32> {
    let inode = u32::try_from(fstat(socket).ok()?.st_ino).ok()?;
    let kernel =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))
            .ok()?;
    // The kernel answers at once, and is not waited for if it ever doesn't.
    let patience = Some(std::time::Duration::from_secs(1));
    sockopt::set_socket_timeout(&kernel, sockopt::Timeout::Recv, patience).ok()?;
    let mut request = Vec::with_capacity(REQUEST);
    // struct nlmsghdr: length, type, flags, sequence number, port.
    request.extend(u32::try_from(REQUEST).ok()?.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    // struct unix_diag_req: family, protocol and padding, states, inode, what to show, any cookie.
    request.extend([AF_UNIX, 0, 0, 0]);
    for word in [u32::MAX, inode, UDIAG_SHOW_VFS, u32::MAX, u32::MAX] {
        request.extend(word.to_ne_bytes());
    }
    send(&kernel, &request, SendFlags::empty()).ok()?;
    let mut reply = [0; 1024];
    let (length, _) = recv(&kernel, &mut reply[..], RecvFlags::empty()).ok()?;
    file_in(reply.get(..length)?, inode)
}

const REQUEST: usize = HEADER + 24;
const HEADER: usize = 16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const UDIAG_SHOW_VFS: u32 = 2;
const UNIX_DIAG_VFS: u16 = 1;
const AF_UNIX: u8 = 1;

fn file_in(reply: &[u8], inode: u32) -> Option<u32> {
    let half = |at: usize| Some(u16::from_ne_bytes(reply.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(reply.get(at..at + 4)?.try_into().ok()?));
    // struct unix_diag_msg: family, type, state, padding, inode, cookie.
    if half(4)? != SOCK_DIAG_BY_FAMILY || word(HEADER + 4)? != inode {
        return None;
    }
    let mut at = HEADER + 16;
    loop {
        // struct nlattr: length, type; struct unix_diag_vfs: inode, device.
        let (length, kind) = (usize::from(half(at)?), half(at + 2)?);
        if kind == UNIX_DIAG_VFS {
            return word(at + 4);
        }
        at += length.max(4).next_multiple_of(4);
    }
}
