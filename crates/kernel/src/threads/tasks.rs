//! What `/proc/self/task` says of the threads of this process, read while they are held: proc_pid_task(5).
//!
//! A thread that is held may hold the lock of the allocator, so nothing here allocates once it is opened. Not for: a look at
//! threads that run, see [`crate::observe`].

use std::fmt;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, SeekFrom, openat, seek};
use stepdown_security::credentials::{Credentials, Ids};
use stepdown_security::errno::Errno;

use crate::error::number_of;

/// The directory of the threads, opened.
pub(super) struct Tasks {
    directory: OwnedFd,
    /// Given up where a descriptor is needed, so that a process that has opened all it may can be proven nonetheless.
    spare: Option<OwnedFd>,
    buffer: Vec<u8>,
}

/// The status of a thread, as text.
pub(super) struct Account<'a>(&'a [u8]);

/// A thread that is spoken of.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// Its id.
    pub id: u32,
    name: [u8; 16],
}

impl Thread {
    /// A thread that is known by its id alone.
    pub(super) fn of(id: u32) -> Thread {
        Thread { id, name: [0; 16] }
    }
}

/// Its id and name.
impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        let mut left = " (";
        for byte in self.name.iter().take_while(|byte| **byte != 0) {
            let shown = if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '?' };
            write!(f, "{left}{shown}")?;
            left = "";
        }
        f.write_str(if left.is_empty() { ")" } else { "" })
    }
}

impl Tasks {
    /// Opens the directory below `process`, which is `/proc/self`, for threads that are at most in so many groups.
    pub(super) fn open(process: BorrowedFd<'_>, groups: usize) -> Result<Tasks, Errno> {
        let directory = openat(process, c"task", DIRECTORY, Mode::empty()).map_err(number_of)?;
        let spare = directory.try_clone().map_err(|error| crate::errno_of(&error))?;
        // No line but that of the groups grows with what it says; eleven characters are a number and a space.
        Ok(Tasks { directory, spare: Some(spare), buffer: vec![0; 8192 + 11 * groups] })
    }

    /// Calls `each` with the id of every thread.
    pub(super) fn list(&self, mut each: impl FnMut(u32)) -> Result<(), Errno> {
        numbers(self.directory.as_fd(), &mut each)
    }

    /// The status of a thread; `None` where it has ended.
    pub(super) fn read(&mut self, thread: u32) -> Result<Option<Account<'_>>, Errno> {
        let mut path = [0; PATH];
        let path = name(&mut path, thread, "status");
        let file = match openat(&self.directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Err(rustix::io::Errno::MFILE) if self.spare.take().is_some() => {
                openat(&self.directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            }
            other => other,
        };
        let file = match file {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(number_of(error)),
        };
        let mut length = 0;
        loop {
            match rustix::io::pread(&file, &mut self.buffer[length..], length as u64) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::SRCH) => return Ok(None),
                Err(error) => return Err(number_of(error)),
            }
        }
        // One that does not fit is in more groups than it should be; what is cut off is missing then.
        Ok(Some(Account(&self.buffer[..length])))
    }

    /// Which thread that is, by name where it still can be read.
    pub(super) fn thread(&mut self, id: u32) -> Thread {
        let mut name = [0; 16];
        if let Ok(Some(account)) = self.read(id)
            && let Some(text) = account.field("Name")
        {
            let length = text.len().min(name.len());
            name[..length].copy_from_slice(&text[..length]);
        }
        Thread { id, name }
    }

    /// A descriptor above 2, and none of `own`, that is open on a directory.
    pub(super) fn open_directory(&self, thread: u32, own: &[i32]) -> Result<Option<i32>, Errno> {
        let mut path = [0; PATH];
        let listing = openat(&self.directory, name(&mut path, thread, "fd"), DIRECTORY, Mode::empty())
            .map_err(number_of)?;
        let mut mine = [listing.as_raw_fd(), self.directory.as_raw_fd(), -1];
        mine[2] = self.spare.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        let mut found = None;
        numbers(listing.as_fd(), &mut |number| {
            let Ok(number) = i32::try_from(number) else { return };
            if number > 2
                && !mine.contains(&number)
                && !own.contains(&number)
                && crate::descriptors::is_directory(number)
            {
                found = Some(number);
            }
        })?;
        Ok(found)
    }
}

impl Account<'_> {
    /// The letter of its state; `Z` and `X` for a thread that runs no more.
    pub(super) fn state(&self) -> char {
        self.field("State").and_then(|text| text.first()).map_or('?', |byte| char::from(*byte))
    }

    /// Whether it blocks a signal.
    pub(super) fn blocks(&self, signal: i32) -> bool {
        self.set("SigBlk").is_some_and(|set| set >> (signal - 1) & 1 == 1)
    }

    /// How many threads the process has.
    pub(super) fn threads(&self) -> Option<u32> {
        self.numbers("Threads").next()
    }

    /// The mask of file modes, umask(2).
    pub(super) fn umask(&self) -> Option<u32> {
        let text = std::str::from_utf8(self.field("Umask")?).ok()?;
        u32::from_str_radix(text, 8).ok()
    }

    /// Which line is not as `state` has it, if any.
    pub(super) fn differs(&self, state: &Credentials) -> Option<&'static str> {
        let ids = |name, ids: &Ids| {
            self.numbers(name).eq([ids.real, ids.effective, ids.saved, ids.filesystem]).then_some(())
        };
        let set = |name, bits: u64| (self.set(name)? == bits).then_some(());
        let checks = [
            ("Uid", ids("Uid", &state.uid)),
            ("Gid", ids("Gid", &state.gid)),
            ("Groups", self.groups_are(&state.groups).then_some(())),
            ("CapInh", set("CapInh", state.inheritable.bits())),
            ("CapPrm", set("CapPrm", state.permitted.bits())),
            ("CapEff", set("CapEff", state.effective.bits())),
            ("CapBnd", set("CapBnd", state.bounding.bits())),
            ("CapAmb", set("CapAmb", state.ambient.bits())),
            ("NoNewPrivs", set("NoNewPrivs", u64::from(state.no_new_privs))),
        ];
        checks.iter().find(|(_, equal)| equal.is_none()).map(|(name, _)| *name)
    }

    /// Whether these are the groups, in any order: in a user namespace the kernel sorts them by other numbers.
    fn groups_are(&self, expected: &[u32]) -> bool {
        let found = || self.numbers("Groups");
        self.field("Groups").is_some()
            && (found().eq(expected.iter().copied())
                || (found().count() == expected.len()
                    && expected.iter().all(|group| found().any(|found| found == *group))))
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.0
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":"))
            .map(<[u8]>::trim_ascii)
    }

    /// The numbers of a line; one that is none ends in a number that nobody has.
    fn numbers(&self, name: &str) -> impl Iterator<Item = u32> {
        let words = self.field(name).unwrap_or_default().split(u8::is_ascii_whitespace);
        words
            .filter(|word| !word.is_empty())
            .map(|word| std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).unwrap_or(u32::MAX))
    }

    fn set(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(std::str::from_utf8(self.field(name)?).ok()?, 16).ok()
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const PATH: usize = 32;

/// The names of an opened directory that are numbers.
fn numbers(directory: BorrowedFd<'_>, each: &mut dyn FnMut(u32)) -> Result<(), Errno> {
    seek(directory, SeekFrom::Start(0)).map_err(number_of)?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(number_of)?;
        if let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            each(number);
        }
    }
    Ok(())
}

/// `ID/what`, as a C string.
fn name<'a>(buffer: &'a mut [u8; PATH], thread: u32, what: &str) -> &'a std::ffi::CStr {
    let mut rest = &mut buffer[..PATH - 1];
    // Ten digits and the longest of the names fit.
    let _ = write!(rest, "{thread}/{what}");
    std::ffi::CStr::from_bytes_until_nul(buffer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Witness;

    #[test]
    fn agrees_with_the_witness() {
        let witness = Witness::open().unwrap();
        let mut tasks = Tasks::open(witness.process().unwrap().as_fd(), 1000).unwrap();
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let mut seen = false;
        tasks.list(|id| seen |= id == own).unwrap();
        assert!(seen);
        let status = witness.threads().unwrap().into_iter().find(|status| status.thread == own).unwrap();
        let state = witness.credentials(status).unwrap();
        let account = tasks.read(own).unwrap().unwrap();
        assert_eq!(account.differs(&state), None);
        assert_eq!((account.state(), account.blocks(1)), ('R', false));
        let mut other = state.clone();
        other.groups.push(4_000_000);
        assert_eq!(account.differs(&other), Some("Groups"));
        let other = Credentials { no_new_privs: !state.no_new_privs, ..state };
        assert_eq!(account.differs(&other), Some("NoNewPrivs"));
        assert!(tasks.read(u32::MAX).unwrap().is_none());
    }

    #[test]
    fn a_status_cut_short_differs() {
        let witness = Witness::open().unwrap();
        let state = witness.credentials(witness.threads().unwrap().remove(0)).unwrap();
        assert_eq!(Account(b"").differs(&state), Some("Uid"));
        assert_eq!(Account(b"Uid:\t1\t2\t3\nGid:").differs(&state), Some("Uid"));
    }

    #[test]
    fn the_name_of_a_thread_does_no_harm() {
        let mut name = [0; 16];
        name[..5].copy_from_slice(b"a\x1b[2J");
        assert_eq!(Thread { id: 7, name }.to_string(), "7 (a?[2J)");
        assert_eq!(Thread { id: 7, name: [0; 16] }.to_string(), "7");
    }
}
