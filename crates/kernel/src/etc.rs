//! Reads `/etc/passwd` and `/etc/group` as the name service's own source `files` does,
//! passwd(5), group(5), where nsswitch.conf(5) says that it is asked.
//!
//! This answers only where the answer is certainly the one the name service would give: the source `files` stands first
//! and has the entry, or stands alone. Everything else (other sources, actions in brackets, a caching daemon) is
//! [`None`] here, and asked of getent(1) by [`crate::accounts`]. The reason is time: asking costs more than the whole
//! rest of a transition. For the same reason each file is gone through once, byte by byte. Not for: shadow passwords, or
//! changing anything.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell};
use core::ffi::CStr;
use core::ops::Range;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::nsswitch::{Line, Sources};
use crate::read;
use crate::scan::before;

/// An entry of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passwd {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
}

/// What of `/etc` answers questions about names, read once.
pub(crate) struct Etc {
    sources: Option<Sources>,
    passwd: OnceCell<Option<Table<7>>>,
    group: OnceCell<Option<Table<4>>>,
    /// Whether the name service was asked and did not answer in time.
    pub(crate) silent: Cell<bool>,
}

/// A file of entries, and where the fields of each are in it.
struct Table<const FIELDS: usize> {
    text: String,
    entries: Vec<[u32; FIELDS]>,
}

impl Etc {
    pub(crate) fn read() -> Etc {
        // The C library's own test for the daemon.
        let cached = access(c"/var/run/nscd/socket", Access::EXISTS).is_ok();
        let sources = match read::text(c"/etc/nsswitch.conf") {
            _ if cached => None,
            Ok(text) => Some(Sources::of(&text)),
            Err(Errno::NOENT) => Some(Sources::default()),
            Err(_) => None,
        };
        Etc { sources, passwd: OnceCell::new(), group: OnceCell::new(), silent: Cell::new(false) }
    }

    /// Files that are certain of nothing, so that the name service itself is asked.
    #[cfg(test)]
    pub(crate) fn unsure() -> Etc {
        Etc { sources: None, passwd: OnceCell::new(), group: OnceCell::new(), silent: Cell::new(false) }
    }

    /// The account of that name, if the files are certain to say; the inner `None` is that there certainly is none.
    pub(crate) fn passwd_by_name(&self, name: &str) -> Option<Option<Passwd>> {
        certain(&self.sources.as_ref()?.passwd, self.passwd(), |table| {
            table.passwd(|entry| table.field(entry, NAME) == name)
        })
    }

    /// The account of that id, likewise.
    pub(crate) fn passwd_by_id(&self, uid: u32) -> Option<Option<Passwd>> {
        certain(&self.sources.as_ref()?.passwd, self.passwd(), |table| {
            table.passwd(|entry| table.id(entry, ID) == uid)
        })
    }

    /// The id of the group of that name, likewise.
    pub(crate) fn group_by_name(&self, name: &str) -> Option<Option<u32>> {
        certain(&self.sources.as_ref()?.group, self.group(), |table| {
            table.find(|entry| table.field(entry, NAME) == name).map(|entry| table.id(entry, ID))
        })
    }

    /// The name of the group of that id, likewise.
    #[cfg(feature = "std")]
    pub(crate) fn group_by_id(&self, gid: u32) -> Option<Option<String>> {
        certain(&self.sources.as_ref()?.group, self.group(), |table| {
            table.find(|entry| table.id(entry, ID) == gid).map(|entry| table.field(entry, NAME).to_owned())
        })
    }

    /// `group`, and the groups that list the user, if no other source than `files` can have any.
    pub(crate) fn group_list(&self, user: &str, group: u32) -> Option<Vec<u32>> {
        if !self.sources.as_ref()?.memberships_in_files() {
            return None;
        }
        let table = self.group()?;
        let mut list = vec![group];
        for entry in &table.entries {
            let members = table.field(entry, MEMBERS);
            if !members.is_empty() && members.split(',').any(|member| member == user) {
                list.push(table.id(entry, ID));
            }
        }
        Some(list)
    }

    /// The names of all users that the file has: what was meant by one that does not exist may be among them.
    pub(crate) fn user_names(&self) -> Vec<String> {
        self.passwd().map_or_else(Vec::new, Table::names)
    }

    /// The names of all groups, likewise.
    pub(crate) fn group_names(&self) -> Vec<String> {
        self.group().map_or_else(Vec::new, Table::names)
    }

    fn passwd(&self) -> Option<&Table<7>> {
        self.passwd.get_or_init(|| Table::of(contents(c"/etc/passwd")?, &[ID, GROUP])).as_ref()
    }

    fn group(&self) -> Option<&Table<4>> {
        self.group.get_or_init(|| Table::of(contents(c"/etc/group")?, &[ID])).as_ref()
    }
}

/// An entry of passwd(5) in a line that another source answered, whatever its names are like.
pub(crate) fn passwd_of(line: &str) -> Option<Passwd> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = id_of(fields.nth(1)?.as_bytes())?;
    let gid = id_of(fields.next()?.as_bytes())?;
    Some(Passwd { name, uid, gid, home: fields.nth(1)?.to_owned() })
}

/// The id of an entry of group(5) in a line that another source answered.
pub(crate) fn group_of(line: &str) -> Option<u32> {
    id_of(line.split(':').nth(ID)?.as_bytes())
}

/// The fields of passwd(5) and group(5) that are read.
const NAME: usize = 0;
const ID: usize = 2;
const GROUP: usize = 3;
const HOME: usize = 5;
const MEMBERS: usize = 3;

impl<const FIELDS: usize> Table<FIELDS> {
    /// The entries of a text, if every line is one that all readers read alike: so many fields, a name, plain numbers in the
    /// fields of `ids`, no white space around either. Readers differ in what they make of others (the C library takes some that
    /// are cut short, blanks and signs before a number, blanks around a member, and stops at a NUL byte), and then the C library
    /// has to be asked.
    fn of(text: String, ids: &[usize]) -> Option<Table<FIELDS>> {
        let bytes = text.as_bytes();
        // Where a field ends fits in 32 bits.
        u32::try_from(bytes.len()).ok()?;
        if bytes.contains(&0) {
            return None;
        }
        let mut entries = Vec::with_capacity(64);
        let mut at = 0;
        while at < bytes.len() {
            if matches!(bytes[at], b'\n' | b'#') {
                at += before(&bytes[at..], b'\n', b'\n') + 1;
                continue;
            }
            let mut ends = [0; FIELDS];
            let mut field = 0;
            loop {
                let start = at;
                at += before(&bytes[start..], b':', b'\n');
                let last = bytes.get(at) != Some(&b':');
                let part = &bytes[start..at];
                let fits = match field {
                    NAME => !part.is_empty() && !matches!(part[0], b'+' | b'-') && !part.iter().any(is_space),
                    _ if ids.contains(&field) => id_of(part).is_some(),
                    MEMBERS if FIELDS == 4 => !part.iter().any(is_space),
                    _ => !last || !part.last().is_some_and(is_space),
                };
                if !fits || field == FIELDS {
                    return None;
                }
                ends[field] = at as u32;
                field += 1;
                at += 1;
                if last {
                    break;
                }
            }
            if field != FIELDS {
                return None;
            }
            entries.push(ends);
        }
        Some(Table { text, entries })
    }

    fn find(&self, wanted: impl Fn(&[u32; FIELDS]) -> bool) -> Option<&[u32; FIELDS]> {
        self.entries.iter().find(|entry| wanted(entry))
    }

    fn field(&self, entry: &[u32; FIELDS], field: usize) -> &str {
        &self.text[self.range(entry, field)]
    }

    fn id(&self, entry: &[u32; FIELDS], field: usize) -> u32 {
        // It was read before.
        id_of(self.field(entry, field).as_bytes()).unwrap_or(u32::MAX)
    }

    fn range(&self, entry: &[u32; FIELDS], field: usize) -> Range<usize> {
        let end = entry[field] as usize;
        let start = match field.checked_sub(1) {
            Some(before) => entry[before] as usize + 1,
            None => {
                self.text.as_bytes()[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
            }
        };
        start..end
    }

    fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| self.field(entry, NAME).to_owned()).collect()
    }
}

impl Table<7> {
    fn passwd(&self, wanted: impl Fn(&[u32; 7]) -> bool) -> Option<Passwd> {
        self.find(wanted).map(|entry| Passwd {
            name: self.field(entry, NAME).to_owned(),
            uid: self.id(entry, ID),
            gid: self.id(entry, GROUP),
            home: self.field(entry, HOME).to_owned(),
        })
    }
}

/// An answer of the source `files`, where that is the answer of the name service: it is asked first and has one, or it is asked
/// alone; and every line of its file is one that nobody reads in another way.
fn certain<T, const FIELDS: usize>(
    line: &Line,
    table: Option<&Table<FIELDS>>,
    look: impl FnOnce(&Table<FIELDS>) -> Option<T>,
) -> Option<Option<T>> {
    let alone = match line {
        Line::Absent => true,
        Line::Sources(sources) if sources.first().is_some_and(|source| source == "files") => {
            sources.len() == 1
        }
        Line::Sources(_) | Line::Unsure => return None,
    };
    match look(table?) {
        Some(found) => Some(Some(found)),
        None if alone => Some(None),
        None => None,
    }
}

/// A file that is not there, as in an image without accounts, has no entries; of one that can't be read nothing is known.
fn contents(path: &CStr) -> Option<String> {
    match read::text(path) {
        Err(Errno::NOENT) => Some(String::new()),
        text => text.ok(),
    }
}

/// isspace(3) of the C locale.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Decimal digits alone; 4294967295 is no id.
pub(crate) fn id_of(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut value = 0_u32;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    (value != u32::MAX).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwd(text: &str) -> Option<Table<7>> {
        Table::of(text.into(), &[ID, GROUP])
    }

    fn group(text: &str) -> Option<Table<4>> {
        Table::of(text.into(), &[ID])
    }

    #[test]
    fn sources_are_read_as_the_manual_has_them() {
        let read = Sources::of;
        let table = passwd("").unwrap();
        let hit = |text: &str| certain(&read(text).passwd, Some(&table), |_| Some(()));
        let miss = |text: &str| certain(&read(text).passwd, Some(&table), |_| None::<()>);
        assert_eq!(
            certain(&read("passwd: files").passwd, None::<&Table<7>>, |_| Some(())),
            None,
            "a file that is not plain"
        );
        assert_eq!(hit("passwd: files\npasswd: sss\n"), None, "two lines");
        assert_eq!(hit("passwd: files\npasswd: files\npasswd: files\n"), None, "three lines");
        assert_eq!(hit("passwd: files systemd # comment\n"), Some(Some(())));
        assert_eq!(miss("passwd: files systemd # comment\n"), None);
        assert_eq!(miss("passwd: files\n"), Some(None));
        assert_eq!(miss("  passwd : files\n"), Some(None), "white space");
        assert_eq!(miss("#passwd: sss\n"), Some(None), "the default is files");
        assert_eq!(hit("passwd: sss files\n"), None);
        assert_eq!(hit("passwd:\n"), None, "no source");
        assert_eq!(hit("passwd: files [NOTFOUND=return] sss\n"), None);
        // What the C library reads in its own way: no colon, or two; what is white space to it; the end of a string.
        for odd in [
            "passwd sss\n",
            "passwd sss: files\n",
            "passwd: files: sss\n",
            "\x0bpasswd: sss\n",
            "passwd: files\0\n",
        ] {
            assert_eq!((hit(odd), miss(odd)), (None, None), "{odd:?}");
        }
        assert_eq!(hit("passwd\t:\tfiles\n"), Some(Some(())));
        assert!(read("group: files").memberships_in_files());
        assert!(!read("group: files sss").memberships_in_files());
        assert!(!read("group: files\ninitgroups: sss").memberships_in_files());
        assert!(read("group: sss\ninitgroups: files").memberships_in_files());
    }

    #[test]
    fn entries_are_found_by_name_and_id() {
        let table =
            passwd("root:x:0:0:root:/root:/bin/sh\n\n# ok:x:1:1::/no:/no\nok:x:7:8:g:/home/ok:/bin/sh")
                .unwrap();
        let ok = Passwd { name: "ok".into(), uid: 7, gid: 8, home: "/home/ok".into() };
        assert_eq!(table.passwd(|entry| table.field(entry, NAME) == "ok"), Some(ok.clone()));
        assert_eq!(table.passwd(|entry| table.id(entry, ID) == 7), Some(ok));
        assert_eq!(table.names(), ["root", "ok"]);
        let other = passwd_of("EX\\a b:*:1:2:A B:/home/a b:").unwrap();
        assert_eq!((other.name.as_str(), other.gid, other.home.as_str()), ("EX\\a b", 2, "/home/a b"));
        assert_eq!(passwd_of("a:x:1:4294967295::/:"), None);
        assert_eq!(group_of("a:x:1:b,c"), Some(1));
        assert_eq!(group_of(""), None);
    }

    #[test]
    fn a_line_that_readers_read_differently_makes_the_file_uncertain() {
        let sound = "# users\nroot:x:0:0:root:/root:/bin/bash\n\nsvc:x:4300:4300::/:/bin/sh\n";
        assert!(passwd(sound).is_some());
        for odd in [
            "short:x:1",
            "svc:x:4300:4300",
            "svc:x: 4301:4301::/:/bin/sh",
            "svc:x:+1:1::/:/bin/sh",
            " svc:x:1:1::/:/bin/sh",
            "+::::::",
            "neg:x:-1:1::/:/",
            "hex:x:0x1:1::/:/",
            "max:x:4294967295:1::/:/bin/sh",
            "wraps:x:4294967296:1::/:/bin/sh",
            "none:x::1::/:/bin/sh",
            "svc:x:1:1::/:/bin/sh:more",
            "svc:x:1:1::/:/bin/sh\r",
            "s vc:x:1:1::/:/bin/sh",
            ":x:1:1::/:/bin/sh",
        ] {
            assert!(passwd(&format!("{sound}{odd}\n")).is_none(), "{odd}");
        }
        assert!(group("a:x:1:\nb:x:2:root,svc\n").is_some());
        assert!(group("b:x: 11:svc\n").is_none());
        assert!(group("f:x:15:svc:junk\n").is_none());
        assert!(group("d:x:13:svc \n").is_none());
        for odd in ["e:x:14:a, svc\n", "e:x:14:\tsvc\n", "e:x:14:a\0,svc\n", "e:x:14:svc\0\n"] {
            assert!(group(odd).is_none(), "{odd:?}");
        }
        assert!(passwd("svc:x:1:1:\0:/:/bin/sh\n").is_none());
    }

    #[test]
    fn members_are_whole_names() {
        let etc = Etc {
            silent: Cell::new(false),
            sources: Some(Sources::default()),
            passwd: OnceCell::new(),
            group: OnceCell::from(group("a:x:1:ecuser,other\nb:x:2:ecuser2\nc:x:3:\nd:x:4:x,ecuser\n")),
        };
        assert_eq!(etc.group_list("ecuser", 9), Some(vec![9, 1, 4]));
    }
}
