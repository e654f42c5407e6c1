//! What each function of the header does, in Rust's own types. Pointers are `border`'s.

use std::ffi::{OsStr, c_int};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::Mutex;

use stepdown::conf;
use stepdown::held::{self, Held, Words};
use stepdown::own;
use stepdown::report::clean_lines;
use stepdown::security::credentials::words_of_set;
use stepdown::{OnRefusal, Planned, Security};

use crate::handles::{self, Plan, locked};
use crate::types::{CState, Failure, ON_REFUSAL_ABORT, ON_REFUSAL_ERROR, Outcome};

/// The scope of a file.
pub(crate) fn load_file(path: &[u8]) -> Outcome<usize> {
    loaded(Security::from_file(OsStr::from_bytes(path))?)
}

/// The scope of the search path.
pub(crate) fn load_default() -> Outcome<usize> {
    loaded(Security::from_search_path()?)
}

/// The scope of a text.
pub(crate) fn load_text(name: &[u8], text: &[u8]) -> Outcome<usize> {
    let name = std::str::from_utf8(name).map_err(|_| {
        Failure::invalid(
            "name-not-utf-8",
            "the name of the text is not valid UTF-8",
            "it is what places call the text",
        )
    })?;
    match std::str::from_utf8(text) {
        Ok(text) => loaded(Security::from_text(name, text)?),
        // With the places of what is none.
        Err(_) => Err(Failure::refused(conf::syntax(name, text))),
    }
}

/// What applying does where it can't begin, for plans that are made of the scope from here on.
pub(crate) fn set_on_refusal(scope: usize, on_refusal: c_int) -> Outcome<()> {
    let on_refusal = match on_refusal {
        ON_REFUSAL_ERROR => OnRefusal::Error,
        ON_REFUSAL_ABORT => OnRefusal::Abort,
        other => {
            return Err(Failure::invalid(
                "no-such-value",
                format!("{other} is nothing that can be done on refusal"),
                "give STEPDOWN_ON_REFUSAL_ERROR or STEPDOWN_ON_REFUSAL_ABORT",
            ));
        }
    };
    handles::replace_scope(scope, |scope| scope.clone().on_refusal(on_refusal))?;
    Ok(((), Vec::new()))
}

/// The plan of a scope.
pub(crate) fn plan(scope: usize) -> Outcome<usize> {
    let planned = handles::scope(scope)?.plan()?;
    let warnings = planned.warnings().to_vec();
    let words = steps(&planned);
    let number = handles::add_plan(Plan { words, planned: Mutex::new(Some(planned)) })?;
    Ok((number, warnings))
}

/// The steps of a plan in words.
pub(crate) fn plan_text(plan: usize) -> Outcome<String> {
    Ok((handles::plan(plan)?.words.clone(), Vec::new()))
}

/// Applies a plan; the state that was proven.
pub(crate) fn apply(plan: usize) -> Outcome<CState> {
    // Taken out under the lock and applied after it: the plan goes to one caller alone, and the others are not kept waiting.
    let planned = locked(&handles::plan(plan)?.planned).take();
    let Some(planned) = planned else {
        return Err(Failure::invalid(
            "plan-used-up",
            "this plan was applied already",
            "make a new plan where one is needed",
        ));
    };
    let proof = planned.apply()?;
    Ok((CState::of_all(&proof.state, proof.threads), Vec::new()))
}

/// The state of the calling thread, and whether the others have it.
pub(crate) fn state() -> Outcome<CState> {
    Ok((CState::from(&own::look()?), Vec::new()))
}

/// The supplementary groups of the calling thread.
pub(crate) fn groups() -> Outcome<Vec<u32>> {
    Ok((own::look()?.state.groups, Vec::new()))
}

/// The state in words.
pub(crate) fn state_text() -> Outcome<String> {
    let own = own::look()?;
    // Names would have to be asked for.
    let words = Words { user: &|_| None, group: &|_| None, member: &|_| None, set: &words_of_set };
    let mut rows = held::rows(&Held::from(&own.state), &words);
    let threads = match (own.threads, own.others.len()) {
        (1, _) => "1".to_owned(),
        (count, 0) => format!("{count}, all in this state"),
        (count, others) => format!("{count}, {others} of them in another state"),
    };
    rows.push(("threads", threads));
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<18}{value}");
    }
    Ok((clean_lines(&text), Vec::new()))
}

fn loaded(scope: Security) -> Outcome<usize> {
    let warnings = scope.warnings().to_vec();
    Ok((handles::add_scope(scope)?, warnings))
}

fn steps(planned: &Planned) -> String {
    let mut text = String::new();
    for step in planned.steps() {
        let _ = writeln!(text, "{}", step.step);
    }
    clean_lines(&text)
}
