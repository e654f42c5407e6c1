//! Asks the system's name service about users and groups: getpwnam(3), getgrnam(3), getgrouplist(3).
//!
//! The C library answers, with whatever sources nsswitch.conf(5) names; where the source `files` certainly has the
//! answer it is read from there directly, which is several times faster (module `etc`). All of it happens before
//! the root directory changes. Never call this from a statically linked glibc program: the name service of a
//! static binary loads shared libraries, and crashes where they do not fit.

use std::ffi::{CStr, CString};
use std::io;

use stepdown_security::identity::Identity;
use stepdown_security::policy::Group;
use stepdown_security::resolve::{Account, Answers, Questions};

use crate::etc::Etc;
use crate::sys::{self, Passwd};

/// Answers all questions. A failure of the name service is an answer too, in words.
#[must_use]
pub fn answer(questions: &Questions) -> Answers {
    let etc = Etc::read();
    let user = account(&etc, &questions.user);
    let group = questions.group.as_ref().map(|group| self::group(&etc, group));
    let supplemental_groups =
        questions.supplemental_groups.iter().flatten().map(|group| self::group(&etc, group)).collect();
    let memberships = match (&questions.supplemental_groups, &user) {
        (None, Ok(Some(account))) => {
            // initgroups(3) is given the group that the process gets; without one, the account's own.
            let primary = match &group {
                Some(Ok(Some(group))) => group.id,
                _ => account.group,
            };
            Some(memberships(&etc, &account.name, primary))
        }
        _ => None,
    };
    Answers { user, group, supplemental_groups, memberships }
}

fn account(etc: &Etc, identity: &Identity) -> Result<Option<Account>, String> {
    let found = match identity {
        Identity::Name(name) => {
            let c_name = c_string(name)?;
            match etc.passwd_by_name(name) {
                Some(entry) => Some(entry),
                None => sys::passwd_by_name(&c_name).map_err(|error| failed("getpwnam_r(3)", &error))?,
            }
        }
        Identity::Id(id) => match etc.passwd_by_id(*id) {
            Some(entry) => Some(entry),
            None => sys::passwd_by_id(*id).map_err(|error| failed("getpwuid_r(3)", &error))?,
        },
    };
    Ok(found.map(|Passwd { name, uid, gid, home }| Account { id: uid, group: gid, name, home }))
}

fn group(etc: &Etc, identity: &Identity) -> Result<Option<Group>, String> {
    match identity {
        // An id needs no entry, and its name is not needed for anything.
        Identity::Id(id) => Ok(Some(Group { id: *id, name: None })),
        Identity::Name(name) => {
            let c_name = c_string(name)?;
            let found = match etc.group_by_name(name) {
                Some(id) => Some(id),
                None => sys::group_by_name(&c_name).map_err(|error| failed("getgrnam_r(3)", &error))?,
            };
            Ok(found.map(|id| Group { id, name: Some(name.clone()) }))
        }
    }
}

fn memberships(etc: &Etc, user: &str, primary: u32) -> Result<Vec<u32>, String> {
    if let Some(list) = etc.group_list(user, primary) {
        return Ok(list);
    }
    let user: &CStr = &c_string(user)?;
    sys::group_list(user, primary).map_err(|error| error.to_string())
}

fn c_string(name: &str) -> Result<CString, String> {
    CString::new(name).map_err(|_| "the name contains a NUL byte".to_owned())
}

fn failed(call: &str, error: &io::Error) -> String {
    format!("{call}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known() {
        let questions =
            Questions { user: Identity::Name("root".into()), group: None, supplemental_groups: None };
        let answers = answer(&questions);
        let account = answers.user.unwrap().unwrap();
        assert_eq!((account.id, account.group), (0, 0));
        assert!(answers.memberships.unwrap().unwrap().contains(&0));
    }

    #[test]
    fn both_ways_of_asking_give_the_same_answer() {
        // The C library and the reader of files have to agree on every account of this machine.
        let etc = Etc::read();
        let text = std::fs::read_to_string("/etc/passwd").unwrap();
        for name in text.lines().filter_map(|line| line.split(':').next()).filter(|name| !name.is_empty()) {
            let c_name = CString::new(name).unwrap();
            let Some(entry) = etc.passwd_by_name(name) else { continue };
            assert_eq!(Some(entry.clone()), sys::passwd_by_name(&c_name).unwrap());
            let sorted = |mut list: Vec<u32>| {
                list.sort_unstable();
                list.dedup();
                list
            };
            let Some(files) = etc.group_list(name, entry.gid) else { continue };
            let library = sys::group_list(&c_name, entry.gid).unwrap();
            assert_eq!(sorted(files), sorted(library), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_no_failure() {
        let questions = Questions {
            user: Identity::Name("nobody-of-that-name".into()),
            group: Some(Identity::Name("no-group-of-that-name".into())),
            supplemental_groups: Some(vec![Identity::Name("no-group-either".into()), Identity::Id(4)]),
        };
        let answers = answer(&questions);
        assert_eq!(answers.user, Ok(None));
        assert_eq!(answers.group, Some(Ok(None)));
        assert_eq!(answers.supplemental_groups[0], Ok(None));
        assert_eq!(answers.supplemental_groups[1], Ok(Some(Group { id: 4, name: None })));
        assert!(answers.memberships.is_none());
    }
}
