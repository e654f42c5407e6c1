//! Facts of this host and this process, read before anything changes.
//!
//! Sources: capabilities(7), user_namespaces(7) (`uid_map`, `gid_map`, `setgroups`), proc_sys(5) for
//! `dev.tty.legacy_tiocsti`.

use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, readlink, readlinkat};
use stepdown_security::credentials::{Directory, Facts, Features, IdMap};
use stepdown_security::errno::Errno;

use crate::error::number_of;
use crate::observe::{Witness, directory_at};
use crate::{Error, read};

/// How many capabilities the running kernel knows: the number of the last one, plus one. Found by asking for
/// them, `PR_CAPBSET_READ` of prctl(2), which needs no `/proc`.
#[must_use]
pub fn capability_count() -> u8 {
    let known = |number: u8| {
        let set = rustix::thread::CapabilitySet::from_bits_retain(1 << number);
        // Only EINVAL says that there is no such capability. Any other error (of a filter, say) must not make the kernel look
        // smaller than it is: `all` would then quietly mean less.
        !matches!(rustix::thread::capability_is_in_bounding_set(set), Err(rustix::io::Errno::INVAL))
    };
    let (mut low, mut high) = (0, 64);
    while low < high {
        let middle = (low + high) / 2;
        if known(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// What the rules need to know about kernel and user namespace. `capability_count` is [`capability_count`]'s answer.
///
/// # Errors
/// What reading `/proc/self` answered.
pub fn facts(witness: &Witness, capability_count: u8) -> Result<Facts, Error> {
    let process = witness.process().ok_or(Errno::NOENT)?;
    if is_initial(&readlinkat(process, c"ns/user", Vec::with_capacity(32))?) {
        return Ok(Facts::initial(capability_count));
    }
    let uid_map = read::text(c"/proc/self/uid_map")?;
    Ok(Facts {
        capability_count,
        root_ids: root_ids(&uid_map),
        uid_map: id_map(&uid_map),
        gid_map: id_map(&read::text(c"/proc/self/gid_map")?),
        setgroups_allowed: read::text(c"/proc/self/setgroups")?.trim() == "allow",
        features: Features::default(),
    })
}

/// Whether `uid` stands for owners who have no id in this user namespace: not in the one that everything began in, and not
/// where the id is mapped to somebody.
#[must_use]
pub(crate) fn is_overflow_id(uid: u32) -> bool {
    let initial = readlink(c"/proc/self/ns/user", Vec::new()).is_ok_and(|namespace| is_initial(&namespace));
    !initial && read::text(c"/proc/self/uid_map").is_ok_and(|map| !id_map(&map).contains(uid))
}

/// Opens a directory that is to become the root directory, and says which it is. The descriptor is closed by
/// execve(2).
///
/// # Errors
/// What open(2) answered: ENOENT, ENOTDIR, EACCES and so on.
pub fn open_directory(path: &str) -> Result<(OwnedFd, Directory), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(rustix::fs::CWD, path, flags, Mode::empty()).map_err(number_of)?;
    let directory = directory_at(&fd, c"", AtFlags::EMPTY_PATH)?;
    Ok((fd, directory))
}

/// Whether this process has a controlling terminal, tty(4), which a program can open whatever its descriptors are.
#[must_use]
pub fn has_controlling_terminal() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(rustix::fs::CWD, c"/dev/tty", flags, Mode::empty()).is_ok()
}

/// Whether a program that holds a terminal could type into it, ioctl_tty(2) `TIOCSTI`.
#[must_use]
pub fn terminal_injection() -> bool {
    // The switch came with Linux 6.2; a kernel without it always allows.
    read::text(c"/proc/sys/dev/tty/legacy_tiocsti").map_or(true, |text| text.trim() != "0")
}

/// The id of this process, getpid(2).
#[must_use]
pub fn process_id() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// The host name, gethostname(2).
#[must_use]
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The processes of the user with that real id, for the message about `RLIMIT_NPROC`.
#[must_use]
pub fn tasks_of_user(uid: u32) -> usize {
    let Ok(processes) = list(c"/proc") else { return 0 };
    let of_user = |text: &str| {
        text.lines().find_map(|line| line.strip_prefix("Uid:")).is_some_and(|ids| {
            ids.split_ascii_whitespace().next().and_then(|id| id.parse().ok()) == Some(uid)
        })
    };
    let path =
        |process: &str, name: &str| CString::new(["/proc/", process, name].concat()).unwrap_or_default();
    processes
        .iter()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|name| read::text(&path(name, "/status")).is_ok_and(|text| of_user(&text)))
        .map(|name| list(&path(name, "/task")).map_or(1, |tasks| tasks.len()))
        .sum()
}

/// The soft limit on the number of tasks of a user, getrlimit(2) `RLIMIT_NPROC`; `None` for no limit.
#[must_use]
pub fn task_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nproc).current
}

/// The names in a directory, `.` and `..` left out.
fn list(path: &CStr) -> rustix::io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::new(rustix::fs::open(path, flags, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        if !matches!(name.as_ref(), "." | "..") {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

/// Whether a link of `/proc/PID/ns` names the user namespace that everything began in, where every id exists: its number is
/// `PROC_USER_INIT_INO` of the kernel. To read the link costs half of what looking at the namespace does.
fn is_initial(link: &CStr) -> bool {
    link == c"user:[4026531837]"
}

pub(crate) fn id_map(text: &str) -> IdMap {
    IdMap(ranges(text).map(|(inside, _, length)| (inside, length)).collect())
}

/// The ids that are user 0 here or in the namespace above. Those further above can't be seen from here.
pub(crate) fn root_ids(uid_map: &str) -> Vec<u32> {
    let above = ranges(uid_map).find(|&(_, outside, length)| outside == 0 && length > 0);
    let mut ids = vec![0];
    ids.extend(above.map(|(inside, _, _)| inside).filter(|&inside| inside != 0));
    ids
}

/// The lines of a map: first id here, first id in the namespace above, how many, user_namespaces(7).
fn ranges(text: &str) -> impl Iterator<Item = (u32, u32, u32)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().map(|word| word.parse::<u32>());
        match (words.next(), words.next(), words.next()) {
            (Some(Ok(inside)), Some(Ok(outside)), Some(Ok(length))) => Some((inside, outside, length)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_for_its_last_capability() {
        let last: u8 =
            std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
        assert_eq!(capability_count(), last + 1);
    }

    #[test]
    fn maps_are_read() {
        assert_eq!(id_map("         0       1000          1\n"), IdMap(vec![(0, 1)]));
        assert_eq!(root_ids("0 1000 1\n"), [0]);
        assert_eq!(root_ids("0 1000 1\n1 0 5\n"), [0, 1]);
        assert!(!id_map("0 1000 1\n1 100000 65536\n").contains(65537));
        assert!(id_map("0 1000 1\n1 100000 65536\n").contains(65536));
    }
}
