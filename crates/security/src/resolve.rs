//! From a [`Request`] and what the name service answered to a [`Policy`].
//!
//! The questions are data ([`Questions`]) and so are the [`Answers`]; crate `kernel` asks the system's name
//! service, once, before anything changes. Sources: getpwnam(3), getgrnam(3), getgrouplist(3), initgroups(3).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding, Place, nearest, shell_word};

use crate::credentials::sorted;
use crate::identity::Identity;
use crate::options::SCOPE;
use crate::policy::{Group, Origin, Policy, Sourced, User};
use crate::request::Request;

/// What has to be asked of the name service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questions {
    /// The user.
    pub user: Identity,
    /// The primary group, unless it is the user's own.
    pub group: Option<Identity>,
    /// The supplementary groups; `None` asks for the user's memberships.
    pub supplemental_groups: Option<Vec<Identity>>,
}

/// What the name service answered. An `Err` is that it failed, in words: then nothing is known.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The user's account; `Ok(None)` where there is none.
    pub user: Result<Option<Account>, String>,
    /// The group of [`Questions::group`], if that was asked.
    pub group: Option<Result<Option<Group>, String>>,
    /// The groups of [`Questions::supplemental_groups`], in that order.
    pub supplemental_groups: Vec<Result<Option<Group>, String>>,
    /// The memberships of the user, if they were asked for and the user has an account.
    pub memberships: Option<Result<Vec<u32>, String>>,
    /// Where a user was asked for by a name that does not exist: names that do, to tell which was meant.
    pub user_names: Vec<String>,
    /// The same of groups.
    pub group_names: Vec<String>,
}

/// An account of passwd(5), from whichever source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub id: u32,
    /// The primary group.
    pub group: u32,
    /// The login name.
    pub name: String,
    /// The home directory.
    pub home: String,
}

impl Request {
    /// What [`Request::resolve`] needs to know.
    #[must_use]
    pub fn questions(&self) -> Questions {
        Questions {
            user: self.user.value.clone(),
            group: self.group.as_ref().map(|group| group.value.clone()),
            supplemental_groups: self
                .supplemental_groups
                .as_ref()
                .map(|groups| groups.value.iter().map(|(identity, _)| identity.clone()).collect()),
        }
    }

    /// The policy, every name replaced by its id.
    ///
    /// # Errors
    /// A finding for each name that does not exist or could not be looked up. An id needs no account, except
    /// where the primary group would have to come from it.
    pub fn resolve(&self, answers: &Answers) -> Result<Policy, Vec<Finding>> {
        let mut findings = Vec::new();
        let user = resolve_user(self, answers, &mut findings);
        let group = resolve_group(self, answers, &mut findings);
        let groups = resolve_groups(self, answers, group.as_ref(), &mut findings);
        match (user, group, groups) {
            (Some(user), Some(group), Some(groups)) if findings.is_empty() => Ok(Policy {
                user,
                group,
                groups,
                capabilities: self.capabilities.clone(),
                chroot: self.chroot.clone(),
                no_new_privs: self.no_new_privs.clone(),
                bounding_set: self.bounding_set.clone(),
            }),
            _ => Err(findings),
        }
    }
}

fn resolve_user(request: &Request, answers: &Answers, findings: &mut Vec<Finding>) -> Option<Sourced<User>> {
    let identity = &request.user.value;
    let user = match (&answers.user, identity) {
        (Err(reason), _) => {
            findings.push(failed("user", identity, reason, request.user.origin.place()));
            return None;
        }
        (Ok(Some(account)), _) => {
            User { id: account.id, name: Some(account.name.clone()), home: Some(account.home.clone()) }
        }
        (Ok(None), Identity::Id(id)) => User { id: *id, name: None, home: None },
        (Ok(None), Identity::Name(name)) => {
            findings.push(missing("user", name, &request.user.origin, &answers.user_names));
            return None;
        }
    };
    Some(request.user.map(|_| user))
}

fn resolve_group(
    request: &Request,
    answers: &Answers,
    findings: &mut Vec<Finding>,
) -> Option<Sourced<Group>> {
    let Some(asked) = &request.group else {
        return match (&answers.user, &request.user.value) {
            (Ok(Some(account)), _) => Some(Sourced::default_of(
                Group { id: account.group, name: None },
                "the primary group of User",
            )),
            (Ok(None), Identity::Id(id)) => {
                let finding = Finding::error(
                    "no-primary-group",
                    Cause::Host,
                    format!("no group is written, and user {id} has no account to take one from"),
                );
                let finding = finding
                    .because("the process would keep the group it was started with, root's")
                    .hint("write Group = NAME or Group = ID");
                findings.push(finding.at_if(request.user.origin.place()));
                None
            }
            // Said about the user already.
            _ => None,
        };
    };
    let group = match (answers.group.as_ref(), &asked.value) {
        (Some(Err(reason)), identity) => {
            findings.push(failed("group", identity, reason, asked.origin.place()));
            return None;
        }
        (Some(Ok(Some(group))), _) => group.clone(),
        (_, Identity::Id(id)) => Group { id: *id, name: None },
        (_, Identity::Name(name)) => {
            findings.push(missing("group", name, &asked.origin, &answers.group_names));
            return None;
        }
    };
    Some(asked.map(|_| group))
}

fn resolve_groups(
    request: &Request,
    answers: &Answers,
    primary: Option<&Sourced<Group>>,
    findings: &mut Vec<Finding>,
) -> Option<Sourced<Vec<u32>>> {
    let mut list = Vec::new();
    let origin = match &request.supplemental_groups {
        Some(asked) => {
            for ((identity, place), answer) in asked.value.iter().zip(&answers.supplemental_groups) {
                match (answer, identity) {
                    (Err(reason), _) => findings.push(failed("group", identity, reason, Some(place))),
                    (Ok(Some(group)), _) => list.push(group.id),
                    (Ok(None), Identity::Id(id)) => list.push(*id),
                    (Ok(None), Identity::Name(name)) => {
                        let origin = Origin::Written { place: place.clone(), shadowed: Vec::new() };
                        findings.push(missing("group", name, &origin, &answers.group_names));
                    }
                }
            }
            asked.origin.clone()
        }
        None => {
            match &answers.memberships {
                Some(Ok(groups)) => list.extend_from_slice(groups),
                Some(Err(reason)) => {
                    let identity = &request.user.value;
                    findings.push(failed(
                        "the groups of user",
                        identity,
                        reason,
                        request.user.origin.place(),
                    ));
                }
                None => {}
            }
            Origin::Default("the groups that the system lists User in")
        }
    };
    // Without the primary group in the list, a file mode like 0604 could be got round: CVE-2022-36109.
    list.push(primary?.value.id);
    let mut list = sorted(list);
    list.dedup();
    Some(Sourced { value: list, origin })
}

fn missing(kind: &str, name: &str, origin: &Origin, names: &[String]) -> Finding {
    let finding =
        Finding::error("no-such-account", Cause::Host, format!("there is no {kind} `{name}` on this system"));
    let (finding, create) = match origin {
        Origin::Written { place, .. } => {
            (finding.at(place.clone()).because("the system's name service does not know the name"), "")
        }
        Origin::Default(rule) => (
            finding.because(format!(
                "the name comes from {rule}: {SCOPE} names no other, and the program never stays root because something was left out"
            )),
            ", or name another in the Security scope",
        ),
    };
    let command = if kind == "user" {
        format!("useradd --system --user-group {}", shell_word(name))
    } else {
        format!("groupadd --system {}", shell_word(name))
    };
    let meant = match (origin, nearest(name, names.iter().map(String::as_str))) {
        (Origin::Written { .. }, Some(near)) => format!("did you mean {near}? Otherwise "),
        _ => String::new(),
    };
    finding.hint(format!(
        "{meant}create it (`{command}`){create}; `getent {} {name}` shows what the system knows",
        database(kind)
    ))
}

fn failed(kind: &str, identity: &Identity, reason: &str, place: Option<&Place>) -> Finding {
    let finding = Finding::error(
        "name-service",
        Cause::Host,
        format!("{kind} `{}` could not be looked up: {reason}", identity),
    );
    finding
        .because("without an answer it is not known which ids are meant, and nothing is guessed")
        .hint("see the passwd and group lines of /etc/nsswitch.conf")
        .at_if(place)
}

fn database(kind: &str) -> &'static str {
    if kind == "user" { "passwd" } else { "group" }
}
