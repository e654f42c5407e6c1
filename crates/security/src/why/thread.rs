//! What is likely to surprise about a thread as it is.

use alloc::format;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding};

use super::case::{Case, few, has_every_id, is, runtime_names};
use crate::capability::{CapSet, Capability};
use crate::credentials::Securebits;

pub(super) fn findings(case: Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    identity(case, &mut findings);
    if case.state.uid.effective != 0 && case.state.uid.real != 0 {
        without_effect(case, &mut findings);
        lost_at_execve(case, &mut findings);
        detours(case, &mut findings);
    }
    dormant(case, &mut findings);
    network(case, &mut findings);
    findings
}

/// What is left of root in the ids.
fn identity(case: Case<'_>, findings: &mut Vec<Finding>) {
    let state = case.state;
    if state.uid.effective == 0 {
        return;
    }
    if state.uid.has(0) {
        let which = if state.uid.real == 0 { "real" } else { "saved" };
        findings.push(
            Finding::warning(
                "root-in-reserve",
                Cause::Host,
                format!("it can become user 0 again: its {which} user id is 0"),
            )
            .because(
                "setresuid(2) needs no privilege to choose among the real, the effective and the saved id",
            )
            .hint("change all three: setresuid(ID, ID, ID), or have `stepdown run` start it"),
        );
    }
    if state.gid.has(0) || state.groups.contains(&0) {
        findings.push(
            Finding::warning("root-group-left", Cause::Host, "it still is in group 0, which is root's")
                .because("a change of user leaves the groups as they are, and the files of group 0 stay open to it")
                .hint("setgroups(2) and setresgid(2) before the change of user; User and Group of a Security scope do both"),
        );
    }
}

/// Capabilities in sets that give nothing by themselves.
fn without_effect(case: Case<'_>, findings: &mut Vec<Finding>) {
    let state = case.state;
    let known = CapSet::first(case.facts.capability_count);
    let inherited = state.inheritable.difference(state.permitted);
    // A bounding set that somebody has chosen: runtimes leave 14, or fewer. One that has nearly all is nobody's wish.
    let chosen = !state.bounding.is_empty() && state.bounding.len() * 2 < known.len();
    let after = if state.no_new_privs {
        "; capabilities of the program's file would not help, since no_new_privs is set"
    } else {
        "; or let the program's file have them, setcap(8)"
    };
    let (code, set, which, why) = if !inherited.is_empty() {
        (
            "inheritable-without-effect",
            inherited,
            "inheritable",
            "execve(2) takes from it only what the program's file lists as inheritable too, and hardly any file does. This is \
             what container runtimes leave to a user other than root; it is also what is left of a capability that was raised in \
             the ambient set before the change from user 0 to another, which empties that set",
        )
    } else if chosen && state.permitted.is_empty() {
        (
            "bounding-without-effect",
            state.bounding,
            "bounding",
            "it is a limit of what execve(2) can give, not a gift. Container runtimes put there what they were told to add, \
             and a user other than root gets nothing of it",
        )
    } else {
        return;
    };
    let example = if set.len() > 4 { CapSet::EMPTY } else { set };
    let runtime = match runtime_names(example) {
        names if names.is_empty() => "--cap-add".into(),
        names => names,
    };
    findings.push(
        Finding::warning(
            code,
            Cause::Host,
            format!("{} {} in the {which} set only, where that has no effect", few(set), is(set)),
        )
        .because(format!("{why}, capabilities(7)"))
        .hint(format!(
            "have it raised in the ambient set: `ambient` in an OCI config.json, AmbientCapabilities= in a unit, podman's {runtime}; \
             or start as root and let `stepdown run` change the user{after}"
        )),
    );
}

/// What the thread holds now and the next ordinary program would not.
fn lost_at_execve(case: Case<'_>, findings: &mut Vec<Finding>) {
    let state = case.state;
    let lost = state.permitted.difference(state.ambient);
    if lost.is_empty() {
        return;
    }
    let (why, hint) = if state.securebits.has(Securebits::NO_CAP_AMBIENT_RAISE) {
        (
            "only the ambient set passes execve(2) of an ordinary program, and the securebit no-cap-ambient-raise lets nothing be raised in it",
            "start it without that securebit (SecureBits= in a unit, --securebits of setpriv), or give the capabilities to the program's file, setcap(8)",
        )
    } else if lost.intersection(state.inheritable).is_empty() {
        (
            "only the ambient set passes execve(2) of an ordinary program, and a capability has to be inheritable before it can be raised there",
            "if its children need it: --inh-caps and --ambient-caps of setpriv, AmbientCapabilities= in a unit, or `stepdown run`",
        )
    } else {
        (
            "only the ambient set passes execve(2) of an ordinary program. It is inheritable, so it may have been raised before: a change from user 0 to another empties the ambient set even where PR_SET_KEEPCAPS keeps the permitted one",
            "raise it after the change of user (PR_CAP_AMBIENT_RAISE; capsh: --addamb behind --user), or have `stepdown run` do all of it",
        )
    };
    findings.push(
        Finding::warning(
            "lost-at-next-execve",
            Cause::Host,
            format!(
                "{} {} permitted but not ambient: the next program it executes is without",
                few(lost),
                is(lost)
            ),
        )
        .because(format!("{why}, capabilities(7)"))
        .hint(hint),
    );
}

/// Capabilities that are root by a detour.
fn detours(case: Case<'_>, findings: &mut Vec<Finding>) {
    let grave: CapSet = case
        .state
        .permitted
        .iter()
        .filter(|capability| capability.info().is_some_and(|info| info.root_equivalent))
        .collect();
    let Some(info) = grave.lowest().and_then(Capability::info) else { return };
    findings.push(
        Finding::warning(
            "root-by-a-detour",
            Cause::Host,
            format!("it is not root, but holds {}, and so can become it", few(grave)),
        )
        .because(format!("{}: {}", info.name, info.why))
        .hint("leave it out, unless the program can't do without"),
    );
}

/// Permitted, not effective.
fn dormant(case: Case<'_>, findings: &mut Vec<Finding>) {
    let dormant = case.state.permitted.difference(case.state.effective);
    if !dormant.is_empty() {
        findings.push(
            Finding::note(
                "permitted-not-effective",
                Cause::Host,
                format!("{} {} permitted but not effective", few(dormant), is(dormant)),
            )
            .because("the kernel looks at the effective set alone; the program can make them effective itself, capset(2)")
            .hint("nothing, if the program knows capabilities; `stepdown run` starts those that do not"),
        );
    }
}

/// What capabilities can do in the thread's network.
fn network(case: Case<'_>, findings: &mut Vec<Finding>) {
    let held = case.state.effective;
    let bind = held.contains(Capability::NET_BIND_SERVICE);
    let about_network: CapSet =
        [Capability::NET_BIND_SERVICE, Capability::NET_ADMIN, Capability::NET_RAW].into_iter().collect();
    let about = held.intersection(about_network);
    if let Some(start) = case.network.unprivileged_port_start.filter(|start| *start < 1024) {
        let which = if start == 0 { "every port".into() } else { format!("ports from {start} up") };
        let why = format!("net.ipv4.ip_unprivileged_port_start of its network is {start}, ip(7)");
        findings.push(if bind && case.network.owned != Some(false) {
            let below = if start == 0 { "".into() } else { format!(", if it serves on none below {start}") };
            Finding::note(
                "capability-unnecessary",
                Cause::Host,
                format!("{which} can be bound without cap_net_bind_service"),
            )
            .because(why)
            .hint(format!("leave it out of Capabilities{below}"))
        } else {
            Finding::note(
                "ports-are-free",
                Cause::Host,
                format!("it can bind {which} without any capability"),
            )
            .because(why)
            .hint("nothing has to be granted for that")
        });
    }
    if about.is_empty() || has_every_id(case.facts) && case.network.owned != Some(false) {
        return;
    }
    let rule = "the kernel asks for it in the user namespace that owns the network";
    match case.network.owned {
        Some(true) => {}
        Some(false) => findings.push(
            Finding::warning(
                "network-of-another-namespace",
                Cause::Host,
                format!(
                    "{} {} no effect in its network: it may not bind ports below {} there",
                    few(about),
                    if about.len() == 1 { "has" } else { "have" },
                    limit(case)
                ),
            )
            .because(format!("{rule}, and that is not its own but one above or beside it, user_namespaces(7)"))
            .hint(
                "give it a network of its own (unshare --net) and forward the port; or hand it the open socket (socket activation); \
                 or lower the limit of that network: sysctl net.ipv4.ip_unprivileged_port_start=80",
            ),
        ),
        None => findings.push(
            Finding::note(
                "network-unknown",
                Cause::Host,
                format!("{} counts only in a network that belongs to its own user namespace", few(about)),
            )
            .because(format!("{rule}, and which that is could not be seen, user_namespaces(7)"))
            .hint("ask as root of this machine, or as the user of that process"),
        ),
    }
}

/// Below which port a capability is needed.
fn limit(case: Case<'_>) -> u32 {
    case.network.unprivileged_port_start.unwrap_or(1024)
}
