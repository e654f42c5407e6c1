//! Reads `/etc/nsswitch.conf`, `/etc/passwd` and `/etc/group` as the name service's own source `files` does,
//! nsswitch.conf(5), passwd(5), group(5).
//!
//! This answers only where the answer is certainly the one the name service would give: the source `files` stands first
//! and has the entry, or stands alone. Everything else (other sources, actions in brackets, a caching daemon) is
//! [`None`] here, and asked of getent(1) by [`crate::accounts`]. The reason is time: asking costs more than the whole
//! rest of a transition. Not for: shadow passwords, or changing anything.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::io;

use rustix::fs::{Access, access};

use crate::files;

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
    /// `nsswitch.conf`; `None` where its sources can't be relied on: unreadable, or a caching daemon (nscd(8)) in between.
    sources: Option<String>,
    passwd: OnceCell<Option<String>>,
    group: OnceCell<Option<String>>,
}

impl Etc {
    pub(crate) fn read() -> Etc {
        // The C library's own test for the daemon.
        let cached = access(c"/var/run/nscd/socket", Access::EXISTS).is_ok();
        let sources = match files::text(c"/etc/nsswitch.conf") {
            _ if cached => None,
            Ok(text) => Some(text),
            // nsswitch.conf(5): without the file, or without a line, it is `files` for both databases.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(String::new()),
            Err(_) => None,
        };
        Etc { sources, passwd: OnceCell::new(), group: OnceCell::new() }
    }

    /// Files that are certain of nothing, so that the name service itself is asked.
    #[cfg(test)]
    pub(crate) fn unsure() -> Etc {
        Etc { sources: None, passwd: OnceCell::new(), group: OnceCell::new() }
    }

    /// The account of that name, if the files are certain to say; the inner `None` is that there certainly is none.
    pub(crate) fn passwd_by_name(&self, name: &str) -> Option<Option<Passwd>> {
        self.certain("passwd", self.passwd(), |text| passwd(text, |entry| entry.name == name))
    }

    /// The account of that id, likewise.
    pub(crate) fn passwd_by_id(&self, uid: u32) -> Option<Option<Passwd>> {
        self.certain("passwd", self.passwd(), |text| passwd(text, |entry| entry.uid == uid))
    }

    /// The id of the group of that name, likewise.
    pub(crate) fn group_by_name(&self, name: &str) -> Option<Option<u32>> {
        self.certain("group", self.group(), |text| {
            entries(text).find(|entry| entry.0 == name).map(|entry| entry.1)
        })
    }

    /// The name of the group of that id, likewise.
    pub(crate) fn group_by_id(&self, gid: u32) -> Option<Option<String>> {
        let name = |entry: (&str, u32, &str)| entry.0.to_owned();
        self.certain("group", self.group(), |text| entries(text).find(|entry| entry.1 == gid).map(name))
    }

    /// `group`, and the groups that list the user, if no other source than `files` can have any.
    pub(crate) fn group_list(&self, user: &str, group: u32) -> Option<Vec<u32>> {
        if !self.memberships_in_files() {
            return None;
        }
        let mut list = vec![group];
        let member = |entry: &(&str, u32, &str)| entry.2.split(',').any(|member| member == user);
        list.extend(entries(self.group()?).filter(member).map(|entry| entry.1));
        Some(list)
    }

    /// The names of all users that the file has: what was meant by one that does not exist may be among them.
    pub(crate) fn user_names(&self) -> Vec<String> {
        names(self.passwd())
    }

    /// The names of all groups, likewise.
    pub(crate) fn group_names(&self) -> Vec<String> {
        names(self.group())
    }

    /// An answer of the source `files`, where that is the answer of the name service: it is asked first and has
    /// one, or it is asked alone; and every line of its file is one that nobody reads in another way.
    fn certain<T>(
        &self,
        database: &str,
        text: Option<&str>,
        look: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Option<T>> {
        let sources = self.of(&[database])?;
        if sources.first() != Some(&"files") {
            return None;
        }
        match look(text?) {
            Some(found) => Some(Some(found)),
            None if sources.len() == 1 => Some(None),
            None => None,
        }
    }

    /// Whether no other source than `files` can add a membership to a group list. `systemd` can only where
    /// somebody provides user records, nss-systemd(8).
    fn memberships_in_files(&self) -> bool {
        self.of(&["initgroups", "group"]).is_some_and(|sources| {
            sources.first() == Some(&"files")
                && sources.iter().all(|source| match *source {
                    "files" => true,
                    "systemd" => !memberships_provided(),
                    _ => false,
                })
        })
    }

    /// The sources of the first of `databases` that has a line; `None` where more than their order counts.
    fn of(&self, databases: &[&str]) -> Option<Vec<&str>> {
        let text = self.sources.as_deref()?;
        let of = |database: &&str| {
            let lines = text.lines().filter_map(|line| {
                let line = line.split('#').next().unwrap_or_default();
                line.trim_start().strip_prefix(*database)?.trim_start().strip_prefix(':')
            });
            lines.collect::<Vec<&str>>()
        };
        let lines = databases.iter().map(of).find(|lines| !lines.is_empty()).unwrap_or_default();
        let line = match lines[..] {
            [] => return Some(vec!["files"]),
            [line] if !line.contains('[') => line,
            // Actions; or several lines, of which the C library has not always taken the same.
            _ => return None,
        };
        Some(line.split_ascii_whitespace().collect())
    }

    fn passwd(&self) -> Option<&str> {
        self.passwd.get_or_init(|| contents(c"/etc/passwd").filter(|text| plain(text, 7, &[2, 3]))).as_deref()
    }

    fn group(&self) -> Option<&str> {
        self.group.get_or_init(|| contents(c"/etc/group").filter(|text| plain(text, 4, &[2]))).as_deref()
    }
}

/// A file that is not there, as in an image without accounts, has no entries; of one that can't be read nothing is known.
fn contents(path: &CStr) -> Option<String> {
    match files::text(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(String::new()),
        text => text.ok(),
    }
}

fn names(text: Option<&str>) -> Vec<String> {
    text.into_iter().flat_map(lines).filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
}

/// Whether every line is an entry that all readers read alike: so many fields, a name, plain numbers in the fields of `ids`,
/// no white space around either. Readers differ in what they make of others (the C library takes some that are cut short,
/// and blanks and signs before a number), and then the C library has to be asked.
fn plain(text: &str, fields: usize, ids: &[usize]) -> bool {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).all(|line| {
        let list: Vec<&str> = line.split(':').collect();
        let name = list[0];
        list.len() == fields
            && !name.is_empty()
            && !name.starts_with(['+', '-'])
            && !name.contains(char::is_whitespace)
            && !line.ends_with(char::is_whitespace)
            && ids.iter().all(|&index| id(list[index]).is_some())
    })
}

/// The first entry of a text in the form of passwd(5) that is wanted.
pub(crate) fn passwd(text: &str, wanted: impl Fn(&Passwd) -> bool) -> Option<Passwd> {
    lines(text)
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            fields.next()?;
            let uid = id(fields.next()?)?;
            let gid = id(fields.next()?)?;
            fields.next()?;
            let home = fields.next()?;
            Some(Passwd { name: name.into(), uid, gid, home: home.into() })
        })
        .find(wanted)
}

/// The id of the first entry of a text in the form of group(5).
pub(crate) fn group_id(text: &str) -> Option<u32> {
    entries(text).next().map(|entry| entry.1)
}

/// Name, id and member list of each entry of group(5).
fn entries(text: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        fields.next()?;
        Some((name, id(fields.next()?)?, fields.next().unwrap_or_default()))
    })
}

/// The lines that the source `files` takes for entries: no comments, and nothing for nss_compat (`+` and `-`).
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with(['#', '+', '-']))
}

/// Decimal digits alone; 4294967295 is no id.
fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&id: &u32| digits && id != u32::MAX)
}

/// Whether anything provides memberships to nss-systemd(8): sockets of services, or records dropped in. The service
/// manager's own socket is always there and has none: the users it makes for `DynamicUser=` are in no group but
/// their own, systemd-userdbd.service(8).
fn memberships_provided() -> bool {
    [
        "/run/systemd/userdb",
        "/etc/userdb",
        "/run/userdb",
        "/run/host/userdb",
        "/usr/local/lib/userdb",
        "/usr/lib/userdb",
    ]
    .iter()
    .filter_map(|directory| std::fs::read_dir(directory).ok())
    .any(|entries| entries.flatten().any(|entry| entry.file_name() != "io.systemd.DynamicUser"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_the_manual_has_them() {
        let read =
            |text: &str| Etc { sources: Some(text.into()), passwd: OnceCell::new(), group: OnceCell::new() };
        let hit = |text: &str| read(text).certain("passwd", Some(""), |_| Some(()));
        let miss = |text: &str| read(text).certain("passwd", Some(""), |_| None::<()>);
        assert_eq!(
            read("passwd: files").certain("passwd", None, |_| Some(())),
            None,
            "a file that is not plain"
        );
        assert_eq!(hit("passwd: files\npasswd: sss\n"), None, "two lines");
        assert_eq!(hit("passwd: files systemd # comment\n"), Some(Some(())));
        assert_eq!(miss("passwd: files systemd # comment\n"), None);
        assert_eq!(miss("passwd: files\n"), Some(None));
        assert_eq!(miss("#passwd: sss\n"), Some(None), "the default is files");
        assert_eq!(hit("passwd: sss files\n"), None);
        assert_eq!(hit("passwd: files [NOTFOUND=return] sss\n"), None);
        assert!(read("group: files").memberships_in_files());
        assert!(!read("group: files sss").memberships_in_files());
        assert!(!read("group: files\ninitgroups: sss").memberships_in_files());
    }

    #[test]
    fn entries_with_anything_wrong_are_no_entries() {
        let text = "+::::::\n# c:x:1:1::/:\nshort:x:1\nneg:x:-1:1::/:/\nmax:x:4294967295:1::/:/\nhex:x:0x1:1::/:/\nok:x:7:8:g:/home/ok:/bin/sh\n";
        for name in ["+", "c", "short", "neg", "max", "hex"] {
            assert_eq!(passwd(text, |entry| entry.name == name), None);
        }
        let ok = passwd(text, |entry| entry.name == "ok").unwrap();
        assert_eq!((ok.uid, ok.gid, ok.home.as_str()), (7, 8, "/home/ok"));
    }

    #[test]
    fn a_line_that_readers_read_differently_makes_the_file_uncertain() {
        let sound = "# users\nroot:x:0:0:root:/root:/bin/bash\n\nsvc:x:4300:4300::/:/bin/sh\n";
        assert!(plain(sound, 7, &[2, 3]));
        for odd in [
            "svc:x:4300:4300",
            "svc:x: 4301:4301::/:/bin/sh",
            "svc:x:+1:1::/:/bin/sh",
            " svc:x:1:1::/:/bin/sh",
            "+::::::",
            "svc:x:4294967295:1::/:/bin/sh",
            "svc:x:1:1::/:/bin/sh:more",
            "s vc:x:1:1::/:/bin/sh",
        ] {
            assert!(!plain(&format!("{sound}{odd}\n"), 7, &[2, 3]), "{odd}");
        }
        assert!(plain("a:x:1:\nb:x:2:root,svc\n", 4, &[2]));
        assert!(
            !plain("b:x: 11:svc\n", 4, &[2])
                && !plain("f:x:15:svc:junk\n", 4, &[2])
                && !plain("d:x:13:svc \n", 4, &[2])
        );
    }

    #[test]
    fn members_are_whole_names() {
        let list: Vec<_> = entries("a:x:1:ecuser,other\nb:x:2:ecuser2\nc:x:3:\nd:x:4\n")
            .filter(|entry| entry.2.split(',').any(|member| member == "ecuser"))
            .map(|entry| entry.1)
            .collect();
        assert_eq!(list, [1]);
    }
}
