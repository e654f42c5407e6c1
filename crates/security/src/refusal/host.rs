//! Refusals that this host causes, or the state the process was started in.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding, Place, shell_word};

use crate::capability::{CapSet, Capability};
use crate::credentials::{Securebits, words_of_ids, words_of_set};
use crate::errno::Errno;
use crate::goal::Goal;
use crate::policy::{BoundingSet, Nameless, Policy};
use crate::situation::Situation;

/// What this host makes impossible of what the scope says, whatever its names mean.
pub(crate) fn of_host(scope: &Nameless<'_>, situation: &Situation) -> Vec<Finding> {
    let mut findings = Vec::new();
    capabilities_not_to_be_had(scope, situation, &mut findings);
    if let Some(set) = scope.bounding_set
        && let BoundingSet::Exactly(limit) = set.value
    {
        for capability in limit.difference(situation.start.bounding).iter() {
            findings.push(not_to_be_had(capability, situation, "Bounding_Set names", set.origin.place()));
        }
    }
    if let Some(Err(errno)) = situation.chroot
        && let Some(chroot) = scope.chroot
    {
        let path = &chroot.value;
        let finding = Finding::error(
            "chroot-directory",
            Cause::Host,
            format!("{path} can't become the root directory: {errno}"),
        );
        let hint = if errno == Errno::NOENT {
            format!("create it (`mkdir -p {0}`) with what the server needs inside", shell_word(path))
        } else {
            format!("see `namei -l {0}`", shell_word(path))
        };
        findings.push(
            finding
                .because("the directory is opened before anything is changed")
                .hint(hint)
                .at_if(chroot.origin.place()),
        );
    }
    findings
}

/// What the way the process was started makes impossible.
pub(crate) fn of_situation(policy: &Policy, situation: &Situation) -> Vec<Finding> {
    let mut findings = Vec::new();
    unmapped_ids(policy, situation, &mut findings);
    for descriptor in &situation.descriptors {
        let number = descriptor.number;
        let finding = if descriptor.ring {
            Finding::error(
                "ring-descriptor",
                Cause::Host,
                format!("descriptor {number} is an io_uring, and may act with the rights that this process has now"),
            )
            .because("credentials that are registered in it stay there, io_uring_register(2)")
            .hint("close it, and have the program make its own")
        } else if descriptor.directory && policy.chroot.is_some() {
            Finding::error(
                "directory-descriptor",
                Cause::Host,
                format!("descriptor {number} is a directory, and would stay open in the new root directory"),
            )
            .because("fchdir(2) through it leads out of the chroot")
            .hint("close it, or redirect it from a file, such as < /dev/null")
        } else {
            continue;
        };
        findings.push(finding);
    }
    let harmful = Securebits::NO_SETUID_FIXUP.with(Securebits::KEEP_CAPS);
    let bits = situation.start.securebits;
    let locked = bits.0 & (bits.0 & Securebits::LOCKS.0) >> 1;
    let changeable = situation.start.permitted.contains(Capability::SETPCAP);
    let left = Securebits(if changeable { locked } else { bits.0 } & harmful.0);
    if left.0 != 0 {
        let finding = Finding::error(
            "securebits-inherited",
            Cause::Host,
            format!("the process was started with the securebits {left}, which can't be taken back"),
        );
        findings.push(
            finding
                .because(
                    "the server's own changes of user would no longer drop capabilities, capabilities(7)",
                )
                .hint("start it without them: SecureBits= in a systemd unit, --securebits of setpriv"),
        );
    }
    if situation.terminal_injection && policy.user.value.id != 0 && situation.start.uid.effective == 0 {
        let finding = Finding::warning(
            "terminal-injection",
            Cause::Host,
            "the program gets root's terminal and could type into it",
        );
        findings.push(
            finding
                .because("dev.tty.legacy_tiocsti is 1, so that ioctl TIOCSTI works for any holder of a terminal, ioctl_tty(2)")
                .hint("sysctl dev.tty.legacy_tiocsti=0, or start the server without a terminal"),
        );
    }
    findings
}

/// A default bounding set that can't be had.
pub(crate) fn of_bounding_set(goal: &Goal) -> Vec<Finding> {
    let mut findings = Vec::new();
    if goal.bounding_left {
        let finding = Finding::note(
            "bounding-set-left",
            Cause::Host,
            "the bounding set stays as it was found: this process may not change it",
        );
        findings.push(
            finding
                .because("it was started without CAP_SETPCAP; nothing can be gained from the bounding set, as no_new_privs is set")
                .hint("have the container runtime drop capabilities (--cap-drop=ALL), or write Bounding_Set = all"),
        );
    }
    findings
}

fn capabilities_not_to_be_had(scope: &Nameless<'_>, situation: &Situation, findings: &mut Vec<Finding>) {
    let Some(capabilities) = scope.capabilities else { return };
    let place = capabilities.origin.place();
    let retained = capabilities.value;
    let start = &situation.start;
    let unknown_above = CapSet::first(situation.facts.capability_count);
    for capability in retained.permitted.union(retained.inheritable).union(retained.effective).iter() {
        let held = start.permitted.contains(capability);
        let inheritable_only = !retained.permitted.contains(capability);
        let fine = unknown_above.contains(capability)
            && (held || inheritable_only && start.permitted.contains(Capability::SETPCAP))
            && (start.bounding.contains(capability) || start.inheritable.contains(capability));
        if !fine {
            findings.push(not_to_be_had(capability, situation, "Capabilities retains", place));
        }
    }
}

fn unmapped_ids(policy: &Policy, situation: &Situation, findings: &mut Vec<Finding>) {
    let facts = &situation.facts;
    let mut refuse = |kind: &str, id: u32, file: &str, place: Option<&Place>| {
        let finding = Finding::error(
            "id-not-mapped",
            Cause::Host,
            format!("{kind} {id} does not exist in this user namespace"),
        );
        let finding = finding
            .because(format!("no line of {file} covers it, user_namespaces(7)"))
            .hint("map it (newuidmap, newgidmap, /etc/subuid and /etc/subgid), or name one that is mapped");
        findings.push(finding.at_if(place));
    };
    if !facts.uid_map.contains(policy.user.value.id) {
        refuse("user", policy.user.value.id, "/proc/self/uid_map", policy.user.origin.place());
    }
    for &gid in &policy.groups.value {
        if !facts.gid_map.contains(gid) {
            let place = if gid == policy.group.value.id {
                policy.group.origin.place()
            } else {
                policy.groups.origin.place()
            };
            refuse("group", gid, "/proc/self/gid_map", place);
        }
    }
    let denied = !facts.setgroups_allowed && situation.start.groups != policy.groups.value;
    if denied {
        let finding = Finding::error(
            "setgroups-denied",
            Cause::Host,
            format!(
                "the supplementary groups can't become {}: they are {} and setgroups(2) is denied here",
                words_of_ids(&policy.groups.value),
                words_of_ids(&situation.start.groups)
            ),
        );
        findings.push(finding
                .because("the user namespace was made by an unprivileged process, /proc/self/setgroups says deny, user_namespaces(7)")
                .hint("map the ids with newgidmap, which leaves setgroups allowed").at_if(policy.groups.origin.place()));
    }
}

/// One of three refusals: the kernel does not know it, the bounding set excludes it, or it is not held.
fn not_to_be_had(capability: Capability, situation: &Situation, who: &str, place: Option<&Place>) -> Finding {
    let start = &situation.start;
    let count = situation.facts.capability_count;
    let finding = if capability.number() >= count {
        let last = Capability::new(count.saturating_sub(1)).map(|last| last.to_string()).unwrap_or_default();
        Finding::error(
            "capability-unknown-to-kernel",
            Cause::Host,
            format!("{who} {capability}, which this kernel does not know"),
        )
        .because(format!("its last capability is {last}, number {}", count.saturating_sub(1)))
        .hint("leave it out, or run a kernel that has it")
    } else if !start.bounding.contains(capability) && !start.inheritable.contains(capability) {
        Finding::error(
            "capability-outside-bounding-set",
            Cause::Host,
            format!("{who} {capability}, which is outside the bounding set of this process"),
        )
        .because("whoever started it (a container runtime, systemd, the machine itself) dropped it for good, capabilities(7)")
        .hint(format!("have it added where the process is started (--cap-add {}, CapabilityBoundingSet=), or leave it out", short(capability)))
    } else {
        Finding::error(
            "capability-not-held",
            Cause::Host,
            format!("{who} {capability}, which this process does not hold"),
        )
        .because(format!(
            "it was started as user {} with the permitted set {}",
            start.uid.effective,
            words_of_permitted(start.permitted, count)
        ))
        .hint("start it as root with this capability, or leave it out")
    };
    finding.at_if(place)
}

fn words_of_permitted(set: CapSet, count: u8) -> String {
    let missing = CapSet::first(count).difference(set);
    if set.len() > 8 && missing.len() <= 8 { format!("of all but {missing}") } else { words_of_set(set) }
}

/// The name as container runtimes take it.
fn short(capability: Capability) -> String {
    let name = capability.to_string();
    name.strip_prefix("cap_").unwrap_or(&name).to_ascii_uppercase()
}
