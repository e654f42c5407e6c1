//! The table of listening sockets: bound, taken over from elsewhere, kept over reloads, closed.
//!
//! Binding is all or nothing: what was bound before something failed is given back. Not for: which sockets there are to
//! be, which is in [`crate::wanted`] and [`crate::changes`].

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use stepdown_conf::Finding;
use stepdown_kernel::sockets::{self, BindError, Bound, Options, Settled};

use super::refusal;
use super::wish::Wish;
use crate::wanted::{Address, SocketKey};

/// A listening socket.
#[derive(Debug)]
pub(super) struct Held {
    /// Counts sockets, from 0: never used again.
    pub(super) number: u64,
    pub(super) socket: OwnedFd,
    pub(super) written: String,
    pub(super) from: From,
}

/// Who opened a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// This server.
    Here,
    /// The server before this one, which may go on with it if this one fails.
    Predecessor,
    /// Whoever started this process, and keeps it: its file is not this server's to remove.
    Manager,
}

/// All listening sockets, by what tells one from another.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    held: BTreeMap<SocketKey, Held>,
    /// Those that are wanted no more, while a process that is finishing has them still: their addresses are not free before.
    lingering: BTreeMap<SocketKey, Held>,
    next: u64,
}

/// Sockets that were opened by another process: whoever started this one, or the server before it.
#[derive(Debug, Default)]
pub(super) struct Pool {
    sockets: Vec<(Bound, OwnedFd, From)>,
    /// What there is to say of those that were taken.
    notes: Vec<Finding>,
}

impl Sockets {
    /// Makes sockets, or takes them from the pool. All or none: the table is not changed by this.
    pub(super) fn make(
        &self,
        wishes: &[Wish],
        pool: &mut Pool,
    ) -> Result<Vec<(SocketKey, Held)>, Vec<Finding>> {
        let mut made: Vec<(SocketKey, Held)> = Vec::with_capacity(wishes.len());
        let mut findings = Vec::new();
        let mut new_files = Vec::new();
        let mut list: Vec<(&Wish, Option<(OwnedFd, From)>)> =
            wishes.iter().map(|wish| (wish, pool.take(&wish.address(), &wish.options))).collect();
        // Files that another process may go on with are changed after everything else that can fail.
        list.sort_by_key(|(_, taken)| taken.is_some());
        for (number, (wish, taken)) in (self.next..).zip(list) {
            let address = wish.address();
            let kept = match taken {
                Some((socket, from)) => {
                    pool.settle(wish, socket).map(|kept| kept.map(|socket| (socket, from)))
                }
                None => Ok(None),
            };
            let socket = match kept {
                Ok(None) => sockets::bind(&address, &wish.options).map(|socket| {
                    if let sockets::Address::Unix(path) = &address {
                        new_files.push(path.clone());
                    }
                    (socket, From::Here)
                }),
                Ok(Some(kept)) => Ok(kept),
                Err(error) => Err(error),
            };
            match socket {
                Ok((socket, from)) => {
                    let written = wish.written.clone();
                    made.push((wish.key.clone(), Held { number, socket, written, from }));
                }
                Err(error) => {
                    findings.push(refusal::not_bound(wish, &error));
                    // Out of descriptors, every further one would say the same.
                    if refusal::is_exhaustion(&error) {
                        break;
                    }
                }
            }
        }
        if findings.is_empty() {
            return Ok(made);
        }
        drop(made);
        for file in new_files {
            sockets::remove(&file);
        }
        Err(findings)
    }

    /// Those that linger, to be taken back where they are wanted again.
    pub(super) fn lingering(&self, wishes: &[Wish]) -> Pool {
        let mut pool = Pool::default();
        for held in wishes.iter().filter_map(|wish| self.lingering.get(&wish.key)) {
            if let Ok(copy) = held.socket.try_clone() {
                drop(pool.add(vec![copy], held.from));
            }
        }
        pool
    }

    /// Lets one linger that was taken out, since a process has it still.
    pub(super) fn let_linger(&mut self, key: SocketKey, held: Held) {
        self.lingering.insert(key, held);
    }

    /// Closes those that no process has any more.
    pub(super) fn close_lingering(&mut self, is_in_use: impl Fn(&SocketKey) -> bool) {
        self.lingering.retain(|key, _| is_in_use(key));
    }

    /// Takes sockets in that were made.
    pub(super) fn insert(&mut self, made: Vec<(SocketKey, Held)>) {
        for (key, held) in made {
            self.next = self.next.max(held.number + 1);
            self.lingering.remove(&key);
            self.held.insert(key, held);
        }
    }

    pub(super) fn get(&self, key: &SocketKey) -> Option<&Held> {
        self.held.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SocketKey, &Held)> {
        self.held.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Takes one out, which may have to be taken from a list of what is waited for before it is closed.
    pub(super) fn remove(&mut self, key: &SocketKey) -> Option<Held> {
        self.held.remove(key)
    }

    /// Removes the files of all Unix sockets that are this server's, since nobody is going to listen on them.
    pub(super) fn remove_files(&self) {
        for (key, held) in &self.held {
            remove_file(key, held);
        }
    }

    /// Removes the files of those that this server opened itself: the others are listened on by whoever they came from.
    pub(super) fn remove_own_files(&self) {
        for (key, held) in self.held.iter().filter(|(_, held)| held.from == From::Here) {
            remove_file(key, held);
        }
    }
}

/// Removes the file of a Unix socket that is closed, where it is this server's and this process may.
pub(super) fn remove_file(key: &SocketKey, held: &Held) {
    if let (Address::Unix(path), From::Here | From::Predecessor) = (&key.address, held.from) {
        sockets::remove(Path::new(path));
    }
}

impl Pool {
    /// Looks at descriptors that came from elsewhere. What is no socket that could be listened on comes back.
    pub(super) fn add(&mut self, descriptors: Vec<OwnedFd>, from: From) -> Vec<OwnedFd> {
        let mut others = Vec::new();
        for descriptor in descriptors {
            match sockets::identify(descriptor.as_fd()) {
                Ok(bound) => self.sockets.push((bound, descriptor, from)),
                Err(_) => others.push(descriptor),
            }
        }
        others
    }

    /// What there is to say of the sockets that were taken.
    pub(super) fn notes(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.notes)
    }

    /// What nobody wanted: the addresses, in words. The sockets are closed.
    pub(super) fn left_over(self) -> Vec<String> {
        self.sockets
            .into_iter()
            .map(|(bound, ..)| {
                bound
                    .address
                    .map_or_else(|| "one without an address".to_owned(), |address| address.to_string())
            })
            .collect()
    }

    /// Makes a socket from elsewhere what is wanted. `None` if nobody could reach it by its path: it is closed.
    fn settle(&mut self, wish: &Wish, socket: OwnedFd) -> Result<Option<OwnedFd>, BindError> {
        match sockets::settle(socket.as_fd(), &wish.address(), &wish.options)? {
            Settled::Kept => {}
            Settled::Shared(untrusted) => self.notes.push(refusal::foreign_directory(wish, &untrusted)),
            Settled::Lost => return Ok(None),
        }
        // Whoever bound it may have had another length in mind; where it can't be set, what is there serves.
        if wish.options.kind == sockets::Kind::Stream {
            let _ = sockets::set_backlog(socket.as_fd(), wish.options.backlog);
        }
        Ok(Some(socket))
    }

    fn take(&mut self, address: &sockets::Address, options: &Options) -> Option<(OwnedFd, From)> {
        let index = self.sockets.iter().position(|(bound, ..)| sockets::is_same(bound, address, options))?;
        let (_, socket, from) = self.sockets.swap_remove(index);
        Some((socket, from))
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
