//! How the threads of a process leave its session keyring, keyrings(7): each makes a new one of its own, as long as the kernel
//! has keys enough for that; else one thread makes one, and the others join it.
//!
//! Keys are rationed by user (200, but for root of the first user namespace), and whoever is refused one in the middle is left
//! behind. A session keyring can be joined by its name alone, and by whoever has its user's id: it is a random number that
//! nobody can guess. From when the keyring is made until the threads have joined, a process with the same user id (since Linux
//! 5.3, in the same user namespace) that reads the name in `/proc/keys` at the right moment could join as well, and share what
//! keys are put there later. So a keyring has a name only where there is no other way; then it can be joined only while all threads are
//! held, and the permissions that end this are read back.

use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rustix::rand::{GetRandomFlags, getrandom};
use stepdown_security::credentials::Ids;
use stepdown_security::errno::Errno;

use crate::{perform, sys};

/// What all threads need to know to leave the session keyring.
pub(super) struct Keyring {
    /// The name of the one they share, should they need to; `None` where it could not be joined.
    name: Option<Name>,
    /// How many threads may make one each.
    room: usize,
    /// The one they share, and 0 where each makes its own.
    shared: AtomicUsize,
}

/// `stepdown-` and 128 random bits, and a NUL byte.
type Name = [u8; 9 + 32 + 1];

/// `KEY_POS_ALL`: whoever possesses it.
const POSSESSOR_ALL: u32 = 0x3f00_0000;
/// `KEY_USR_SEARCH`: joining takes this and nothing else.
const USER_SEARCH: u32 = 0x0008_0000;
/// `KEY_USR_VIEW | KEY_USR_READ`, which the kernel gives to session keyrings without a name.
const USER_LOOKS: u32 = 0x0003_0000;

impl Keyring {
    /// For threads of that user. Nothing is made yet.
    pub(super) fn new(user: &Ids) -> Keyring {
        // A keyring belongs to the real user, and the filesystem user is who may search it.
        let name = (user.real == user.filesystem).then(name).flatten();
        let users = std::fs::read_to_string("/proc/key-users").unwrap_or_default();
        Keyring { name, room: room(&users, user.real), shared: AtomicUsize::new(0) }
    }

    /// Makes the keyring that so many threads share, where there is no room for one each. The calling thread is in it then.
    ///
    /// # Errors
    /// What keyctl(2) answered. Nothing has changed.
    pub(super) fn open(&self, threads: usize) -> Result<(), Errno> {
        let Some(name) = self.name().filter(|_| threads > self.room) else { return Ok(()) };
        let made = match sys::join_session_keyring(name) {
            Ok(0) => return Err(Errno(libc::EIO)),
            Ok(made) => made,
            // There are no keys, or a filter forbids them to this thread, perhaps to it alone: each sees for itself.
            Err(errno) if perform::out_of_reach(errno) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        if sys::set_key_permissions(made, POSSESSOR_ALL | USER_SEARCH).is_ok() {
            self.shared.store(made, SeqCst);
        }
        Ok(())
    }

    /// Whether there is one keyring for all, once it has been [opened](Keyring::open).
    pub(super) fn is_shared(&self) -> bool {
        self.shared.load(SeqCst) != 0
    }

    /// Has the calling thread leave its session keyring; the one that has [opened](Keyring::open) another has done so.
    /// System calls and nothing else.
    ///
    /// # Errors
    /// What keyctl(2) answered; EIO where it reported success and the thread is not in the new keyring.
    pub(super) fn leave(&self, leads: bool) -> Result<(), Errno> {
        match (self.shared.load(SeqCst), self.name()) {
            (0, _) | (_, None) => perform::leave_session_keyring(),
            (shared, Some(_)) if leads => perform::is_session_keyring(Ok(shared)),
            (shared, Some(name)) => perform::is_session_keyring(
                sys::join_session_keyring(name)
                    .and_then(|joined| if joined == shared { Ok(joined) } else { Err(Errno(libc::EIO)) }),
            ),
        }
    }

    /// Every thread has joined: from here on nobody can. To be called by the one that has opened it, while it still is who it
    /// was.
    ///
    /// # Errors
    /// What keyctl(2) answered; EIO where it reported success and the keyring could still be joined.
    pub(super) fn close(&self) -> Result<(), Errno> {
        let shared = self.shared.load(SeqCst);
        if shared == 0 {
            return Ok(());
        }
        sys::set_key_permissions(shared, POSSESSOR_ALL | USER_LOOKS)?;
        match sys::key_permissions(shared)? {
            Some(permissions) if permissions == POSSESSOR_ALL | USER_LOOKS => Ok(()),
            _ => Err(Errno(libc::EIO)),
        }
    }

    fn name(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(self.name.as_ref()?).ok()
    }
}

fn name() -> Option<Name> {
    let mut random = [0_u8; 16];
    if getrandom(&mut random, GetRandomFlags::NONBLOCK) != Ok(random.len()) {
        return None;
    }
    let mut name = *b"stepdown-00000000000000000000000000000000\0";
    for (at, byte) in random.iter().enumerate() {
        for (digit, value) in [byte >> 4, byte & 15].into_iter().enumerate() {
            name[9 + 2 * at + digit] = b"0123456789abcdef"[usize::from(value)];
        }
    }
    Some(name)
}

/// How many session keyrings this user may make and have as many keys left for others, by the text of `/proc/key-users`,
/// proc(5); 0 where that is not known.
fn room(users: &str, user: u32) -> usize {
    /// `_ses` and a NUL byte.
    const BYTES: usize = 5;
    let left = |pair: Option<&str>| {
        let (used, most) = pair?.split_once('/')?;
        most.parse::<usize>().ok()?.checked_sub(used.parse().ok()?)
    };
    let line = users.lines().find_map(|line| {
        let (id, line) = line.split_once(':')?;
        (id.trim().parse() == Ok(user)).then_some(line)
    });
    // How often the user is referred to, keys and those in use, and then what counts.
    let mut words = line.unwrap_or_default().split_whitespace().skip(2);
    match (left(words.next()), left(words.next())) {
        (Some(keys), Some(bytes)) => keys.min(bytes / BYTES) / 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_left_may_be_used() {
        let users = "    0:     9 8/8 3/1000000 48/25000000\n  994:     2 2/2 20/200 26/20000\n 7:  1 1/1 0/200 19900/20000\n";
        assert_eq!((room(users, 0), room(users, 994), room(users, 7)), (499_998, 90, 10));
        // Who has no key is not listed; what is over the quota leaves nothing.
        assert_eq!((room(users, 99), room("", 0), room("5: 1 2/2 3/2 4/5\n", 5)), (0, 0, 0));
        assert_eq!(room("5: 1 2/2 x/9 4/5\n", 5), 0);
    }

    #[test]
    fn no_name_is_another() {
        let names = [name().unwrap(), name().unwrap()];
        assert_ne!(names[0], names[1]);
        for name in &names {
            assert_eq!(CStr::from_bytes_with_nul(name).unwrap().count_bytes(), 41);
        }
    }
}
