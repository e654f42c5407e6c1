//! Refusals because of the program file: what execve(2) of it would make of the state.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding, shell_word};

use crate::credentials::{Credentials, words_of_set};
use crate::errno::Errno;
use crate::execve::ProgramFile;
use crate::policy::Policy;

/// The program would not run under the state that was asked for.
pub(crate) fn of_execve(
    policy: &Policy,
    file: &ProgramFile,
    before: &Credentials,
    after: &Credentials,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if before.uid != after.uid || before.gid != after.gid {
        let (bit, id) = if before.uid != after.uid {
            ("set-user-id", format!("user {}", after.uid.effective))
        } else {
            ("set-group-id", format!("group {}", after.gid.effective))
        };
        findings.push(
            Finding::error(
                "set-id-program",
                Cause::Host,
                format!("{} would run as {id}: it has the {bit} bit", file.path),
            )
            .because("execve(2) changes the ids to the file's owner, and No_New_Privs is off")
            .hint("leave No_New_Privs on, take the bit off (chmod ug-s), or start another program"),
        );
        return findings;
    }
    let (permitted, effective) = if policy.stays_root() {
        (before.permitted.intersection(before.bounding), before.permitted.intersection(before.bounding))
    } else {
        (before.permitted, before.effective)
    };
    let missing = permitted.union(effective).difference(after.permitted.intersection(after.effective));
    let gained = after.permitted.union(after.effective).difference(permitted);
    if missing.is_empty() && gained.is_empty() {
        if before.ambient != after.ambient {
            findings.push(
                Finding::note(
                    "ambient-emptied",
                    Cause::Host,
                    format!("what {} executes in turn will hold no capability", file.path),
                )
                .because(format!("{}, and such a file empties the ambient set, capabilities(7)", has(file)))
                .hint("setcap -r on a copy of it, if its children need them"),
            );
        }
        return findings;
    }
    let (code, what) = if missing.is_empty() {
        ("file-capabilities-add", format!("{} would gain {gained}", file.path))
    } else {
        ("capabilities-lost-at-execve", format!("{} would run without {missing}", file.path))
    };
    let finding = Finding::error(code, Cause::Host, what)
        .at_if(policy.capabilities.as_ref().and_then(|capabilities| capabilities.origin.place()));
    findings.push(if file.capabilities.is_some() {
        finding
            .because(format!("{}, and execve(2) of such a file empties the ambient set and gives the file's instead", has(file)))
            .hint(format!("take them off (setcap -r {}), or have the file list the same as Capabilities", shell_word(&file.path)))
    } else {
        finding
            .because("root gets nothing at execve(2) where the securebit noroot is set, and this process was started with it locked")
            .hint("start it without: SecureBits= in a systemd unit, --securebits of setpriv")
    });
    findings
}

/// execve(2) itself would refuse the program for its file capabilities.
pub(crate) fn of_file_capabilities(
    policy: &Policy,
    file: &ProgramFile,
    before: &Credentials,
    errno: Errno,
) -> Finding {
    let listed = file.capabilities.map(|capabilities| capabilities.permitted).unwrap_or_default();
    let missing = listed.difference(before.bounding);
    Finding::error(
        "file-capabilities-out-of-reach",
        Cause::Host,
        format!("{} would not start: execve(2) would answer {errno}", file.path),
    )
    .because(format!(
        "{}, effective at once, and {} would be outside the bounding set; the kernel refuses such a program rather than run it with less, capabilities(7)",
        has(file),
        words_of_set(missing)
    ))
    .hint(format!(
        "retain {missing} in Capabilities, or take it off the file (setcap -r {})",
        shell_word(&file.path)
    ))
    .at_if(policy.capabilities.as_ref().and_then(|capabilities| capabilities.origin.place()))
}

fn has(file: &ProgramFile) -> String {
    match file.capabilities {
        Some(capabilities) => format!("the file has the capabilities {capabilities}"),
        None => "the file has a set-id bit".into(),
    }
}
