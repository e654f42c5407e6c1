//! What a process says of itself after a move: a row of numbers, which goes through a pipe.

use std::collections::BTreeSet;

use stepdown_security::capability::CapSet;
use stepdown_security::credentials::{Credentials, Directory, Dumpable, Ids, Securebits};
use stepdown_security::errno::Errno;
use stepdown_security::moves::{Outcome, Process};

/// How many groups a process of the test has at most.
pub(crate) const GROUPS: usize = 8;

/// How many bytes a record has in the pipe.
pub(crate) const SIZE: usize = 8 * WORDS;

const WORDS: usize = 4 + 4 + 1 + GROUPS + 5 + 4 + 6 + 3 + 4;

/// The state of a process, and what the call before answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) uid: [u32; 4],
    pub(crate) gid: [u32; 4],
    pub(crate) group_count: u32,
    pub(crate) groups: [u32; GROUPS],
    pub(crate) permitted: u64,
    pub(crate) effective: u64,
    pub(crate) inheritable: u64,
    pub(crate) bounding: u64,
    pub(crate) ambient: u64,
    pub(crate) securebits: u32,
    pub(crate) no_new_privs: u32,
    pub(crate) dumpable: u32,
    pub(crate) death_signal: u32,
    pub(crate) root: [u64; 3],
    pub(crate) working_directory: [u64; 3],
    /// The error number, 0 for none.
    pub(crate) errno: u32,
    pub(crate) answer: u32,
    /// Whether `stepdown_kernel::observe` was asked as well, and did not say the same.
    pub(crate) other_witness: u32,
    /// The attribute of the file to be executed, as seen in the namespace: its length or error number, its bytes.
    pub(crate) attribute: [i64; 4],
}

impl Record {
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let mut words = [0_u64; WORDS];
        let mut next = words.iter_mut();
        let mut put = |word: u64| {
            if let Some(place) = next.next() {
                *place = word;
            }
        };
        self.uid
            .iter()
            .chain(&self.gid)
            .chain([&self.group_count])
            .chain(&self.groups)
            .for_each(|&n| put(n.into()));
        for set in [self.permitted, self.effective, self.inheritable, self.bounding, self.ambient] {
            put(set);
        }
        for number in [self.securebits, self.no_new_privs, self.dumpable, self.death_signal] {
            put(number.into());
        }
        self.root.iter().chain(&self.working_directory).for_each(|&number| put(number));
        for number in [self.errno, self.answer, self.other_witness] {
            put(number.into());
        }
        self.attribute.iter().for_each(|&word| put(word as u64));
        to.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    pub(crate) fn read(bytes: &[u8]) -> Record {
        let mut words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
        let mut long = || words.next().unwrap_or(u64::MAX);
        let mut record = Record {
            uid: std::array::from_fn(|_| long() as u32),
            gid: std::array::from_fn(|_| long() as u32),
            group_count: long() as u32,
            groups: std::array::from_fn(|_| long() as u32),
            permitted: long(),
            effective: long(),
            inheritable: long(),
            bounding: long(),
            ambient: long(),
            securebits: long() as u32,
            no_new_privs: long() as u32,
            dumpable: long() as u32,
            death_signal: long() as u32,
            root: [long(), long(), long()],
            working_directory: [long(), long(), long()],
            errno: long() as u32,
            answer: long() as u32,
            other_witness: long() as u32,
            attribute: std::array::from_fn(|_| long() as i64),
        };
        record.groups[..GROUPS.min(record.group_count as usize)].sort_unstable();
        record
    }

    /// The process it tells of.
    pub(crate) fn process(&self) -> Process {
        let ids = |ids: [u32; 4]| Ids { real: ids[0], effective: ids[1], saved: ids[2], filesystem: ids[3] };
        let directory = |[device, inode, mount]: [u64; 3]| Directory { device, inode, mount };
        let credentials = Credentials {
            uid: ids(self.uid),
            gid: ids(self.gid),
            groups: self.groups[..GROUPS.min(self.group_count as usize)].to_vec(),
            permitted: CapSet::from_bits(self.permitted),
            effective: CapSet::from_bits(self.effective),
            inheritable: CapSet::from_bits(self.inheritable),
            bounding: CapSet::from_bits(self.bounding),
            ambient: CapSet::from_bits(self.ambient),
            securebits: Securebits(self.securebits),
            no_new_privs: self.no_new_privs == 1,
            root: directory(self.root),
            working_directory: directory(self.working_directory),
            parent_death_signal: self.death_signal as i32,
        };
        let dumpable = Dumpable::new(self.dumpable as i32).expect("prctl(2) knows three");
        Process { credentials, dumpable }
    }

    /// In what it differs from what was expected, in words; empty if in nothing. `before` is the process before the call,
    /// which a call that fails leaves as it is.
    pub(crate) fn differences(
        &self,
        before: &Process,
        expected: &Result<Outcome, Errno>,
    ) -> BTreeSet<String> {
        let mut list = BTreeSet::new();
        let mut note = |what: &str, expected: String, found: String| {
            if expected != found {
                list.insert(format!("{what}: {expected} by the rules, {found} by the kernel"));
            }
        };
        let (errno, answer) = match expected {
            Ok(outcome) => (Errno(0), outcome.answer),
            Err(errno) => (*errno, 0),
        };
        note("error", word(errno), word(Errno(self.errno as i32)));
        if errno == Errno(0) && self.errno == 0 {
            note("answer", answer.to_string(), self.answer.to_string());
        }
        note("other witness", "0".into(), self.other_witness.to_string());
        let expected = expected.as_ref().map_or(before, |outcome| &outcome.process);
        let found = self.process();
        note("dumpable", expected.dumpable.number().to_string(), found.dumpable.number().to_string());
        for difference in
            stepdown_security::credentials::differences(&expected.credentials, &found.credentials)
        {
            note(difference.what, difference.expected, difference.found);
        }
        list
    }
}

fn word(errno: Errno) -> String {
    if errno == Errno(0) { "none".into() } else { format!("{errno:?}") }
}
