//! Who may use the console, looked up: names of the configuration become ids.

use stepdown_conf::{Cause, Finding, Place, shown};
use stepdown_kernel::accounts;
use stepdown_security::identity::Identity;

use crate::console::authority::{Authority, Members};
use crate::console::sessions::Settings;
use crate::wanted::{Console, Who};

/// What the console goes by, under the user that the server serves as.
///
/// # Errors
/// Names that do not exist, each with its place.
pub(super) fn settings(console: Option<&Console>, own: u32) -> Result<Settings, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut members = |list: &[(Who, Place)]| {
        let mut members = Members::default();
        for (who, place) in list {
            match who {
                Who::User(Identity::Id(id)) => drop(members.users.insert(*id)),
                Who::Group(Identity::Id(id)) => drop(members.groups.insert(*id)),
                Who::User(name) => match accounts::user_id(name) {
                    Ok(Some(id)) => drop(members.users.insert(id)),
                    answer => findings.push(unknown("user", name, &answer.err(), place)),
                },
                Who::Group(name) => match accounts::group_id(name) {
                    Ok(Some(id)) => drop(members.groups.insert(id)),
                    answer => findings.push(unknown("group", name, &answer.err(), place)),
                },
            }
        }
        members
    };
    let authority = match console {
        Some(console) => Authority {
            own,
            own_rights: console.own_user,
            operators: members(&console.operators),
            observers: members(&console.observers),
        },
        None => Authority { own, ..Authority::default() },
    };
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Settings {
        authority,
        timeout: console.and_then(|console| console.timeout),
        max_sessions: console.map_or(0, |console| console.max_sessions as usize),
    })
}

fn unknown(what: &str, name: &Identity, failure: &Option<String>, place: &Place) -> Finding {
    let name = name.to_string();
    let (message, why) = match failure {
        None => (
            format!("there is no {what} `{}`", shown(&name)),
            "whoever may use the console has to be known before it opens".to_owned(),
        ),
        Some(words) => (format!("the {what} `{}` could not be looked up", shown(&name)), words.clone()),
    };
    Finding::error("unknown-peer", Cause::Host, message)
        .because(why)
        .hint(format!(
            "see `getent {} {}`",
            if what == "user" { "passwd" } else { "group" },
            stepdown_conf::shell_word(&name)
        ))
        .at(place.clone())
}
