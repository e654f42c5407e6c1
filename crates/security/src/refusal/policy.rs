//! Refusals and warnings that the policy alone gives rise to, on every host.

use alloc::format;
use alloc::vec::Vec;

use stepdown_conf::{Cause, Finding};

use crate::capability::{CapSet, Capability};
use crate::credentials::Credentials;
use crate::policy::{BoundingSet, Nameless, Policy};
use crate::rules::{predict, required};
use crate::situation::{Purpose, Situation};
use crate::step::Step;
use crate::ways::ways_back;

/// What is contradictory in what the scope says, or can't be for this purpose.
pub(crate) fn of_text(scope: &Nameless<'_>, purpose: Purpose<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let place = scope.capabilities_place();
    let retained = scope.retained();
    let not_permitted = retained.effective.difference(retained.permitted);
    if !not_permitted.is_empty() {
        let finding = Finding::error(
            "effective-not-permitted",
            Cause::Text,
            format!("{} can't be effective without being permitted", not_permitted),
        );
        findings.push(
            finding
                .because("capset(2) refuses an effective set that is not within the permitted set")
                .hint("write +ep where +e stands")
                .at_if(place),
        );
    }
    let not_effective = retained.permitted.difference(retained.effective);
    if matches!(purpose, Purpose::Execute(_)) && !not_effective.is_empty() {
        let finding = Finding::error(
            "permitted-not-effective",
            Cause::Text,
            format!("{not_effective} can't be permitted but not effective in a program that is executed"),
        );
        findings.push(finding
                .because("over execve(2) an ordinary program keeps ambient capabilities only, and the kernel makes those permitted and effective alike, capabilities(7)")
                .hint("write +ep, or leave the capability out").at_if(place));
    }
    if let Some(set) = scope.bounding_set
        && let BoundingSet::Exactly(limit) = set.value
    {
        let missing = retained.permitted.union(retained.inheritable).difference(limit);
        if !missing.is_empty() {
            let finding = Finding::error(
                "bounding-below-capabilities",
                Cause::Text,
                format!("Bounding_Set leaves out {missing}, which Capabilities retains"),
            );
            let finding = finding
                .because("what is retained would outlive the limit that is meant to hold it")
                .hint("add it to Bounding_Set, or take it out of Capabilities");
            let finding = match place {
                Some(place) => finding.related(place.clone(), "retained here"),
                None => finding,
            };
            findings.push(finding.at_if(set.origin.place()));
        }
    }
    findings
}

/// What the policy is warned about on every host.
pub(crate) fn of_policy(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    if policy.user.value.id == 0 {
        let finding = Finding::warning("user-is-root", Cause::Text, "the server stays user 0, root");
        let why = if policy.capabilities.is_some() {
            "it will hold exactly the capabilities listed, which leaves out root's access to all files; but every file of root's is its own"
        } else {
            "without Capabilities it keeps all that it was started with; only no_new_privs and the bounding set are applied"
        };
        findings.push(
            finding
                .because(why)
                .hint("name an unprivileged user, and list in Capabilities what it needs")
                .at_if(policy.user.origin.place()),
        );
    }
    findings
}

/// The state after execve is not the state that was asked for.
pub(crate) fn open_ways(policy: &Policy, situation: &Situation, end: &Credentials) -> Vec<Finding> {
    if policy.stays_root() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut said = CapSet::EMPTY;
    let place = policy.capabilities.as_ref().and_then(|capabilities| capabilities.origin.place());
    let dangerous = end.permitted.iter().filter_map(Capability::info).filter(|info| info.root_equivalent);
    for info in dangerous {
        said.insert(info.capability);
        let finding = Finding::warning(
            "capability-like-root",
            Cause::Text,
            format!("who holds {} can become root", info.capability),
        );
        findings
            .push(finding.because(info.why).hint("leave it out if the server can do without").at_if(place));
    }
    for step in ways_back(&situation.facts, end) {
        // To shrink what could be held is no way back.
        if matches!(step, Step::DropBounding(_)) {
            continue;
        }
        let Some(needed) = required(end, &step) else { continue };
        if predict(&situation.facts, end, &step).is_ok() && !said.contains(needed) {
            said.insert(needed);
            let finding = Finding::warning(
                "way-back-open",
                Cause::Text,
                format!("with {needed} the program can still {step}"),
            );
            findings.push(
                finding
                    .because("Capabilities retains it")
                    .hint("leave it out if the server can do without")
                    .at_if(place),
            );
        }
    }
    findings
}
