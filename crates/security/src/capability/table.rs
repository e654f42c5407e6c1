//! The table of capabilities, and everything that is made from it: constants, names, look-up by name.
//!
//! Follows capabilities(7). Sets of capabilities are the neighbour's, `set`.

use core::fmt;

/// One capability, by its number: 0 to 63, the width of the kernel's sets.
///
/// A number above 40 has no name in this version; it is printed in decimal, as libcap prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(pub(super) u8);

impl Capability {
    /// How many capabilities the kernel's sets have room for.
    pub const ROOM: u8 = 64;

    /// The last capability that has a name in this version.
    pub const LAST_NAMED: Capability = Capability(NAMES.len() as u8 - 1);

    /// The capability of that number, or `None` above 63.
    #[must_use]
    pub const fn new(number: u8) -> Option<Capability> {
        if number < Capability::ROOM { Some(Capability(number)) } else { None }
    }

    /// The capability of that name (`cap_net_raw`), upper or lower case, or `None`.
    ///
    /// Names only, whole and with their `cap_`: the numbers that capability *text* accepts are read by
    /// [`crate::text`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Capability> {
        Capability::from_name_bytes(name.as_bytes())
    }

    /// [`from_name`](Capability::from_name) for bytes that need not be UTF-8.
    #[inline]
    #[must_use]
    pub fn from_name_bytes(name: &[u8]) -> Option<Capability> {
        lookup::find(name)
    }

    /// The number, 0 to 63.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The name, such as `cap_net_raw`, or `None` above [`LAST_NAMED`](Capability::LAST_NAMED).
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        if (self.0 as usize) < NAMES.len() { Some(NAMES[self.0 as usize]) } else { None }
    }

    /// What is known of this capability, or `None` above [`LAST_NAMED`](Capability::LAST_NAMED).
    #[must_use]
    pub const fn info(self) -> Option<&'static Info> {
        if (self.0 as usize) < TABLE.len() { Some(&TABLE[self.0 as usize]) } else { None }
    }
}

/// The name, or the number in decimal where there is none.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the table says of one capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The capability itself.
    pub capability: Capability,
    /// Its name, lower case, with `cap_`.
    pub name: &'static str,
    /// What holding it allows, in one line without a full stop.
    pub allows: &'static str,
    /// Whether a hostile program that holds only this one can make itself root, or as good as root, on an
    /// ordinary system.
    pub root_equivalent: bool,
    /// Why it is, or what the worst is that can be done with it, in a few words.
    pub why: &'static str,
}

/// Every capability that has a name, in the order of their numbers.
pub const NAMED: &[Info] = TABLE;

/// Makes the constants and the table from one row a capability: number, constant, what it allows, whether it is
/// `root` or `less` than root, and why. The name is the constant's, in lower case with `cap_` in front.
macro_rules! capabilities {
    ($($number:literal $constant:ident $danger:ident $allows:literal, $why:literal;)*) => {
        impl Capability {
            $(#[doc = $allows] pub const $constant: Capability = Capability($number);)*
        }

        /// Their names, in the same order; a table of its own, so that who needs no more does not carry the rest.
        pub const NAMES: &[&str] = &[$({
            const UPPER: &str = concat!("cap_", stringify!($constant));
            const LOWER: &[u8; UPPER.len()] = &lower_case(UPPER);
            match core::str::from_utf8(LOWER) {
                Ok(name) => name,
                Err(_) => panic!("a name is ASCII"),
            }
        }),*];

        const TABLE: &[Info] = &[$(Info {
            capability: Capability::$constant,
            name: NAMES[$number],
            allows: $allows,
            root_equivalent: danger!($danger),
            why: $why,
        }),*];
    };
}

macro_rules! danger {
    (root) => {
        true
    };
    (less) => {
        false
    };
}

#[rustfmt::skip]
capabilities! {
    0 CHOWN root "Give any file to any user or group", "it can take over /etc/shadow and the programs root runs";
    1 DAC_OVERRIDE root "Read, write and search past every file permission", "it can rewrite the password file, or what root runs next";
    2 DAC_READ_SEARCH root "Read every file and search every directory; open files by handle", "it reads the password hashes and private keys, and leaves a chroot or container by file handle";
    3 FOWNER root "Do what only a file's owner may: change its mode, times, attributes, sticky deletions", "it can make a file that belongs to root writable";
    4 FSETID less "Keep the set-id bits of a file that is changed", "it keeps set-id bits on files one may write anyway; dangerous where such files exist";
    5 KILL less "Signal any process", "it can stop any service, and signal what trusts its signals";
    6 SETGID root "Become any group, choose the supplementary groups", "as group shadow, disk or docker it reaches root";
    7 SETUID root "Become any user", "setuid(0) is one call away";
    8 SETPCAP less "Take from the bounding set, add to the inheritable set, change the secure bits", "it gives out only what the process has, but it can undo secure bits that hold others back";
    9 LINUX_IMMUTABLE less "Set and clear the immutable and append-only marks of files", "it can lift the protection of a log or a file";
    10 NET_BIND_SERVICE less "Bind to the privileged ports, those below 1024", "it can stand in for a system service whose port is free";
    11 NET_BROADCAST less "Broadcast and listen to multicast (the kernel does not ask for it)", "nothing checks it today";
    12 NET_ADMIN less "Configure interfaces, routes, firewalls and sockets' privileged options", "it can redirect or silence all of this network namespace's traffic";
    13 NET_RAW less "Open raw and packet sockets, bind to foreign addresses", "it can watch and forge the traffic of this network namespace";
    14 IPC_LOCK less "Lock memory beyond the limit, use huge pages", "it can use up the machine's memory";
    15 IPC_OWNER less "Use System V shared memory, semaphores and queues past their permissions", "it can change what other programs share, those of root among them";
    16 SYS_MODULE root "Load and unload modules of the kernel", "it can put any code into the kernel";
    17 SYS_RAWIO root "Use I/O ports, /dev/mem and raw device commands", "it can write the memory of the kernel";
    18 SYS_CHROOT less "Change the root directory, enter mount namespaces", "it can leave a chroot, and lead set-id programs to its own files";
    19 SYS_PTRACE root "Trace and read any process", "it can run its own code inside a process of root";
    20 SYS_PACCT less "Switch process accounting on and off", "it can hide what was run, or fill a disk with the record";
    21 SYS_ADMIN root "Mount, name the host, and a great many other things of administration", "it can mount over what root runs; it is root in all but name";
    22 SYS_BOOT root "Reboot, and load another kernel to start", "kexec starts a kernel of its choosing where that is not locked down";
    23 SYS_NICE less "Raise priorities, real-time scheduling and CPU affinity, of any process", "it can starve everything else of the processor";
    24 SYS_RESOURCE less "Go beyond resource limits, disk quotas and reserved space", "it can exhaust what limits exist to protect";
    25 SYS_TIME less "Set the clocks", "it can make certificates and tickets valid again";
    26 SYS_TTY_CONFIG less "Hang up terminals, configure virtual terminals", "it can disturb or remap another user's console";
    27 MKNOD root "Make device nodes", "it can make a node for the disk of the root file system and open it";
    28 LEASE less "Take leases on any file", "it can delay others that open a file";
    29 AUDIT_WRITE less "Write records to the kernel's audit log", "it can forge entries in the log";
    30 AUDIT_CONTROL less "Switch auditing on and off, change its rules", "it can hide what is done";
    31 SETFCAP root "Put capabilities on files", "it can give a program that it runs next any capability of the bounding set";
    32 MAC_OVERRIDE less "Go past the Smack access rules", "it only undoes Smack, where that is in use";
    33 MAC_ADMIN less "Configure Smack, set unknown SELinux labels", "it can relabel what mandatory access control protects";
    34 SYSLOG less "Read the kernel's log and the addresses in it", "it gives away addresses that help to attack the kernel";
    35 WAKE_ALARM less "Set alarms that wake a sleeping machine", "it can drain a battery";
    36 BLOCK_SUSPEND less "Keep the machine from going to sleep", "it can drain a battery";
    37 AUDIT_READ less "Read the kernel's audit log as it is written", "it shows what every user does";
    38 PERFMON less "Measure performance across all processes and the kernel", "it can watch what other programs do and compute";
    39 BPF less "Load privileged BPF programs and use their maps", "with cap_perfmon it can read the memory of the kernel";
    40 CHECKPOINT_RESTORE less "Choose process ids, look through /proc map_files, restore processes", "it opens the files that other processes have mapped";
}

/// Every row stands at its number's place, so that a number is an index.
const _: () = {
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].capability.0 as usize == index, "the table is out of order");
        index += 1;
    }
};

const fn lower_case<const LENGTH: usize>(name: &str) -> [u8; LENGTH] {
    let mut lower = [0; LENGTH];
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    lower
}

/// Names to numbers with one probe and one comparison.
///
/// Three letters tell all names apart: the one after `cap_`, and the third and fourth from the end. They are
/// multiplied into a slot; the multiplier is searched for while compiling, so that a name added to the table
/// needs no thought here, unless it is a twin of another in all three letters: then this does not compile.
mod lookup {
    use super::{Capability, TABLE};

    const EMPTY: u8 = u8::MAX;
    /// The shortest length for which the three letters exist. No name is shorter.
    const SHORTEST: usize = 5;
    const MULTIPLIER: u32 = multiplier();
    static SLOTS: [u8; 256] = match slots(MULTIPLIER) {
        Some(slots) => slots,
        None => panic!("the multiplier was found by this very test"),
    };

    #[inline]
    pub(super) fn find(name: &[u8]) -> Option<Capability> {
        if name.len() < SHORTEST {
            return None;
        }
        let index = SLOTS[slot(name, MULTIPLIER)];
        let info = TABLE.get(usize::from(index))?;
        same(name, info.name.as_bytes()).then_some(info.capability)
    }

    /// Whether a word is the name in any case; eight bytes at a time, since this is most of the work of a look-up.
    #[inline]
    fn same(word: &[u8], name: &[u8]) -> bool {
        let Some((word_end, name_end)) = word.last_chunk().zip(name.last_chunk()) else {
            return word.eq_ignore_ascii_case(name);
        };
        let (words, _) = word.as_chunks();
        let (names, _) = name.as_chunks();
        // The last eight bytes overlap those before them, which saves a loop for the rest.
        word.len() == name.len()
            && same_eight(word_end, name_end)
            && words.iter().zip(names).all(|(word, name)| same_eight(word, name))
    }

    #[inline]
    fn same_eight(word: &[u8; 8], name: &[u8; 8]) -> bool {
        /// The bit by which the two cases of a letter differ. In a name, letters have it and `_` does not.
        const CASE: u64 = u64::from_ne_bytes([0x20; 8]);
        let (word, name) = (u64::from_ne_bytes(*word), u64::from_ne_bytes(*name));
        (word ^ name) & !(name & CASE) == 0
    }

    #[inline]
    const fn slot(name: &[u8], multiplier: u32) -> usize {
        // Setting this bit makes upper case lower; what it does to other characters does not matter,
        // since the comparison has the last word.
        let end = name.len();
        let key = u32::from_le_bytes([name[4] | 0x20, name[end - 3] | 0x20, name[end - 4] | 0x20, 0]);
        (key.wrapping_mul(multiplier) >> 24) as usize
    }

    const fn slots(multiplier: u32) -> Option<[u8; 256]> {
        let mut slots = [EMPTY; 256];
        let mut index = 0;
        while index < TABLE.len() {
            let name = TABLE[index].name.as_bytes();
            assert!(name.len() >= SHORTEST, "a name too short for the look-up");
            let slot = slot(name, multiplier);
            if slots[slot] != EMPTY {
                return None;
            }
            slots[slot] = index as u8;
            index += 1;
        }
        Some(slots)
    }

    const fn multiplier() -> u32 {
        // Any odd number with well-mixed bits will do as a start and as a stride.
        let mut multiplier: u32 = 0x9e37_79b1;
        let mut tries = 0;
        while tries < 2_000 {
            if slots(multiplier).is_some() {
                return multiplier;
            }
            multiplier = multiplier.wrapping_mul(0x85eb_ca6b) | 1;
            tries += 1;
        }
        panic!("two names agree in the three letters that the look-up uses; use another letter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    #[test]
    fn every_name_finds_its_number_in_any_case() {
        assert_eq!(NAMED.len(), 41);
        for (number, info) in NAMED.iter().enumerate() {
            assert_eq!(usize::from(info.capability.number()), number);
            assert_eq!(Capability::from_name(info.name), Some(info.capability), "{}", info.name);
            assert_eq!(Capability::from_name(&info.name.to_uppercase()), Some(info.capability));
            assert_eq!(info.capability.to_string(), info.name);
            assert!(
                info.name.starts_with("cap_")
                    && info.name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())
            );
            assert!(!info.allows.ends_with('.') && !info.why.ends_with('.'));
        }
    }

    #[test]
    fn names_that_are_nearly_right_are_not_found() {
        for info in NAMED {
            for broken in [&info.name[..info.name.len() - 1], &info.name[1..], &info.name[4..]] {
                assert_eq!(Capability::from_name(broken), None, "{broken}");
            }
            for tail in ["s", " ", "_", "\0", "+p", "é"] {
                assert_eq!(Capability::from_name(&(String::from(info.name) + tail)), None);
            }
            for (at, _) in info.name.char_indices() {
                let mut changed = String::from(info.name).into_bytes();
                changed[at] ^= 1;
                assert_eq!(Capability::from_name_bytes(&changed), None, "{changed:?}");
                // The bit that tells the cases apart must not make another character pass for `_`.
                changed[at] ^= 1 ^ 0x20;
                let expected = (info.name.as_bytes()[at] != b'_').then_some(info.capability);
                assert_eq!(Capability::from_name_bytes(&changed), expected, "{changed:?}");
            }
        }
        for wrong in [
            "",
            "c",
            "cap",
            "cap_",
            "cap_a",
            "all",
            "10",
            "cap_net",
            "cap_ünknown",
            "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
        ] {
            assert_eq!(Capability::from_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_without_a_name_are_printed_in_decimal() {
        assert_eq!(Capability::LAST_NAMED, Capability::CHECKPOINT_RESTORE);
        assert_eq!(Capability::new(41).unwrap().to_string(), "41");
        assert_eq!(Capability::new(63).unwrap().to_string(), "63");
        assert_eq!(Capability::new(64), None);
    }
}
