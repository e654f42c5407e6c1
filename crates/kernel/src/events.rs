//! Waits for many descriptors at once: epoll(7).
//!
//! Level-triggered: what was not dealt with is said again. Not for: what an event means, which is behind its token.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{Timespec, epoll::Event as Raw};

/// The descriptors that are waited for, each with a token.
#[derive(Debug)]
pub struct Events(OwnedFd);

/// What is waited for. That the other end has gone is said in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nothing but that the other end has gone.
    End,
    /// There is something to read, or to accept.
    Read,
    /// There is room to write.
    Write,
    /// Either.
    Both,
}

/// Something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the descriptor was added with.
    pub token: u64,
    /// There is something to read: bytes, a connection, or that there will be no more.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The other end has gone, or the descriptor is in error. There may still be something to read.
    pub closed: bool,
}

impl Events {
    /// Waits for nothing yet. The descriptor is closed by execve(2).
    ///
    /// # Errors
    /// What epoll_create1(2) answered.
    pub fn new() -> io::Result<Events> {
        Ok(Events(epoll::create(CreateFlags::CLOEXEC)?))
    }

    /// Waits for `descriptor` as well, until it is removed or closed everywhere. `false` for what can't be waited for since it
    /// is always ready: a regular file or a directory.
    ///
    /// # Errors
    /// What epoll_ctl(2) answered: EEXIST for one that is there already, ENOSPC, ENOMEM.
    pub fn add(&self, descriptor: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<bool> {
        match epoll::add(&self.0, descriptor, EventData::new_u64(token), interest.flags()) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::PERM) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for something else of a descriptor that was added, or under another token.
    ///
    /// # Errors
    /// What epoll_ctl(2) answered: ENOENT for one that was not added.
    pub fn modify(&self, descriptor: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.0, descriptor, EventData::new_u64(token), interest.flags())?)
    }

    /// Waits for it no more. To be done before it is closed: a copy in a child would keep it here.
    ///
    /// # Errors
    /// What epoll_ctl(2) answered: ENOENT for one that was not added.
    pub fn remove(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.0, descriptor)?)
    }

    /// Sleeps until something happens or `timeout` is over (never, without one), and puts what happened into `events`, which is
    /// emptied first. It stays empty when the time is over, or a signal handler ran.
    ///
    /// # Errors
    /// What epoll_wait(2) answered.
    pub fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        // Whole milliseconds are waited, rounded up: half of one, rounded down, would have the caller wait again and again.
        let timeout = timeout.map(|timeout| {
            let millis = timeout.as_nanos().div_ceil(1_000_000).min(i32::MAX.unsigned_abs().into());
            let millis = u32::try_from(millis).unwrap_or(u32::MAX);
            Timespec { tv_sec: (millis / 1000).into(), tv_nsec: (millis % 1000 * 1_000_000).into() }
        });
        let mut room = [MaybeUninit::<Raw>::uninit(); 64];
        match epoll::wait(&self.0, &mut room, timeout.as_ref()) {
            Ok((happened, _)) => {
                events.extend(happened.iter().map(Event::new));
                Ok(())
            }
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Interest::End => EventFlags::empty(),
            Interest::Read => EventFlags::IN | EventFlags::RDHUP,
            Interest::Write => EventFlags::OUT,
            Interest::Both => EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP,
        }
    }
}

impl Event {
    fn new(raw: &Raw) -> Event {
        let flags = raw.flags;
        Event {
            token: raw.data.u64(),
            readable: flags.intersects(EventFlags::IN | EventFlags::RDHUP),
            writable: flags.contains(EventFlags::OUT),
            closed: flags.intersects(EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP),
        }
    }
}
