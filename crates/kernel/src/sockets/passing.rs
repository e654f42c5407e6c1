//! Sockets that pass from one process to another: as messages, unix(7) `SCM_RIGHTS`, and at the start, sd_listen_fds(3).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::sys;

/// Sends bytes and, with them, any number of descriptors. They go in batches of 253, which is what Linux takes at once: the
/// first with `bytes`, each further one, and the first without bytes, with a single byte 0. Waits for up to ten seconds at a
/// time where the other side does not read.
///
/// # Errors
/// What sendmsg(2) answered: EPIPE, ETOOMANYREFS where a user has more descriptors on their way than he may have open. ETIMEDOUT
/// after ten seconds without progress.
pub fn send_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut batches = descriptors.chunks(sys::MOST_DESCRIPTORS);
    let mut bytes = if bytes.is_empty() { &[0][..] } else { bytes };
    let mut batch = batches.next().unwrap_or_default();
    loop {
        match send_batch(socket, bytes, batch) {
            Ok(sent) => {
                // The descriptors went with the first byte.
                bytes = &bytes[sent..];
                batch = &[];
                if bytes.is_empty() {
                    let Some(next) = batches.next() else { return Ok(()) };
                    (bytes, batch) = (&[0], next);
                }
            }
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => wait(socket)?,
            Err(error) => return Err(error),
        }
    }
}

/// Sends some of the bytes, at least one, and with them all of these descriptors, at most 253: how many bytes. Does not wait.
///
/// # Errors
/// What sendmsg(2) answered; EAGAIN where it would have to wait. Nothing was sent then.
pub fn send_batch(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    sys::send(socket, bytes, descriptors, false)
}

/// Receives bytes and the descriptors that came with them, close-on-exec: at most one batch. 0 bytes are the end.
///
/// # Errors
/// What recvmsg(2) answered: EAGAIN, if the socket does not block and there is nothing. EMSGSIZE if descriptors were lost on
/// the way, as where this process may have no more open; those that came are closed.
pub fn receive_descriptors(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let message = sys::receive(socket, bytes, true)?;
    if message.control_cut {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok((message.length, message.descriptors))
}

/// Takes over the sockets that whoever started this process passed to it, sd_listen_fds(3): `LISTEN_FDS`, `LISTEN_PID`,
/// `LISTEN_FDNAMES`. None, if they are for another process. To be called before anything that could close them, and once: they
/// are marked close-on-exec, and what is marked is not taken.
///
/// # Errors
/// EINVAL for variables that can't be read, EBADF for a descriptor that was announced and is not there, or is this
/// program's own.
pub fn take_inherited() -> io::Result<Vec<(Option<String>, OwnedFd)>> {
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let Some(count) = variable("LISTEN_FDS") else { return Ok(Vec::new()) };
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let pid: u32 = variable("LISTEN_PID").ok_or_else(invalid)?.parse().map_err(|_| invalid())?;
    if pid != std::process::id() {
        return Ok(Vec::new());
    }
    let count: i32 = count.parse().ok().filter(|count| (0..1 << 20).contains(count)).ok_or_else(invalid)?;
    let names = variable("LISTEN_FDNAMES");
    let mut names = names.as_deref().map(|names| names.split(':')).into_iter().flatten();
    (3..3 + count)
        .map(|number| {
            let name = names.next().filter(|name| !name.is_empty()).map(str::to_owned);
            Ok((name, sys::take_passed(number)?))
        })
        .collect()
}

fn wait(socket: BorrowedFd<'_>) -> io::Result<()> {
    let socket = socket.as_fd();
    let mut list = [PollFd::new(&socket, PollFlags::OUT)];
    match poll(&mut list, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })) {
        Ok(0) => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
