//! The steps of a plan, and what each changes. Steps of the same kind are shown together: forty drops from the bounding
//! set are one thing to a person.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown::security::credentials::{Credentials, differences};
use stepdown::security::plan::{Plan, PlannedStep};
use stepdown::security::step::Step;

use crate::proof;

/// The steps for a person; `chroot` is what the new root directory is called.
pub(crate) fn text(plan: &Plan, chroot: Option<&str>) -> String {
    if plan.steps.is_empty() {
        return "  none: the process is there already\n".to_owned();
    }
    let mut text = String::new();
    let journey = plan.journey();
    let mut before = &plan.start;
    let mut number = 1;
    for group in grouped(&journey) {
        let Some(last) = group.last() else { continue };
        let numbers = if group.len() == 1 {
            format!("{number}")
        } else {
            format!("{number}-{}", number + group.len() - 1)
        };
        let step = &last.step;
        let words = match step {
            Step::DropBounding(_) if group.len() > 1 => {
                format!("drop {} capabilities from the bounding set", group.len())
            }
            Step::Chroot { .. } => {
                format!("make {} the root directory", stepdown::report::clean(chroot.unwrap_or("it")))
            }
            _ => step.to_string(),
        };
        let _ = writeln!(text, "  {numbers:<6}{words}");
        let _ = writeln!(text, "  {:<6}{}, {}", "", step.call(), step.man_page());
        text.push_str(&changes(before, &last.after, "        "));
        before = &last.after;
        number += group.len();
    }
    text
}

/// The steps for a machine, each with the state after it.
pub(crate) fn json(plan: &Plan) -> Value {
    plan.journey()
        .iter()
        .map(|planned| {
            json!({
                "words": planned.step.to_string(),
                "call": planned.step.call(),
                "man_page": planned.step.man_page(),
                "after": proof::state(&planned.after),
            })
        })
        .collect()
}

/// What differs between two states, a line each.
pub(crate) fn changes(before: &Credentials, after: &Credentials, indent: &str) -> String {
    let mut text = String::new();
    let list = differences(before, after);
    // The four ids of a kind change together as a rule; then they are one line.
    let ids =
        |kind: &str| list.iter().filter(|difference| difference.what.ends_with(kind)).collect::<Vec<_>>();
    for kind in ["user id", "group id"] {
        let same = ids(kind);
        if let [first, .., last] = same[..]
            && same.len() == 4
            && first.found == last.found
        {
            let _ = writeln!(
                text,
                "{indent}{kind}s: {} -> {} (real, effective, saved, filesystem)",
                first.expected, first.found
            );
        }
    }
    for difference in &list {
        let together = ["user id", "group id"]
            .iter()
            .any(|kind| difference.what.ends_with(kind) && ids(kind).len() == 4);
        if !together {
            let _ = writeln!(
                text,
                "{indent}{}: {} -> {}",
                difference.what,
                short(&difference.expected),
                short(&difference.found)
            );
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "{indent}nothing changes");
    }
    text
}

/// A long list of names by its number.
pub(crate) fn short(value: &str) -> String {
    let names = value.split(',').count();
    if names > 4 && value.starts_with("cap_") { format!("{names} capabilities") } else { value.to_owned() }
}

/// Runs of drops from the bounding set, and of raises of ambient capabilities, together; everything else alone.
fn grouped(steps: &[PlannedStep]) -> impl Iterator<Item = &[PlannedStep]> {
    steps.chunk_by(|one, next| {
        matches!((&one.step, &next.step), (Step::DropBounding(_), Step::DropBounding(_)))
    })
}
