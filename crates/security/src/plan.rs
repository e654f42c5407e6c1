//! From a [`Policy`] and the [`Situation`] of a process to the list of steps that leads to the state asked for.
//!
//! Every step's outcome is predicted, and a plan whose last state is not exactly the state asked for is not given
//! out. The order of the steps is `goal`'s, the words of a refusal are `refusal`'s.

use alloc::boxed::Box;
use alloc::vec::Vec;

use stepdown_conf::Finding;

use crate::credentials::{Credentials, Facts, differences};
use crate::errno::Errno;
use crate::execve::predict_execve;
use crate::goal::Goal;
use crate::policy::Policy;
use crate::refusal;
use crate::request::Request;
use crate::rules::{advance, is_done};
use crate::situation::{Purpose, Situation};
use crate::step::Step;
use crate::ways::{self, Attempt};

/// The steps of a transition, each with the state it leads to, and what must be impossible at its end.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The state it begins in.
    pub start: Credentials,
    /// The steps in order; none that would change nothing. Where each leads is told by [`Plan::journey`].
    pub steps: Vec<Step>,
    /// The state it must end in.
    pub end: Credentials,
    /// The state after execve(2) of the program, where that is known.
    pub after_execve: Option<Credentials>,
    /// What is tried at the end and must fail.
    pub attempts: Vec<Attempt>,
    /// Warnings and notes about the plan.
    pub findings: Vec<Finding>,
    facts: Facts,
}

/// A step and where it leads.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// What is done.
    pub step: Step,
    /// The state after it.
    pub after: Credentials,
}

/// Plans the transition that `policy` asks for from `situation`.
///
/// # Errors
/// All findings, at least one an error: what is contradictory, unknown to the kernel, not held, or would fail.
pub fn plan(policy: &Policy, situation: &Situation, purpose: Purpose<'_>) -> Result<Plan, Vec<Finding>> {
    let scope = policy.nameless();
    let mut findings = refusal::of_text(&scope, purpose);
    findings.extend(refusal::of_policy(policy));
    findings.extend(refusal::of_host(&scope, situation));
    findings.extend(refusal::of_situation(policy, situation));
    let goal = Goal::new(policy, situation, purpose);
    findings.extend(refusal::of_bounding_set(&goal));
    if has_error(&findings) {
        return Err(findings);
    }
    let (steps, end) = match predict_all(situation, goal.steps(situation)) {
        Ok(predicted) => predicted,
        Err(refused) => {
            let (step, state, errno) = *refused;
            findings.push(refusal::of_step(policy, situation, &goal, &step, &state, errno));
            return Err(findings);
        }
    };
    let left = differences(&goal.state, &end);
    if !left.is_empty() {
        findings.push(refusal::of_end(policy, situation, &left));
        return Err(findings);
    }
    let after_execve = match purpose {
        Purpose::Execute(Some(file)) => match predict_execve(&situation.facts, &end, file) {
            Ok(after) => {
                findings.extend(refusal::of_execve(policy, file, &end, &after));
                Some(after)
            }
            Err(errno) => {
                findings.push(refusal::of_file_capabilities(policy, file, &end, errno));
                None
            }
        },
        _ => None,
    };
    findings.extend(refusal::open_ways(policy, situation, &end));
    if has_error(&findings) {
        return Err(findings);
    }
    // Without a new root directory, there is none to leave.
    let outward = if policy.chroot.is_some() { situation.descriptors.as_slice() } else { &[] };
    let attempts = ways::attempts(&situation.facts, &end, outward);
    let (start, facts) = (situation.start.clone(), situation.facts.clone());
    Ok(Plan { start, steps, end, after_execve, attempts, findings, facts })
}

impl Plan {
    /// The steps, each with the state that it must lead to.
    #[must_use]
    pub fn journey(&self) -> Vec<PlannedStep> {
        let mut state = self.start.clone();
        let mut journey = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            // The plan was made by the same rules, and has no step that fails.
            if advance(&self.facts, &mut state, step).is_ok() {
                journey.push(PlannedStep { step: step.clone(), after: state.clone() });
            }
        }
        journey
    }
}

/// What can be found without knowing what the names of `request` mean: for reporting it together with the names that do
/// not exist.
#[must_use]
pub fn findings_without_names(
    request: &Request,
    situation: &Situation,
    purpose: Purpose<'_>,
) -> Vec<Finding> {
    let scope = request.nameless();
    let mut findings = refusal::of_text(&scope, purpose);
    findings.extend(refusal::of_host(&scope, situation));
    findings
}

/// A step that would fail, the state before it, and the answer.
type Failed = Box<(Step, Credentials, Errno)>;

/// The steps that change something, and the state at the end.
fn predict_all(situation: &Situation, mut steps: Vec<Step>) -> Result<(Vec<Step>, Credentials), Failed> {
    let mut state = situation.start.clone();
    let mut failed = None;
    steps.retain(|step| {
        // A step to where the state is already needs no right to take it.
        if failed.is_some() || is_done(&state, step) {
            return false;
        }
        match advance(&situation.facts, &mut state, step) {
            Ok(()) => true,
            Err(errno) => {
                failed = Some((step.clone(), errno));
                false
            }
        }
    });
    let Some((step, errno)) = failed else { return Ok((steps, state)) };
    let mut before = situation.start.clone();
    for taken in &steps {
        let _ = advance(&situation.facts, &mut before, taken);
    }
    Err(Box::new((step, before, errno)))
}

fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_error)
}
