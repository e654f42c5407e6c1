//! What a program can do that another unprivileged one can't, and what it can no longer do, in plain words.

use stepdown::prepare::Ready;
use stepdown::security::capability::{CapSet, Capability};
use stepdown::security::credentials::Credentials;

/// Both lists.
pub(crate) struct Ability {
    pub(crate) can: Vec<String>,
    pub(crate) cannot: Vec<String>,
}

/// What the plan leads to; after execve(2), where the program is known.
pub(crate) fn of(ready: &Ready) -> Ability {
    let start = &ready.plan.start;
    let end = ready.plan.after_execve.as_ref().unwrap_or(&ready.plan.end);
    Ability { can: can(ready, end), cannot: cannot(ready, start, end) }
}

fn can(ready: &Ready, end: &Credentials) -> Vec<String> {
    let mut list = Vec::new();
    if ready.policy.stays_root() {
        list.push("everything that root can within its bounding set: it stays root".to_owned());
        return list;
    }
    for capability in end.permitted.union(end.effective).iter() {
        list.push(sentence(capability));
        if let Some(info) = capability.info().filter(|info| info.root_equivalent) {
            list.push(format!("with {capability} become root by a detour: {}", info.why));
        }
    }
    for capability in end.inheritable.difference(end.permitted).iter() {
        list.push(format!(
            "use {capability} in programs whose file has it inheritable, if no_new_privs is off"
        ));
    }
    if end.uid.effective == 0 {
        list.push("read and change every file that belongs to root, as its owner".to_owned());
    }
    if !end.no_new_privs {
        list.push(match end.bounding.is_empty() {
            true => "become another user by executing a set-user-id program".to_owned(),
            false => format!(
                "gain privilege by executing set-user-id programs and files with capabilities, up to {}",
                few(end.bounding)
            ),
        });
    }
    list
}

fn cannot(ready: &Ready, start: &Credentials, end: &Credentials) -> Vec<String> {
    let mut list = Vec::new();
    // Who holds a capability that is root by a detour can get all of it back.
    let for_good = !end.permitted.iter().any(|held| held.info().is_some_and(|info| info.root_equivalent));
    if for_good && start.uid != end.uid && end.uid.effective != 0 {
        list.push(format!("be user {}, or open what only that user may", start.uid.effective));
    }
    let lost = start.permitted.difference(end.permitted);
    // Those that matter are said in full: each of them alone is root again.
    let (grave, rest): (Vec<Capability>, Vec<Capability>) =
        lost.iter().partition(|capability| capability.info().is_none_or(|info| info.root_equivalent));
    list.extend(grave.into_iter().map(sentence));
    if !rest.is_empty() {
        let names: Vec<String> = rest.iter().map(Capability::to_string).collect();
        list.push(format!("do what {} allow", names.join(", ")));
    }
    if end.no_new_privs {
        list.push(
            "gain anything by executing a set-user-id program or a file with capabilities (no_new_privs)"
                .to_owned(),
        );
    }
    if let Some(chroot) = &ready.policy.chroot {
        list.push(format!("name any file outside of {}", stepdown::report::clean(&chroot.value)));
    }
    if for_good && end.no_new_privs {
        list.push("get any of this back: nothing that it executes can hold more than its bounding set, and no_new_privs, ids and sets are for good".to_owned());
    }
    list
}

/// `cap_net_bind_service: bind …`.
fn sentence(capability: Capability) -> String {
    match capability.info() {
        Some(info) => format!("{capability}: {}", info.allows),
        None => format!("what capability {capability} allows"),
    }
}

fn few(set: CapSet) -> String {
    if set.len() > 4 { format!("{} capabilities", set.len()) } else { set.to_string() }
}
