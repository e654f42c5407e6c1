//! Which sources the name service has, nsswitch.conf(5).
//!
//! Only what is certain is read: a line that the C library reads in a way of its own, with actions or more than once, is
//! [`Line::Unsure`]. Not for: asking any of them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use rustix::fs::{Dir, Mode, OFlags};

use crate::read;
use crate::scan::{before, lines};

/// What nsswitch.conf(5) says of each database.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) passwd: Line,
    pub(crate) group: Line,
    initgroups: Line,
}

/// The line of a database.
#[derive(Default)]
pub(crate) enum Line {
    /// There is none, or no file: nsswitch.conf(5) has it that it is `files` then.
    #[default]
    Absent,
    /// Its sources, in order.
    Sources(Vec<String>),
    /// More than their order counts.
    Unsure,
}

impl Sources {
    /// What the text of the file says.
    pub(crate) fn of(text: &str) -> Sources {
        let mut sources = Sources::default();
        // What the C library ends a line at, or a word, and nobody writes.
        if text.bytes().any(|byte| matches!(byte, 0 | 0x0b)) {
            return Sources { passwd: Line::Unsure, group: Line::Unsure, initgroups: Line::Unsure };
        }
        for line in lines(text) {
            // What a comment leaves.
            let line = line[..before(line.as_bytes(), b'#', b'#')].trim_ascii_start();
            let is_end = |byte: u8| byte == b':' || byte.is_ascii_whitespace();
            let (database, rest) = line.split_at(line.bytes().position(is_end).unwrap_or(line.len()));
            let entry = match database {
                "passwd" => &mut sources.passwd,
                "group" => &mut sources.group,
                "initgroups" => &mut sources.initgroups,
                _ => continue,
            };
            // Several lines, of which the C library has not always taken the same; actions; or no colon, or several, which it takes
            // for one.
            let plain = |words: &str| !words.bytes().any(|byte| matches!(byte, b'[' | b':'));
            *entry = match rest.trim_ascii_start().strip_prefix(':') {
                Some(words) if matches!(entry, Line::Absent) && plain(words) => {
                    Line::Sources(words.split_ascii_whitespace().map(str::to_owned).collect())
                }
                _ => Line::Unsure,
            };
        }
        sources
    }

    /// Whether no other source than `files` can add a membership to a group list. `systemd` can only where
    /// somebody provides user records, nss-systemd(8).
    pub(crate) fn memberships_in_files(&self) -> bool {
        let line = if matches!(self.initgroups, Line::Absent) { &self.group } else { &self.initgroups };
        match line {
            Line::Absent => true,
            Line::Sources(sources) => {
                sources.first().is_some_and(|source| source == "files")
                    && sources.iter().all(|source| match source.as_str() {
                        "files" => true,
                        "systemd" => !memberships_provided(),
                        _ => false,
                    })
            }
            Line::Unsure => false,
        }
    }
}

/// The line of nsswitch.conf(5) for one of these databases, the first that has one, for a message.
pub(crate) fn asked(databases: [&str; 2]) -> Option<String> {
    let text = read::text(c"/etc/nsswitch.conf").ok()?;
    let of = |database: &str| {
        let is_of = |line: &&str| line.strip_prefix(database).is_some_and(|rest| rest.starts_with(':'));
        lines(&text).find(is_of).map(str::to_owned)
    };
    of(databases[0]).or_else(|| of(databases[1]))
}

/// Whether anything provides memberships to nss-systemd(8): sockets of services, or records dropped in. The service
/// manager's own socket is always there and has none: the users it makes for `DynamicUser=` are in no group but
/// their own, systemd-userdbd.service(8).
fn memberships_provided() -> bool {
    [
        c"/run/systemd/userdb",
        c"/etc/userdb",
        c"/run/userdb",
        c"/run/host/userdb",
        c"/usr/local/lib/userdb",
        c"/usr/lib/userdb",
    ]
    .iter()
    .filter_map(|directory| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(*directory, flags, Mode::empty()).and_then(Dir::new).ok()
    })
    .any(|entries| {
        let of_services = |name: &[u8]| !matches!(name, b"." | b".." | b"io.systemd.DynamicUser");
        entries.flatten().any(|entry| of_services(entry.file_name().to_bytes()))
    })
}
