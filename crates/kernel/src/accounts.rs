//! Asks the system's name service about users and groups, nsswitch.conf(5).
//!
//! Where the source `files` certainly has the answer it is read from `/etc/passwd` and `/etc/group` (module `etc`);
//! everything else is asked of getent(1), in a process of its own (module `getent`), so that no source of the name
//! service is ever loaded into a program that is about to give up root. All of it happens before the root directory
//! changes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use stepdown_security::identity::Identity;
use stepdown_security::policy::Group;
use stepdown_security::resolve::{Account, Answers, Questions};

use crate::etc::{self, Etc, Passwd};
use crate::getent;
use crate::nsswitch;

/// Answers all questions. A failure of the name service is an answer too, in words.
#[must_use]
pub fn answer(questions: &Questions) -> Answers {
    let etc = Etc::read();
    let user = account(&etc, &questions.user);
    let group = questions.group.as_ref().map(|group| self::group(&etc, group));
    let supplemental_groups: Vec<_> =
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
    let user_names = match (&user, &questions.user) {
        (Ok(None), Identity::Name(_)) => etc.user_names(),
        _ => Vec::new(),
    };
    let group_is_missing = group.iter().chain(&supplemental_groups).any(|group| matches!(group, Ok(None)));
    let group_names = if group_is_missing { etc.group_names() } else { Vec::new() };
    Answers { user, group, supplemental_groups, memberships, user_names, group_names }
}

/// The id of a user; `None` where there is none.
///
/// # Errors
/// Why the name service could not say, in words.
#[cfg(feature = "std")]
pub fn user_id(identity: &Identity) -> Result<Option<u32>, String> {
    Ok(account(&Etc::read(), identity)?.map(|account| account.id))
}

/// The id of a group; `None` where there is none.
///
/// # Errors
/// As for [`user_id`].
#[cfg(feature = "std")]
pub fn group_id(identity: &Identity) -> Result<Option<u32>, String> {
    Ok(group(&Etc::read(), identity)?.map(|group| group.id))
}

/// The name of the account with this id, if there is one and the name service answers.
#[cfg(feature = "std")]
#[must_use]
pub fn name_of(uid: u32) -> Option<String> {
    account(&Etc::read(), &Identity::Id(uid)).ok().flatten().map(|account| account.name)
}

/// The name of the group with this id, likewise.
#[cfg(feature = "std")]
#[must_use]
pub fn name_of_group(gid: u32) -> Option<String> {
    match Etc::read().group_by_id(gid) {
        Some(answer) => answer,
        None => getent::ask("group", &gid.to_string()).ok()??.split(':').next().map(str::to_owned),
    }
}

fn account(etc: &Etc, identity: &Identity) -> Result<Option<Account>, String> {
    let (known, key) = match identity {
        Identity::Name(name) => (etc.passwd_by_name(name), name.clone()),
        Identity::Id(id) => (etc.passwd_by_id(*id), id.to_string()),
    };
    let found = match known {
        Some(answer) => answer,
        None => ask(etc, "passwd", &key)?.map(|line| entry(&line)).transpose()?,
    };
    let Some(found) = found else { return Ok(None) };
    checked(identity, &found)?;
    let Passwd { name, uid, gid, home } = found;
    Ok(Some(Account { id: uid, group: gid, name, home }))
}

fn group(etc: &Etc, identity: &Identity) -> Result<Option<Group>, String> {
    let name = match identity {
        // An id needs no entry, and its name is not needed for anything.
        Identity::Id(id) => return Ok(Some(Group { id: *id, name: None })),
        Identity::Name(name) => name,
    };
    let found = match etc.group_by_name(name) {
        Some(answer) => answer,
        None => match ask(etc, "group", name)? {
            Some(line) => {
                let id = etc::group_of(&line).ok_or_else(|| unclear("group", &line))?;
                // As with users, see `checked`.
                if id == 0 && line.split(':').next() != Some(name) {
                    return Err(unclear("group", &line));
                }
                Some(id)
            }
            None => None,
        },
    };
    Ok(found.map(|id| Group { id, name: Some(name.clone()) }))
}

fn memberships(etc: &Etc, user: &str, primary: u32) -> Result<Vec<u32>, String> {
    if let Some(list) = etc.group_list(user, primary) {
        return Ok(list);
    }
    let Some(line) = ask(etc, "initgroups", user)? else { return Ok(vec![primary]) };
    // The user's name, then the ids.
    let ids = line
        .split_ascii_whitespace()
        .skip(1)
        .map(|word| etc::id_of(word.as_bytes()).ok_or_else(|| unclear("initgroups", &line)));
    let mut list = ids.collect::<Result<Vec<u32>, String>>()?;
    list.push(primary);
    Ok(list)
}

/// Asks the name service, and says which of its sources were asked where there is no answer. One that has been silent for
/// the whole time once is not asked again.
fn ask(etc: &Etc, database: &str, key: &str) -> Result<Option<String>, String> {
    if etc.silent.get() {
        return Err("the name service was not asked: it has not answered before".to_owned());
    }
    let answer = getent::ask(database, key);
    etc.silent.set(matches!(answer, Err(getent::Failed::Late(_))));
    answer.map_err(|failed| {
        let reason = failed.reason();
        match nsswitch::asked([database, "group"]) {
            Some(line) => format!("{reason}; /etc/nsswitch.conf has `{line}`"),
            None => reason,
        }
    })
}

fn entry(line: &str) -> Result<Passwd, String> {
    etc::passwd_of(line.trim_end()).ok_or_else(|| unclear("passwd", line))
}

/// Whether an entry is about what was asked. A name service may spell a name in its own way, but an id is that id, and
/// nobody but root, or who is asked for by that very name, is user 0.
fn checked(identity: &Identity, found: &Passwd) -> Result<(), String> {
    let printable = |text: &str| !text.chars().any(char::is_control);
    if !printable(&found.name) || !printable(&found.home) {
        return Err("the entry has control characters in its name or home directory".to_owned());
    }
    match identity {
        Identity::Id(id) if found.uid != *id => {
            Err(format!("asked for user {id}, it answered with user {}", found.uid))
        }
        Identity::Name(name) if found.uid == 0 && found.name != *name => {
            Err(format!("asked for {name}, it answered with {}, who is user 0", found.name))
        }
        _ => Ok(()),
    }
}

fn unclear(database: &str, line: &str) -> String {
    format!("getent {database} answered something else than an entry: {}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_names_of_this_machine() {
        assert_eq!((name_of(0), name_of_group(0)), (Some("root".into()), Some("root".into())));
        assert_eq!(name_of_group(4_000_000_001), None);
    }

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
        // getent and the reader of files have to agree on the accounts of this machine.
        let etc = Etc::read();
        let text = std::fs::read_to_string("/etc/passwd").unwrap();
        for name in
            text.lines().filter_map(|line| line.split(':').next()).filter(|name| !name.is_empty()).take(8)
        {
            let Some(Some(known)) = etc.passwd_by_name(name) else { continue };
            let asked = entry(&getent::ask("passwd", name).unwrap().unwrap()).unwrap();
            assert_eq!(known, asked);
            let Some(mut files) = etc.group_list(name, known.gid) else { continue };
            let unsure = Etc::unsure();
            let mut asked = memberships(&unsure, name, known.gid).unwrap();
            for list in [&mut files, &mut asked] {
                list.sort_unstable();
                list.dedup();
            }
            assert_eq!(files, asked, "{name}");
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
