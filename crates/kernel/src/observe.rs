//! Reads the kernel's own account of what threads are: `/proc/…/status` of proc_pid_status(5), prctl(2), stat(2).
//!
//! What is read later is opened before the credentials change: the change makes the process undumpable, its
//! `/proc` entries then belong to root, and a chroot may hide them altogether, proc(5). A child that was forked in such a
//! root directory has one thread, the calling one, and that one can be asked about by system calls alone.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::{CStr, c_int};

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags, makedev, openat, statx};
use rustix::thread;
use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{Credentials, Directory, Ids, Securebits, sorted};
use stepdown_security::errno::Errno;

use crate::error::number_of;
use crate::scan::{before, lines};
use crate::{Error, sys};

/// How this process is looked at, before and after the change.
#[derive(Debug)]
pub struct Witness(Option<Proc>);

/// What of `/proc/self` is read, opened while it can be.
#[derive(Debug)]
struct Proc {
    process: OwnedFd,
    status: OwnedFd,
}

/// The status of a thread, as far as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The thread's id.
    pub thread: u32,
    /// How many threads its process has.
    pub threads: u32,
    /// User ids.
    pub uid: Ids,
    /// Group ids.
    pub gid: Ids,
    /// Supplementary groups, sorted.
    pub groups: Vec<u32>,
    /// Inheritable set.
    pub inheritable: CapSet,
    /// Permitted set.
    pub permitted: CapSet,
    /// Effective set.
    pub effective: CapSet,
    /// Bounding set.
    pub bounding: CapSet,
    /// Ambient set.
    pub ambient: CapSet,
    /// The no_new_privs flag.
    pub no_new_privs: bool,
}

impl Witness {
    /// Opens what [`Witness::threads`] and [`Witness::credentials`] read.
    ///
    /// # Errors
    /// Where `/proc` is not mounted or not readable; then nothing could be proven.
    pub fn open() -> Result<Witness, Error> {
        let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let process = rustix::fs::open(c"/proc/self", directory, Mode::empty())?;
        let status = openat(&process, c"status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Witness(Some(Proc { process, status })))
    }

    /// Asks by system calls alone, where there is no `/proc` or none to be believed: in another root directory. They tell of
    /// the calling thread, which has to be the only one. It holds nothing open.
    ///
    /// # Errors
    /// EINVAL for a process with more than one thread, or what unshare(2) answered where a filter refuses it and `/proc` can't
    /// tell either.
    #[cfg(feature = "std")]
    pub fn by_calls() -> Result<Witness, Error> {
        if has_one_thread()? { Ok(Witness(None)) } else { Err(Errno::INVAL.into()) }
    }

    /// `/proc/self` itself; none for a witness that asks by system calls.
    #[must_use]
    pub fn process(&self) -> Option<&OwnedFd> {
        self.0.as_ref().map(|proc| &proc.process)
    }

    /// The descriptors of the witness, which are its own business and closed by execve(2).
    #[must_use]
    pub fn descriptors(&self) -> Vec<c_int> {
        self.0.iter().flat_map(|proc| [proc.process.as_raw_fd(), proc.status.as_raw_fd()]).collect()
    }

    /// How many threads the process has.
    ///
    /// # Errors
    /// What reading `/proc` answered, and a status that can't be made sense of.
    pub fn thread_count(&self) -> Result<u32, Error> {
        match &self.0 {
            Some(proc) => Ok(Status::read(&proc.status, "/proc/self/status")?.threads),
            // A witness by calls is of a process with one thread, and is refused elsewhere.
            None => Status::of_only_thread().map(|status| status.threads),
        }
    }

    /// The status of every thread of the process, that of its first thread first.
    ///
    /// # Errors
    /// What reading `/proc` answered, and a status that can't be made sense of.
    pub fn threads(&self) -> Result<Vec<Status>, Error> {
        let Some(Proc { process, status }) = &self.0 else {
            return Status::of_only_thread().map(|status| vec![status]);
        };
        let first = Status::read(status, "/proc/self/status")?;
        // The kernel counts the threads; only where there are several are they looked for one by one.
        if first.threads == 1 {
            return Ok(vec![first]);
        }
        let listing =
            openat(process, c"task", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let own = first.thread;
        let mut list = vec![first];
        for entry in Dir::read_from(&listing)? {
            let Some(id) = entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if id == own {
                continue;
            }
            let path = format!("{id}/status");
            let status = openat(&listing, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            match status.map_err(Error::from).and_then(|file| Status::read(&file, &path)) {
                Ok(status) => list.push(status),
                // A thread that has ended since has no credentials to look at.
                Err(Error::Errno(Errno(libc::ENOENT | libc::ESRCH))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    /// The whole credentials of the calling thread, given its status.
    ///
    /// # Errors
    /// What the system calls answered.
    pub fn credentials(&self, status: Status) -> Result<Credentials, Error> {
        let Status {
            thread: _,
            threads: _,
            uid,
            gid,
            groups,
            inheritable,
            permitted,
            effective,
            bounding,
            ambient,
            no_new_privs,
        } = status;
        let securebits = Securebits(thread::capabilities_secure_bits()?.bits());
        Ok(Credentials {
            uid,
            gid,
            groups,
            permitted,
            effective,
            inheritable,
            bounding,
            ambient,
            securebits,
            no_new_privs,
            root: directory(c"/")?,
            working_directory: directory(c".")?,
            parent_death_signal: sys::parent_death_signal()?,
        })
    }
}

impl Status {
    /// The status of the first thread of any process, which everybody may read.
    ///
    /// # Errors
    /// What reading `/proc` answered; ENOENT for a process that has ended.
    pub fn of_process(pid: u32) -> Result<Status, Error> {
        let path = format!("/proc/{pid}/status");
        let file = rustix::fs::open(path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Status::read(&file, &path)
    }

    /// The status of the calling thread.
    ///
    /// # Errors
    /// Where `/proc` is not mounted or not readable.
    pub fn of_caller() -> Result<Status, Error> {
        let path = "/proc/thread-self/status";
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Status::read(&file, path)
    }

    /// The status of the only thread, for a witness by calls.
    #[cfg(feature = "std")]
    fn of_only_thread() -> Result<Status, Error> {
        Witness::by_calls().and_then(|_| Status::of_calls())
    }

    /// Without the standard library there is none.
    #[cfg(not(feature = "std"))]
    fn of_only_thread() -> Result<Status, Error> {
        Err(Errno::NOENT.into())
    }

    /// The status of the calling thread, taken for the only one, by system calls: getresuid(2), getresgid(2), setfsuid(2),
    /// getgroups(2), capget(2), prctl(2).
    #[cfg(feature = "std")]
    fn of_calls() -> Result<Status, Error> {
        let ids = |(real, effective, saved), filesystem| Ids { real, effective, saved, filesystem };
        let (filesystem_user, filesystem_group) = sys::filesystem_ids();
        let sets = thread::capabilities(None)?;
        // Up to the first that the kernel does not know.
        let those = |is: fn(thread::CapabilitySet) -> rustix::io::Result<bool>| -> Result<CapSet, Error> {
            let mut set = 0;
            for bit in (0..64).map(|number| 1 << number) {
                match is(thread::CapabilitySet::from_bits_retain(bit)) {
                    Ok(true) => set |= bit,
                    Ok(false) => {}
                    Err(rustix::io::Errno::INVAL) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(CapSet::from_bits(set))
        };
        Ok(Status {
            thread: rustix::process::getpid().as_raw_nonzero().get().unsigned_abs(),
            threads: 1,
            uid: ids(sys::user_ids()?, filesystem_user),
            gid: ids(sys::group_ids()?, filesystem_group),
            groups: sys::groups()?,
            inheritable: CapSet::from_bits(sets.inheritable.bits()),
            permitted: CapSet::from_bits(sets.permitted.bits()),
            effective: CapSet::from_bits(sets.effective.bits()),
            bounding: those(thread::capability_is_in_bounding_set)?,
            ambient: those(thread::capability_is_in_ambient_set)?,
            no_new_privs: thread::no_new_privs()?,
        })
    }

    /// Reads a status file from its beginning, wherever it was read to before.
    pub(crate) fn read(file: &OwnedFd, name: &str) -> Result<Status, Error> {
        let mut bytes = vec![0; 4096];
        let mut length = 0;
        loop {
            let count = rustix::io::pread(file, &mut bytes[length..], length as u64)?;
            length += count;
            // The kernel makes the whole text at once: what leaves room was all.
            if count == 0 || length < bytes.len() {
                break;
            }
            bytes.resize(length * 2, 0);
        }
        bytes.truncate(length);
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Status::parse(&text).map_err(|line| Error::Words(format!("{name}: {line}").into()))
    }

    /// The lines that are needed, in the kernel's order.
    pub const FIELDS: [&str; 11] = [
        "Pid",
        "Uid",
        "Gid",
        "Groups",
        "Threads",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
    ];

    /// Reads the text of a status file, proc_pid_status(5).
    ///
    /// # Errors
    /// The name of the line that is missing or can't be read.
    pub fn parse(text: &str) -> Result<Status, String> {
        // The lines are looked through once; as a rule they come in the order above. Whoever names his process has no say: the
        // kernel escapes line ends in a name.
        let mut found: [Option<&str>; Self::FIELDS.len()] = [None; Self::FIELDS.len()];
        let (mut next, mut missing) = (0, Self::FIELDS.len());
        for line in lines(text) {
            if !matches!(line.as_bytes(), [b'P' | b'U' | b'G' | b'T' | b'C' | b'N', ..]) {
                continue;
            }
            let end = before(line.as_bytes(), b':', b':');
            let (name, Some(value)) = (&line[..end], line.get(end + 1..)) else { continue };
            let named = (next..Self::FIELDS.len()).chain(0..next).find(|index| Self::FIELDS[*index] == name);
            if let Some(index) = named.filter(|index| found[*index].is_none()) {
                found[index] = Some(value);
                missing -= 1;
                if missing == 0 {
                    break;
                }
                next = (index + 1) % Self::FIELDS.len();
            }
        }
        let field = |index: usize| {
            found[index]
                .map(str::trim_ascii)
                .ok_or_else(|| format!("there is no line {}", Self::FIELDS[index]))
        };
        let numbers = |index: usize| -> Result<Vec<u32>, String> {
            let mut list = Vec::new();
            for word in field(index)?.split_ascii_whitespace() {
                list.push(word.parse().map_err(|_| unreadable(Self::FIELDS[index]))?);
            }
            Ok(list)
        };
        let number = |index: usize| match numbers(index)?[..] {
            [number] => Ok(number),
            _ => Err(unreadable(Self::FIELDS[index])),
        };
        let ids = |index: usize| match numbers(index)?[..] {
            [real, effective, saved, filesystem] => Ok(Ids { real, effective, saved, filesystem }),
            _ => Err(unreadable(Self::FIELDS[index])),
        };
        let set = |index: usize| {
            u64::from_str_radix(field(index)?, 16)
                .map(CapSet::from_bits)
                .map_err(|_| unreadable(Self::FIELDS[index]))
        };
        let groups = sorted(numbers(3)?);
        Ok(Status {
            thread: number(0)?,
            uid: ids(1)?,
            gid: ids(2)?,
            groups,
            threads: number(4)?,
            inheritable: set(5)?,
            permitted: set(6)?,
            effective: set(7)?,
            bounding: set(8)?,
            ambient: set(9)?,
            no_new_privs: match field(10)? {
                "0" => false,
                "1" => true,
                _ => return Err(unreadable(Self::FIELDS[10])),
            },
        })
    }
}

/// Whether this process has no thread but the calling one. By a system call, so that it can be told without `/proc` as well.
///
/// # Errors
/// What unshare(2) answered, where a filter refuses it and there is no `/proc`.
#[cfg(feature = "std")]
pub fn has_one_thread() -> Result<bool, Error> {
    sys::has_one_thread().or_else(|errno| {
        // A directory's links: itself, its name, and one for each directory in it. proc_pid_task(5)
        rustix::fs::stat(c"/proc/self/task").map(|status| status.st_nlink == 3).map_err(|_| errno.into())
    })
}

/// Whether ids, capability sets and root directory of the calling thread still are these: a short look, by system
/// calls alone, for after the ways back to privilege were tried.
///
/// # Errors
/// What the system calls answered.
pub fn still(state: &Credentials) -> Result<bool, Error> {
    let sets = thread::capabilities(None)?;
    Ok(sets.permitted.bits() == state.permitted.bits()
        && sets.effective.bits() == state.effective.bits()
        && sets.inheritable.bits() == state.inheritable.bits()
        && sys::user_ids()? == (state.uid.real, state.uid.effective, state.uid.saved)
        && sys::group_ids()? == (state.gid.real, state.gid.effective, state.gid.saved)
        && directory(c"/")? == state.root
        && directory(c".")? == state.working_directory)
}

/// Which directory a path is now.
pub(crate) fn directory(path: &CStr) -> Result<Directory, Errno> {
    directory_at(rustix::fs::CWD, path, AtFlags::empty())
}

/// Which directory a path is, below an opened one; with an empty path, which directory that one is.
pub(crate) fn directory_at(base: impl AsFd, path: &CStr, flags: AtFlags) -> Result<Directory, Errno> {
    let status = statx(base, path, flags, StatxFlags::INO | StatxFlags::MNT_ID).map_err(number_of)?;
    let known = StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::MNT_ID);
    Ok(Directory {
        device: makedev(status.stx_dev_major, status.stx_dev_minor),
        inode: status.stx_ino,
        mount: if known { status.stx_mnt_id } else { 0 },
    })
}

fn unreadable(name: &str) -> String {
    format!("the line {name} can't be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let witness = Witness::open().unwrap();
        let threads = witness.threads().unwrap();
        let own = witness.credentials(threads[0].clone()).unwrap();
        assert_eq!(own.uid.real, rustix::process::getuid().as_raw());
        assert_eq!(own.permitted.bits(), thread::capabilities(None).unwrap().permitted.bits());
    }

    #[test]
    fn the_two_accounts_of_a_thread_agree() {
        let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let proc = Status::parse(&text).unwrap();
        let calls = Status::of_calls().unwrap();
        assert_eq!(calls, Status { thread: calls.thread, threads: 1, ..proc });
    }

    #[test]
    fn every_thread_is_seen() {
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let witness = Witness::open().unwrap();
        let before = witness.threads().unwrap().len();
        let waiting = std::thread::spawn(move || receive.recv());
        assert!(witness.threads().unwrap().len() > 1);
        assert!(before >= 1);
        drop(send);
        assert!(waiting.join().unwrap().is_err());
    }

    #[test]
    fn a_status_cut_short_names_the_line() {
        assert_eq!(Status::parse("Uid:\t0 0 0 0\n").unwrap_err(), "there is no line Groups");
        let text = "Groups:\t\nPid:\t1\nThreads:\t1\nUid:\t0\t0\t0\nGid:\t0\t0\t0\t0\n";
        assert_eq!(Status::parse(text).unwrap_err(), "the line Uid can't be read");
    }
}
