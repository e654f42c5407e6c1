//! The credentials of a thread, and the facts of the kernel and user namespace that the rules depend on.
//!
//! What is here is what credentials(7), capabilities(7) and user_namespaces(7) say a thread has. It is data:
//! crate `kernel` reads it from Linux, [`crate::rules`] computes with it, [`differences`] compares two of them.

use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::capability::CapSet;

/// Everything about a thread that decides what it may do, as far as this product changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User ids, setresuid(2).
    pub uid: Ids,
    /// Group ids, setresgid(2).
    pub gid: Ids,
    /// Supplementary groups, sorted as the kernel keeps them, setgroups(2).
    pub groups: Vec<u32>,
    /// What the thread may make effective.
    pub permitted: CapSet,
    /// What the kernel checks.
    pub effective: CapSet,
    /// What execve(2) combines with a file's inheritable set.
    pub inheritable: CapSet,
    /// The limit of what execve(2) can give from a file.
    pub bounding: CapSet,
    /// What execve(2) of an ordinary program keeps.
    pub ambient: CapSet,
    /// How user 0 is treated, prctl(2) `PR_SET_SECUREBITS`; the keep-capabilities flag is one of them.
    pub securebits: Securebits,
    /// Whether execve(2) may give anything that the thread does not have, prctl(2) `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// The root directory, chroot(2).
    pub root: Directory,
    /// The working directory, chdir(2).
    pub working_directory: Directory,
    /// The signal sent when the parent ends, 0 for none, prctl(2) `PR_SET_PDEATHSIG`. A change of
    /// credentials clears it.
    pub parent_death_signal: i32,
}

/// The four ids of one kind that a thread has, credentials(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Who started it.
    pub real: u32,
    /// What most checks look at.
    pub effective: u32,
    /// What the effective id may go back to.
    pub saved: u32,
    /// What file accesses are checked with; follows the effective id.
    pub filesystem: u32,
}

/// A directory as the kernel knows it, whatever its path is called: device, inode and mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The device that holds it.
    pub device: u64,
    /// Its inode number there.
    pub inode: u64,
    /// The mount that leads to it, statx(2) `STATX_MNT_ID`, since Linux 5.8; 0 before. The same directory on another
    /// mount, read-only or without what is mounted below it, is another place.
    pub mount: u64,
}

/// The securebits flags, capabilities(7) "The securebits flags", `linux/securebits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Securebits(pub u32);

/// What is true of the running kernel and of the user namespace the process is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How many capabilities the kernel knows: `/proc/sys/kernel/cap_last_cap` plus one.
    pub capability_count: u8,
    /// Which user ids exist here, `/proc/self/uid_map`.
    pub uid_map: IdMap,
    /// Which group ids exist here, `/proc/self/gid_map`.
    pub gid_map: IdMap,
    /// Whether setgroups(2) is allowed, `/proc/self/setgroups`.
    pub setgroups_allowed: bool,
    /// The ids here that are user 0 of this namespace or of one above it: files whose capabilities belong to one of
    /// them (revision 3 of the attribute) give them here.
    pub root_ids: Vec<u32>,
    /// In what this kernel differs from others.
    pub features: Features,
}

/// In what kernels differ, each found by trying it and never by a version number. [`Features::default`] is what the
/// newest kernel known here does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// What execve(2) takes for a change of ids. Linux 6.16 compares the new effective ids with the old ones (and a group
    /// with all that the process is in); before, with the real ones.
    pub execve_compares_effective: bool,
    /// Whether there are `SECBIT_EXEC_RESTRICT_FILE` and `SECBIT_EXEC_DENY_INTERACTIVE`, since Linux 6.14.
    pub exec_securebits: bool,
    /// Whether setresuid(2) and setresgid(2) that change none of their three ids leave the filesystem id alone as well,
    /// since Linux 6.3. Before, it follows the effective id.
    pub setres_keeps_filesystem: bool,
    /// What a process is after a change of credentials: `/proc/sys/fs/suid_dumpable`, proc_sys_fs(5).
    pub suid_dumpable: Dumpable,
}

/// Whether a process leaves a core dump and who may look into it, prctl(2) `PR_SET_DUMPABLE`. It belongs to the
/// memory of a process, not to the credentials of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dumpable {
    /// 0: nobody but root; `/proc/self` belongs to root.
    Not,
    /// 1: as any process.
    Yes,
    /// 2: dumped for root alone.
    RootOnly,
}

/// The ids that exist in a user namespace, user_namespaces(7): ranges of (first, length).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct IdMap(pub Vec<(u32, u32)>);

/// One thing in which two states differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs, in the field's terms: "effective user id", "ambient set".
    pub what: &'static str,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// Compares two states field by field; empty when they are equal.
#[must_use]
pub fn differences(expected: &Credentials, found: &Credentials) -> Vec<Difference> {
    // Taken apart without `..`, so that a field added to the state cannot be forgotten here.
    let Credentials {
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
        root,
        working_directory,
        parent_death_signal,
    } = expected;
    let mut list = Vec::new();
    uid.compare(&found.uid, USER_IDS, &mut list);
    gid.compare(&found.gid, GROUP_IDS, &mut list);
    if *groups != found.groups {
        note(&mut list, "supplementary groups", &words_of_ids(groups), &words_of_ids(&found.groups));
    }
    for (what, expected, found) in [
        ("permitted set", permitted, found.permitted),
        ("effective set", effective, found.effective),
        ("inheritable set", inheritable, found.inheritable),
        ("bounding set", bounding, found.bounding),
        ("ambient set", ambient, found.ambient),
    ] {
        if *expected != found {
            note(&mut list, what, &words_of_set(*expected), &words_of_set(found));
        }
    }
    if *securebits != found.securebits {
        note(&mut list, "securebits", securebits, &found.securebits);
    }
    if *no_new_privs != found.no_new_privs {
        note(&mut list, "no_new_privs", no_new_privs, &found.no_new_privs);
    }
    if *root != found.root {
        note(&mut list, "root directory", root, &found.root);
    }
    if *working_directory != found.working_directory {
        note(&mut list, "working directory", working_directory, &found.working_directory);
    }
    if *parent_death_signal != found.parent_death_signal {
        note(&mut list, "parent-death signal", parent_death_signal, &found.parent_death_signal);
    }
    list
}

/// A set in words: `none`, or the names.
#[must_use]
pub fn words_of_set(set: CapSet) -> String {
    if set.is_empty() { "none".into() } else { set.to_string() }
}

/// A list of groups as the kernel keeps it, in order. By a heap, whose code is a twentieth of that of the standard library's
/// sorting: a small launcher carries it.
#[must_use]
pub fn sorted(groups: Vec<u32>) -> Vec<u32> {
    BinaryHeap::from(groups).into_sorted_vec()
}

/// A list of ids in words: `none`, or the numbers.
#[must_use]
pub fn words_of_ids(ids: &[u32]) -> String {
    if ids.is_empty() {
        return "none".into();
    }
    let mut text = String::new();
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(&id.to_string());
    }
    text
}

impl Ids {
    /// The same id four times.
    #[must_use]
    pub const fn all(id: u32) -> Ids {
        Ids { real: id, effective: id, saved: id, filesystem: id }
    }

    /// Whether one of real, effective and saved is `id`: what an unprivileged setresuid(2) may choose from.
    #[must_use]
    pub const fn has(&self, id: u32) -> bool {
        self.real == id || self.effective == id || self.saved == id
    }

    fn compare(&self, found: &Ids, names: [&'static str; 4], list: &mut Vec<Difference>) {
        let expected = [self.real, self.effective, self.saved, self.filesystem];
        let found = [found.real, found.effective, found.saved, found.filesystem];
        for index in 0..4 {
            if expected[index] != found[index] {
                note(list, names[index], &expected[index], &found[index]);
            }
        }
    }
}

impl Securebits {
    /// User 0 gets nothing at execve(2) and from set-user-id root files.
    pub const NOROOT: Securebits = Securebits(1 << 0);
    /// [`Securebits::NOROOT`] can't be changed any more.
    pub const NOROOT_LOCKED: Securebits = Securebits(1 << 1);
    /// Changes between user 0 and others leave the capability sets alone.
    pub const NO_SETUID_FIXUP: Securebits = Securebits(1 << 2);
    /// The permitted set survives a change from user 0 to others; cleared by execve(2).
    pub const KEEP_CAPS: Securebits = Securebits(1 << 4);
    /// [`Securebits::KEEP_CAPS`] can't be changed any more.
    pub const KEEP_CAPS_LOCKED: Securebits = Securebits(1 << 5);
    /// Nothing can be raised in the ambient set.
    pub const NO_CAP_AMBIENT_RAISE: Securebits = Securebits(1 << 6);
    /// All flags about privilege; those above are advice to interpreters (`SECBIT_EXEC_*`, Linux 6.14).
    pub const PRIVILEGE: Securebits = Securebits(0xff);
    /// All flags of [`Securebits::PRIVILEGE`] that lock another.
    pub const LOCKS: Securebits = Securebits(0xaa);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Securebits) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Securebits) -> Securebits {
        Securebits(self.0 | other.0)
    }

    /// The bits that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Securebits) -> Securebits {
        Securebits(self.0 & !other.0)
    }
}

impl Facts {
    /// What is true in the namespace that everything began in, with the features of the newest kernel known.
    #[must_use]
    pub fn initial(capability_count: u8) -> Facts {
        Facts {
            capability_count,
            uid_map: IdMap::all(),
            gid_map: IdMap::all(),
            setgroups_allowed: true,
            root_ids: alloc::vec![0],
            features: Features::default(),
        }
    }
}

impl Default for Features {
    fn default() -> Features {
        Features {
            execve_compares_effective: true,
            exec_securebits: true,
            setres_keeps_filesystem: true,
            suid_dumpable: Dumpable::Not,
        }
    }
}

impl Dumpable {
    /// The number of prctl(2) `PR_GET_DUMPABLE`.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Dumpable::Not => 0,
            Dumpable::Yes => 1,
            Dumpable::RootOnly => 2,
        }
    }

    /// The one of that number.
    #[must_use]
    pub const fn new(number: i32) -> Option<Dumpable> {
        match number {
            0 => Some(Dumpable::Not),
            1 => Some(Dumpable::Yes),
            2 => Some(Dumpable::RootOnly),
            _ => None,
        }
    }
}

impl IdMap {
    /// The map of the initial namespace: every id.
    #[must_use]
    pub fn all() -> IdMap {
        IdMap(alloc::vec![(0, u32::MAX)])
    }

    /// Whether `id` exists in the namespace; one that does not is EINVAL to the id calls.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.0
            .iter()
            .any(|&(first, length)| id >= first && u64::from(id) < u64::from(first) + u64::from(length))
    }
}

impl fmt::Display for Securebits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        let mut rest = self.0;
        let mut separator = "";
        for (index, name) in SECUREBIT_NAMES.iter().enumerate() {
            if self.0 & (1 << index) != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
                rest &= !(1 << index);
            }
        }
        if rest != 0 {
            write!(f, "{separator}{rest:#x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inode {} on device {:#x}, mount {}", self.inode, self.device, self.mount)
    }
}

const USER_IDS: [&str; 4] = ["real user id", "effective user id", "saved user id", "filesystem user id"];
const GROUP_IDS: [&str; 4] = ["real group id", "effective group id", "saved group id", "filesystem group id"];

/// The spelling of systemd.exec(5) `SecureBits=` and setpriv(1), in the order of the bits.
const SECUREBIT_NAMES: [&str; 12] = [
    "noroot",
    "noroot-locked",
    "no-setuid-fixup",
    "no-setuid-fixup-locked",
    "keep-caps",
    "keep-caps-locked",
    "no-cap-ambient-raise",
    "no-cap-ambient-raise-locked",
    "exec-restrict-file",
    "exec-restrict-file-locked",
    "exec-deny-interactive",
    "exec-deny-interactive-locked",
];

fn note(
    list: &mut Vec<Difference>,
    what: &'static str,
    expected: &dyn fmt::Display,
    found: &dyn fmt::Display,
) {
    list.push(Difference { what, expected: format!("{expected}"), found: format!("{found}") });
}
