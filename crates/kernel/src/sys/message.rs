//! Messages over Unix sockets that carry more than bytes: descriptors and credentials. unix(7), cmsg(3), recvmsg(2).

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// As many descriptors as Linux takes in one message, unix(7) `SCM_RIGHTS`.
pub(crate) const MOST_DESCRIPTORS: usize = 253;

/// What a message held.
pub(crate) struct Message {
    /// How many bytes were read.
    pub(crate) length: usize,
    /// The descriptors sent along, close-on-exec.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Process, user and group of the sender, where the socket asks for it.
    pub(crate) sender: Option<(i32, u32, u32)>,
    /// Whether bytes were lost.
    pub(crate) text_cut: bool,
    /// Whether descriptors, or other control data, were lost.
    pub(crate) control_cut: bool,
}

/// Room for 253 descriptors and a sender, aligned as cmsg(3) demands.
const ROOM: usize = 1088 / size_of::<usize>();

/// sendmsg(2) with descriptors, `MSG_NOSIGNAL`: how many of the bytes were sent.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
    wait: bool,
) -> io::Result<usize> {
    if bytes.is_empty() || descriptors.len() > MOST_DESCRIPTORS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let numbers: Vec<c_int> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let size = u32::try_from(size_of_val(numbers.as_slice())).unwrap_or(u32::MAX);
    let mut control = [0_usize; ROOM];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: a msghdr of zeros is a valid one: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if !numbers.is_empty() {
        header.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE computes with a plain number.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(size) } as _;
        // SAFETY: the control buffer is larger than CMSG_SPACE of 253 numbers and aligned, so that the first header and the
        // data behind it lie within it.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size) as _;
            ptr::copy_nonoverlapping(numbers.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), size as usize);
        }
    }
    let flags = libc::MSG_NOSIGNAL | if wait { 0 } else { libc::MSG_DONTWAIT };
    // SAFETY: the header and what it leads to outlive the call, which only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// recvmsg(2), `MSG_CMSG_CLOEXEC`.
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8], wait: bool) -> io::Result<Message> {
    let mut control = [0_usize; ROOM];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: a msghdr of zeros is a valid one.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    // SAFETY: the header leads to buffers of the lengths it says, which outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let mut message = Message {
        length: length.min(bytes.len()),
        descriptors: Vec::new(),
        sender: None,
        text_cut: header.msg_flags & libc::MSG_TRUNC != 0,
        control_cut: header.msg_flags & libc::MSG_CTRUNC != 0,
    };
    // SAFETY: the kernel has filled in the control buffer, to the length that the header now says; the macros keep within
    // it. Each number in SCM_RIGHTS is a new descriptor that nobody else owns. Data is read unaligned.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(&raw const header);
        while !next.is_null() {
            let data = libc::CMSG_DATA(next);
            let size = ((*next).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            match ((*next).cmsg_level, (*next).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    for index in 0..size / size_of::<c_int>() {
                        let number = data.cast::<c_int>().add(index).read_unaligned();
                        message.descriptors.push(OwnedFd::from_raw_fd(number));
                    }
                }
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if size >= size_of::<libc::ucred>() => {
                    let sender = data.cast::<libc::ucred>().read_unaligned();
                    message.sender = Some((sender.pid, sender.uid, sender.gid));
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(&raw const header, next);
        }
    }
    Ok(message)
}

/// getsockopt(2) `SO_PEERCRED`: process, user and group of whoever is at the other end, as they were when it connected or
/// listened. A process outside this one's pid namespace is 0.
pub(crate) fn peer(socket: BorrowedFd<'_>) -> io::Result<(i32, u32, u32)> {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the call writes at most `length` bytes to the address, which is that of a ucred.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    match result {
        0 if length as usize == size_of::<libc::ucred>() => Ok((peer.pid, peer.uid, peer.gid)),
        0 => Err(io::ErrorKind::InvalidData.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// getsockopt(2) `SO_NETNS_COOKIE`, a number of the socket's network namespace; `None` before Linux 5.14.
pub(crate) fn network_cookie(socket: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    const SO_NETNS_COOKIE: c_int = 71;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the call writes at most `length` bytes to the address, which is that of a u64.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        return Ok(Some(cookie));
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENOPROTOOPT) { Ok(None) } else { Err(error) }
}

/// getsockopt(2) `SO_PEERGROUPS`, since Linux 4.13.
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    const SO_PEERGROUPS: c_int = 59;
    let mut groups: Vec<u32> = vec![0; 64];
    loop {
        let mut length = size_of_val(groups.as_slice()) as libc::socklen_t;
        // SAFETY: the call writes at most `length` bytes to the address, where there is room for that many.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<u32>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // ERANGE says how much room it takes; NGROUPS_MAX is 65536.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > 65536 {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}
