//! What is likely to surprise about a program that a thread executes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding};

use super::case::{Candidate, Case, few, is, runtime_names};
use crate::capability::CapSet;
use crate::credentials::{Credentials, Securebits};
use crate::errno::Errno;
use crate::execve::{FileCapabilities, ProgramFile};

pub(super) fn findings(
    case: Case<'_>,
    candidate: Candidate<'_>,
    outcome: &Result<Credentials, Errno>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(script) = candidate.script {
        of_script(script, candidate.file, &mut findings);
    }
    match outcome {
        Err(errno) => findings.push(refused(case, candidate.file, *errno)),
        Ok(after) => {
            set_id_ignored(case, candidate.file, after, &mut findings);
            if let Some(capabilities) = candidate.file.capabilities {
                of_capabilities(case, candidate.file, capabilities, after, &mut findings);
            }
            ambient(case, candidate.file, after, &mut findings);
            root_without(case, candidate.file, after, &mut findings);
            gained(case, candidate.file, after, &mut findings);
        }
    }
    findings
}

const WITHOUT_NO_NEW_PRIVS: &str = "start the process without it (NoNewPrivileges=no in a unit, allowPrivilegeEscalation in Kubernetes, \
     --security-opt of docker, No_New_Privs = off in a Security scope)";

const NO_NEW_PRIVS: &str = "no_new_privs is set, and can't be taken back: no execve(2) gives anything that the thread does not have, prctl(2)";

/// What is set on a script never counts.
fn of_script(script: &ProgramFile, interpreter: &ProgramFile, findings: &mut Vec<Finding>) {
    let what = match (script.capabilities, script.set_user_id || script.set_group_id) {
        (Some(capabilities), _) => format!("the capabilities {capabilities} of {}", script.path),
        (None, true) => format!("the set-id bit of {}", script.path),
        (None, false) => return,
    };
    findings.push(
        Finding::warning(
            "script-ignored",
            Cause::Host,
            format!("{what} will be ignored: it is a script"),
        )
        .because(format!(
            "the kernel executes {} and looks at that file alone, execve(2) \"Interpreter scripts\"",
            interpreter.path
        ))
        .hint(
            "start the script with the capability in the ambient set, as `stepdown run` does, or put the bit on a small compiled \
             program; never on the interpreter, which would give it to every script of everybody",
        ),
    );
}

/// execve(2) itself says no.
fn refused(case: Case<'_>, file: &ProgramFile, errno: Errno) -> Finding {
    let listed = file.capabilities.map(|capabilities| capabilities.permitted).unwrap_or_default();
    let missing = listed.difference(case.state.bounding);
    let finding = Finding::error(
        "file-capabilities-out-of-reach",
        Cause::Host,
        format!("{} would not start: execve(2) answers {errno}", file.path),
    );
    let Some(capabilities) = file.capabilities else {
        return finding.because("the kernel refuses it, execve(2)").hint("see execve(2), section ERRORS");
    };
    let smaller = FileCapabilities { effective: false, ..capabilities };
    finding
        .because(format!(
            "its file has the capabilities {capabilities}, effective at once, and {} {} not in the bounding set; the kernel refuses \
             such a program rather than run it with less, capabilities(7) \"Safety checking for capability-dumb binaries\"",
            few(missing),
            is(missing)
        ))
        .hint(format!(
            "keep {} where the process is started ({}, CapabilityBoundingSet= in a unit), or take it off a copy of the file (setcap -r); \
             a program that asks for its capabilities itself may have `{smaller}`",
            few(missing),
            runtime_names(missing),
        ))
}

/// A set-id bit that changes nothing.
fn set_id_ignored(case: Case<'_>, file: &ProgramFile, after: &Credentials, findings: &mut Vec<Finding>) {
    let state = case.state;
    let user = file.set_user_id && file.owner != after.uid.effective;
    let group = file.set_group_id && file.group != after.gid.effective;
    if !user && !group {
        return;
    }
    let (bit, meant, real) = if user {
        ("set-user-id", format!("user {}", file.owner), format!("user {}", after.uid.effective))
    } else {
        ("set-group-id", format!("group {}", file.group), format!("group {}", after.gid.effective))
    };
    let (message, why, hint) = if file.nosuid {
        (None, NOSUID.to_owned(), suid_mount(file))
    } else if state.no_new_privs {
        (
            None,
            NO_NEW_PRIVS.to_owned(),
            format!("{WITHOUT_NO_NEW_PRIVS}, if it really is to become another user"),
        )
    } else {
        (
            Some(format!("{} would run as {real}: its {bit} bit is ignored", file.path)),
            "its owner or its group does not exist in this user namespace, user_namespaces(7)".to_owned(),
            "map that id into the namespace (newuidmap(1), uidMappings of a container), or have the file belong to one that is".to_owned(),
        )
    };
    let message = message.unwrap_or_else(|| {
        format!("{} would run as {real}, not as {meant}: its {bit} bit is ignored", file.path)
    });
    findings.push(Finding::warning("set-id-ignored", Cause::Host, message).because(why).hint(hint));
}

const NOSUID: &str =
    "its mount has the option nosuid, which hides set-id bits and file capabilities, mount(8)";

fn suid_mount(file: &ProgramFile) -> String {
    format!(
        "put a copy on another mount, or remount that one with the option suid; see `findmnt -T {}`",
        file.path
    )
}

/// Capabilities of the file that do not reach the program.
fn of_capabilities(
    case: Case<'_>,
    file: &ProgramFile,
    capabilities: FileCapabilities,
    after: &Credentials,
    findings: &mut Vec<Finding>,
) {
    let state = case.state;
    let ignored = |why: &'static str, hint: String| {
        let missing = capabilities.permitted.union(capabilities.inheritable).difference(after.permitted);
        Finding::warning(
            "file-capabilities-ignored",
            Cause::Host,
            format!("{} would run without {}, although its file has {capabilities}", file.path, few(missing)),
        )
        .because(why)
        .hint(hint)
    };
    if capabilities.permitted.union(capabilities.inheritable).is_subset(after.permitted) {
        return;
    }
    if file.nosuid {
        findings.push(ignored(NOSUID, suid_mount(file)));
        return;
    }
    let given = capabilities.permitted.intersection(state.bounding);
    if !given.is_subset(after.permitted) {
        if state.no_new_privs {
            let hint = format!(
                "{WITHOUT_NO_NEW_PRIVS}; or have the capability raised in the ambient set before: that passes, for a program whose file has none of its own"
            );
            findings.push(ignored(NO_NEW_PRIVS, hint));
        }
    } else if !capabilities.permitted.is_subset(after.permitted) {
        let missing = capabilities.permitted.difference(after.permitted);
        findings.push(ignored(
            "what is not in the bounding set of the process no file can give, capabilities(7)",
            format!(
                "keep it there where the process is started ({}, CapabilityBoundingSet= in a unit)",
                runtime_names(missing)
            ),
        ));
    } else if !capabilities.inheritable.is_subset(after.permitted) {
        findings.push(ignored(
            "inheritable capabilities of a file count only for a thread that has them inheritable too, capabilities(7)",
            "give them as permitted (setcap cap_...=ep), or make them inheritable before (--inh-caps of setpriv)".to_owned(),
        ));
    }
}

/// Ambient capabilities that the program would not have, or not pass on.
fn ambient(case: Case<'_>, file: &ProgramFile, after: &Credentials, findings: &mut Vec<Finding>) {
    let gone = case.state.ambient.difference(after.ambient);
    if gone.is_empty() {
        return;
    }
    let cause = match file.capabilities {
        Some(capabilities) if !file.nosuid => format!("its file has the capabilities {capabilities}"),
        _ => "its set-id bit changes the user or the group".to_owned(),
    };
    let message = if gone.is_subset(after.permitted) {
        format!("{} would hold {}, but what it executes in turn would not", file.path, few(gone))
    } else {
        format!("{} would be without {}, which is ambient", file.path, few(gone.difference(after.permitted)))
    };
    let hint = if file.capabilities.is_some() {
        format!(
            "take them off a copy of the file (setcap -r), or have the file list {} as well (setcap)",
            few(gone)
        )
    } else {
        "take the bit off a copy (chmod ug-s), or set no_new_privs, under which the bit is ignored".to_owned()
    };
    findings.push(
        Finding::warning("ambient-emptied", Cause::Host, message)
            .because(format!(
                "{cause}, and execve(2) of such a file empties the ambient set, capabilities(7)"
            ))
            .hint(hint),
    );
}

/// A user 0 that is not what user 0 is elsewhere.
fn root_without(case: Case<'_>, file: &ProgramFile, after: &Credentials, findings: &mut Vec<Finding>) {
    if after.uid.effective == 0
        && case.state.securebits.has(Securebits::NOROOT)
        && after.permitted.is_empty()
        && !case.state.bounding.is_empty()
    {
        findings.push(
            Finding::warning(
                "root-without-capabilities",
                Cause::Host,
                format!("{} would run as user 0 and hold no capability", file.path),
            )
            .because("with the securebit noroot user 0 gets nothing at execve(2), capabilities(7)")
            .hint("start it without that securebit: SecureBits= in a unit, --securebits of setpriv"),
        );
    }
}

/// What the program would hold that the thread does not.
fn gained(case: Case<'_>, file: &ProgramFile, after: &Credentials, findings: &mut Vec<Finding>) {
    let state = case.state;
    let gained = after.permitted.difference(state.permitted);
    let becomes_root = after.uid.effective == 0 && state.uid.effective != 0;
    if gained.is_empty() && !becomes_root {
        return;
    }
    let known = CapSet::first(case.facts.capability_count);
    let held = if after.permitted.is_empty() {
        "no capability at all".into()
    } else if known.is_subset(after.permitted) {
        "every capability".into()
    } else if gained.len() > 4 {
        format!("{} of {} capabilities", after.permitted.len(), case.facts.capability_count)
    } else {
        after.permitted.to_string()
    };
    let (message, why) = if becomes_root {
        (
            format!("{} would run as user 0, holding {held}", file.path),
            "it has the set-user-id bit and belongs to root; what it holds is the bounding set of this process",
        )
    } else if after.uid.effective == 0 || state.uid.real == 0 {
        (
            format!("{} would hold {held}", file.path),
            "whoever is user 0 gets all of its bounding set at each execve(2), whatever it gave up before",
        )
    } else {
        (format!("{} would hold {held}", file.path), "its file has these capabilities")
    };
    findings.push(
        Finding::note("gains-privilege", Cause::Host, message)
            .because(format!("{why}, capabilities(7)"))
            .hint("set no_new_privs if that is not wanted, or drop them from the bounding set"),
    );
}
