//! Refusals of a step that the rules of the kernel refuse, and of an end that is not the one asked for.

use alloc::format;
use alloc::string::String;

use stepdown_conf::{Cause, Finding};

use crate::capability::Capability;
use crate::credentials::{Credentials, Difference, Securebits, differences};
use crate::errno::Errno;
use crate::goal::Goal;
use crate::policy::Policy;
use crate::rules::required;
use crate::situation::Situation;
use crate::step::Step;

/// A step that the rules of the kernel refuse.
pub(crate) fn of_step(
    policy: &Policy,
    situation: &Situation,
    goal: &Goal,
    step: &Step,
    state: &Credentials,
    errno: Errno,
) -> Finding {
    let start = &situation.start;
    if start.uid.effective != 0 && !start.permitted.contains(Capability::SETUID) {
        return of_end_unprivileged(policy, situation, &differences(&goal.state, start));
    }
    let finding = Finding::error(
        "step-impossible",
        Cause::Host,
        format!("this process can't {step}: {} would answer {errno}", step.call()),
    );
    let place = match step {
        Step::Chroot { .. } | Step::ChdirRoot => {
            policy.chroot.as_ref().and_then(|chroot| chroot.origin.place())
        }
        Step::SetGroups(_) => policy.groups.origin.place(),
        Step::SetResGid(_) => policy.group.origin.place(),
        Step::SetResUid(_) => policy.user.origin.place(),
        Step::DropBounding(_) => policy.bounding_set.as_ref().and_then(|set| set.origin.place()),
        _ => policy.capabilities.as_ref().and_then(|capabilities| capabilities.origin.place()),
    };
    let finding = match (step, required(state, step)) {
        (Step::SetGroups(_), _) if !situation.facts.setgroups_allowed => finding
            .because("setgroups(2) is denied in this user namespace (/proc/self/setgroups), so the groups of the process can't be changed")
            .hint("map the ids with newgidmap, which allows setgroups, or start where it is allowed"),
        (Step::DropBounding(_), Some(needed)) if !state.effective.contains(needed) => finding
            .because(format!("it needs {needed}, which the process was started without"))
            .hint(format!("give it {needed} (--cap-add in a container), or write Bounding_Set = all to leave the bounding set alone")),
        (_, Some(needed)) if !state.effective.contains(needed) => finding
            .because(format!("it needs {needed}, see {}; the process was started without it", step.man_page()))
            .hint(format!("start it with {needed}: --cap-add in a container, CapabilityBoundingSet= in a systemd unit")),
        (Step::RaiseAmbient(_), _) if state.securebits.has(Securebits::NO_CAP_AMBIENT_RAISE) => finding
            .because("the securebit no-cap-ambient-raise was set and locked by whoever started the process")
            .hint("start it without: SecureBits= in a systemd unit, --securebits of setpriv"),
        (Step::SetKeepCaps(_), _) => finding
            .because("the securebit keep-caps-locked was set by whoever started the process")
            .hint("start it without: SecureBits= in a systemd unit, --securebits of setpriv"),
        _ => finding
            .because(format!("so {} has it, in the state the process was started in", step.man_page()))
            .hint("`stepdown status` shows that state"),
    };
    finding.at_if(place)
}

/// The end of the plan is not what was asked for.
pub(crate) fn of_end(policy: &Policy, situation: &Situation, left: &[Difference]) -> Finding {
    if situation.start.uid.effective != 0 {
        return of_end_unprivileged(policy, situation, left);
    }
    Finding::error(
        "not-reachable",
        Cause::Host,
        format!("from here the scope can't be reached: {}", words(left)),
    )
    .because("so the rules of capabilities(7) have it, in the state the process was started in")
    .hint("start it as root, with nothing inherited: no securebits, no capabilities of another program")
}

fn of_end_unprivileged(policy: &Policy, situation: &Situation, left: &[Difference]) -> Finding {
    let start = &situation.start;
    let finding = Finding::error(
        "not-root",
        Cause::Host,
        format!(
            "this process is user {}, not root, and is not where the scope asks it to be",
            start.uid.effective
        ),
    );
    let hint = if start.uid.effective == policy.user.value.id {
        "have whoever starts it do the rest: --group-add and --cap-add in a container, Group= and AmbientCapabilities= in a systemd unit; or start it as root"
    } else {
        "start it as root, or as exactly the user, groups and capabilities of the scope"
    };
    finding.because(words(left)).hint(hint)
}

fn words(left: &[Difference]) -> String {
    let mut text = String::new();
    for difference in left {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&format!(
            "{} is {}, should be {}",
            difference.what, difference.found, difference.expected
        ));
    }
    text
}
