//! Another process as the subject of a question: its credentials in the terms of its own user namespace, which is where
//! the rules apply to it, its root directory, and whose its network is.
//!
//! Follows proc_pid_status(5), user_namespaces(7) (`uid_map`), ioctl_ns(2), ip(7). Reading the status needs no right; what
//! does (ptrace(2), "Ptrace access mode checking") is `None` where this process has none. Not for: what a process
//! and its threads are as this process sees them, which is [`crate::processes`]'s.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, fstat, openat, statat};
use stepdown_security::credentials::{Facts, IdMap, Ids};
use stepdown_security::execve::ProgramFile;

use crate::observe::Status;
use crate::{host, sys};

/// A process that was looked at.
#[derive(Debug)]
pub struct Subject {
    /// Its name, the first 15 bytes of it.
    pub name: String,
    /// The status of its first thread; ids are those of its own user namespace.
    pub status: Status,
    /// The facts of its user namespace.
    pub facts: Facts,
    /// Its root directory, opened.
    pub root: Option<OwnedFd>,
    /// Whether the user namespace that owns its network is its own or one below it: only there do its capabilities count.
    pub owns_network: Option<bool>,
    /// The first port of its network that needs no capability, `ip_unprivileged_port_start`; known where the network is
    /// that of this process too.
    pub unprivileged_port_start: Option<u32>,
    users: Translation,
    groups: Translation,
}

impl Subject {
    /// Looks at a process.
    ///
    /// # Errors
    /// What reading `/proc` answered: ENOENT or ESRCH for a process that is not there, or ended meanwhile.
    pub fn look(pid: u32) -> io::Result<Subject> {
        // One descriptor for all: should the process end, its number may be another's, the descriptor is not.
        let path = format!("/proc/{pid}");
        let process = rustix::fs::open(path.as_str(), DIRECTORY, Mode::empty())?;
        let file = openat(&process, c"status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut status = Status::read(&file, &format!("{path}/status"))?;
        let read = |name: &str| -> io::Result<String> {
            let file = openat(&process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            io::read_to_string(std::fs::File::from(file))
        };
        let (uid_map, gid_map) = (read("uid_map")?, read("gid_map")?);
        let same = same_namespace(&process, "user").unwrap_or_else(|| {
            // Where the namespaces can't be compared, their maps can: what this process sees of a namespace below its own
            // is said in its own ids, and is another text.
            std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|own| own == uid_map)
        });
        let (users, groups) = if same {
            (Translation::None, Translation::None)
        } else {
            (Translation::of(&uid_map), Translation::of(&gid_map))
        };
        status.uid = users.ids(status.uid);
        status.gid = groups.ids(status.gid);
        for group in &mut status.groups {
            *group = groups.shown(*group);
        }
        status.groups.sort_unstable();
        let facts = Facts {
            root_ids: host::root_ids(&uid_map),
            uid_map: host::id_map(&uid_map),
            gid_map: host::id_map(&gid_map),
            setgroups_allowed: read("setgroups").map_or(true, |text| text.trim() != "deny"),
            ..host::facts(&crate::observe::Witness::open()?, host::capability_count())?
        };
        let same_network = same_namespace(&process, "net") == Some(true);
        Ok(Subject {
            name: read("comm")?.trim_end_matches('\n').to_owned(),
            status,
            facts,
            root: openat(&process, c"root", DIRECTORY, Mode::empty()).ok(),
            owns_network: owns_network(&process),
            unprivileged_port_start: same_network.then(unprivileged_port_start).flatten(),
            users,
            groups,
        })
    }

    /// The file with its owner and group as the process's user namespace has them; an id that does not exist there is
    /// one that exists nowhere.
    #[must_use]
    pub fn seen(&self, file: &ProgramFile) -> ProgramFile {
        let mut seen = file.clone();
        seen.owner = self.users.inside(file.owner).unwrap_or(u32::MAX);
        seen.group = self.groups.inside(file.group).unwrap_or(u32::MAX);
        seen
    }

    /// Whether it is in the user namespace that everything began in, or one that has every id as well.
    #[must_use]
    pub fn has_every_id(&self) -> bool {
        self.facts.uid_map == IdMap::all()
    }
}

/// The first port that needs no capability in the network of this process, ip(7).
#[must_use]
pub fn unprivileged_port_start() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?.trim().parse().ok()
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What an id is shown as where it does not exist, `/proc/sys/kernel/overflowuid`.
const OVERFLOW: u32 = 65534;

/// From the ids that this process sees to those of another user namespace.
#[derive(Debug)]
enum Translation {
    None,
    /// Ranges of first inside, first outside, length.
    Ranges(Vec<(u32, u32, u32)>),
}

impl Translation {
    fn of(map: &str) -> Translation {
        let range = |line: &str| {
            let mut words = line.split_ascii_whitespace().map(str::parse);
            Some((words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?))
        };
        Translation::Ranges(map.lines().filter_map(range).collect())
    }

    fn inside(&self, id: u32) -> Option<u32> {
        match self {
            Translation::None => Some(id),
            Translation::Ranges(ranges) => ranges.iter().find_map(|&(inside, outside, length)| {
                let offset = id.checked_sub(outside)?;
                (offset < length).then(|| inside + offset)
            }),
        }
    }

    fn shown(&self, id: u32) -> u32 {
        self.inside(id).unwrap_or(OVERFLOW)
    }

    fn ids(&self, ids: Ids) -> Ids {
        Ids {
            real: self.shown(ids.real),
            effective: self.shown(ids.effective),
            saved: self.shown(ids.saved),
            filesystem: self.shown(ids.filesystem),
        }
    }
}

/// Whether the process and this one share a namespace; `None` where this process may not know.
fn same_namespace(process: &OwnedFd, name: &str) -> Option<bool> {
    let at = |directory: &OwnedFd| statat(directory, format!("ns/{name}"), rustix::fs::AtFlags::empty()).ok();
    let own = rustix::fs::open(c"/proc/self", DIRECTORY, Mode::empty()).ok()?;
    let (one, other) = (at(process)?, at(&own)?);
    Some((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// ioctl_ns(2): the owner of a network namespace, and the parents of that, up to where this process can't see.
fn owns_network(process: &OwnedFd) -> Option<bool> {
    let open = |name: &str| openat(process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok();
    let identity = |file: &OwnedFd| fstat(file).ok().map(|stat| (stat.st_dev, stat.st_ino));
    let own = identity(&open("ns/user")?)?;
    let mut namespace = open("ns/net")?;
    loop {
        match sys::owning_user_namespace(namespace.as_fd()) {
            Ok(owner) if identity(&owner)? == own => return Some(true),
            Ok(owner) => namespace = owner,
            // EPERM: above the namespace of this process, or above the first one there is.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => return Some(false),
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_translated_into_the_namespace() {
        let map = Translation::of("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(map.inside(1000), Some(0));
        assert_eq!(map.inside(165_535), Some(65536));
        assert_eq!((map.inside(0), map.inside(165_536), map.shown(999)), (None, None, 65534));
        assert_eq!(Translation::None.inside(7), Some(7));
    }

    #[test]
    fn this_process_is_seen_as_it_sees_itself() {
        let process = Subject::look(std::process::id()).unwrap();
        assert_eq!(process.status.uid.real, rustix::process::getuid().as_raw());
        assert!(process.root.is_some());
        assert!(process.unprivileged_port_start.is_some());
        assert_eq!(Subject::look(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ENOENT));
    }
}
