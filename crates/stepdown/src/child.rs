//! The transition of a child, between fork and exec: planned from where it finds itself.
//!
//! Not for: starting it, see [`crate::command`] and [`crate::service`].

use stepdown_conf::Finding;
use stepdown_kernel::OwnedFd;
use stepdown_kernel::observe::Witness;
use stepdown_security::execve::ProgramFile;
use stepdown_security::plan::plan;
use stepdown_security::policy::Policy;
use stepdown_security::situation::{PassedDescriptor, Purpose, Situation};
use stepdown_security::ways;

use crate::transition::{Proof, Transition, failure};

/// What a child does between fork and exec: plans from where it finds itself, performs and proves. `outward` are descriptors
/// that could lead out of a root directory that was entered before the plan.
pub(crate) fn transition_of_child(
    policy: &Policy,
    situation: &Situation,
    file: Option<&ProgramFile>,
    witness: &Witness,
    root: Option<&OwnedFd>,
    outward: &[PassedDescriptor],
) -> Result<Proof, Box<Finding>> {
    let mut plan = plan(policy, situation, Purpose::Execute(file)).map_err(|findings| {
        let first = findings.into_iter().find(Finding::is_error);
        first.map_or_else(|| failure("no-plan", "there is no way to the scope".to_owned()), Box::new)
    })?;
    if !outward.is_empty() {
        plan.attempts = ways::attempts(&situation.facts, &plan.end, outward);
    }
    Transition { plan: &plan, witness, root, passed: Some(&situation.descriptors) }.apply()
}
