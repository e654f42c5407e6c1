//! `stepdown explain --graph`: the journey of every capability through the steps, as an SVG.
//!
//! A row a capability that matters, a column a step, and in each cell the five sets; what becomes the same of all
//! others is one row. The picture is in two halves, as data ([`Chart`]) and drawn ([`draw`]). No script, no font of its own,
//! nothing from elsewhere; `prefers-color-scheme` chooses light or dark.

mod draw;

use stepdown::prepare::Ready;
use stepdown::security::capability::{CapSet, Capability};
use stepdown::security::credentials::{Credentials, Ids};
use stepdown::security::plan::PlannedStep;
use stepdown::security::step::Step;
use stepdown_kernel::host;

/// The picture of what becomes of the scope.
pub(super) fn svg(ready: &Ready) -> String {
    draw::svg(&chart(ready))
}

/// What is drawn.
struct Chart {
    title: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

/// A moment: the start, or what a step has led to.
struct Column {
    /// A few words, in lines of at most 13 characters where the words allow.
    words: &'static str,
    /// All of it, for hovering.
    title: String,
    state: Credentials,
}

/// One capability, or those that are folded into one row.
struct Row {
    words: String,
    title: String,
    set: CapSet,
}

/// The five sets of a thread, in the order of their marks.
const SETS: [(char, &str); 5] =
    [('P', "permitted"), ('E', "effective"), ('I', "inheritable"), ('B', "bounding"), ('A', "ambient")];

fn sets(state: &Credentials) -> [CapSet; 5] {
    [state.permitted, state.effective, state.inheritable, state.bounding, state.ambient]
}

fn chart(ready: &Ready) -> Chart {
    let plan = &ready.plan;
    let start = Column {
        words: "start",
        title: "the process as it is started".to_owned(),
        state: plan.start.clone(),
    };
    let mut columns = vec![start];
    let alike = |one: &PlannedStep, next: &PlannedStep| {
        matches!(
            (&one.step, &next.step),
            (Step::DropBounding(_), Step::DropBounding(_)) | (Step::RaiseAmbient(_), Step::RaiseAmbient(_))
        )
    };
    for group in plan.journey().chunk_by(alike) {
        let Some(last) = group.last() else { continue };
        let title = match group.len() {
            1 => last.step.to_string(),
            count => match last.step {
                Step::DropBounding(_) => format!("drop {count} capabilities from the bounding set"),
                _ => format!("raise {count} capabilities in the ambient set"),
            },
        };
        let title = format!("{title}: {}, {}", last.step.call(), last.step.man_page());
        columns.push(Column { words: words(&last.step), title, state: last.after.clone() });
    }
    let mut name = "any ordinary program".to_owned();
    if let Some(program) = &ready.program {
        name = program.path.to_string_lossy().into_owned();
    }
    let state = plan.after_execve.as_ref().unwrap_or(&plan.end).clone();
    columns.push(Column { words: "execve", title: format!("execve of {name}: execve(2)"), state });

    let user = &ready.policy.user.value;
    let user = user.name.clone().unwrap_or_else(|| user.id.to_string());
    let title = format!("From user {} to {user}, then execve of {name}", plan.start.uid.effective);
    Chart { title, rows: rows(ready, &columns), columns }
}

/// Those that are kept, or in the end again held by anything, each in a row; the rest in one.
fn rows(ready: &Ready, columns: &[Column]) -> Vec<Row> {
    let known = CapSet::first(host::capability_count());
    let held = |state: &Credentials| sets(state).into_iter().fold(CapSet::EMPTY, CapSet::union);
    // A bounding set left as it was makes nothing stand out; one that was chosen does.
    let mut matter = columns.last().map_or(CapSet::EMPTY, |column| {
        let bounding = column.state.bounding;
        let chosen = if bounding.len() * 2 < known.len() { bounding } else { CapSet::EMPTY };
        chosen.union(column.state.permitted).union(column.state.inheritable).union(column.state.ambient)
    });
    if let Some(asked) = &ready.policy.capabilities {
        matter = matter.union(asked.value.mentioned());
    }
    if let Some(file) = ready.program.as_ref().and_then(|program| program.file.capabilities) {
        matter = matter.union(file.permitted).union(file.inheritable);
    }
    // Where nearly all of them stay, as for a process that stays root, none stands out.
    if matter.len() > 20 {
        matter = CapSet::EMPTY;
    }
    let journeys = columns.iter().map(|column| held(&column.state)).fold(CapSet::EMPTY, CapSet::union);
    // What is in no set from beginning to end has no journey.
    let folded = journeys.difference(matter);
    let never = known.difference(journeys);
    let mut rows: Vec<Row> = matter
        .iter()
        .map(|capability| Row {
            words: capability.to_string(),
            title: capability
                .info()
                .map_or_else(|| capability.to_string(), |info| format!("{capability}: {}", info.allows)),
            set: CapSet::only(capability),
        })
        .collect();
    if !folded.is_empty() {
        let names: Vec<String> = folded.iter().map(|capability: Capability| capability.to_string()).collect();
        let others = if rows.is_empty() { "capabilities" } else { "others" };
        let mut title = names.join(", ");
        if !never.is_empty() {
            title.push_str(&format!("; never held: {never}"));
        }
        rows.push(Row { words: format!("{} {others}", folded.len()), title, set: folded });
    }
    rows
}

/// A step in a few words, the lines parted by line feeds.
fn words(step: &Step) -> &'static str {
    match step {
        Step::SetSecurebits(_) => "securebits",
        Step::Chroot { .. } => "chroot",
        Step::ChdirRoot => "chdir /",
        Step::SetGroups(_) => "groups",
        Step::SetResGid(_) => "become\ngroup",
        Step::DropBounding(_) => "drop from\nbounding",
        Step::SetKeepCaps(true) => "keep caps",
        Step::SetKeepCaps(false) => "no keep caps",
        Step::SetResUid(_) => "become\nuser",
        Step::SetCapabilities(_) => "capset",
        Step::ClearAmbient => "empty\nambient",
        Step::RaiseAmbient(_) => "raise\nambient",
        Step::SetParentDeathSignal(_) => "death signal",
        Step::SetNoNewPrivs => "no new\nprivileges",
    }
}

/// The ids of one kind in a few characters: one, or real/effective/saved.
fn ids(ids: Ids) -> String {
    if ids == Ids::all(ids.real) {
        ids.real.to_string()
    } else {
        format!("{}/{}/{}", ids.real, ids.effective, ids.saved)
    }
}
