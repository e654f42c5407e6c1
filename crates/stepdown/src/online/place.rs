//! Where a change is written.
//!
//! In place, if the file that last set the value is writable; else in the first writable file that opens the scope; else in
//! the `Local_Changes_File`; else over all files, in memory. A place where the change would have no effect, since a
//! later file overrides it, is passed over. With `Local_Changes_Only` there is only that file. Follows
//! `docs/language.md`, "Changes while a server runs".

use std::path::Path;

use stepdown_conf::{
    Cause, Config, Edit, File, Finding, NewValue, ReadOnly, Scope, apply, shown, shown_path,
};
use stepdown_kernel::replace;

use super::change::{Home, Target, refuse_local_changes_file};
use super::known::State;

/// What comes of a change, and where it is.
type Done = Result<(State, Vec<Home>), Vec<Finding>>;

/// Sets an option. Gives what comes of it, and where the change is.
pub(super) fn put(state: &State, target: &Target, value: &NewValue) -> Done {
    refuse_local_changes_file(target).map_err(|finding| vec![*finding])?;
    let mut tried = Vec::new();
    let mut refused = Vec::new();
    for place in places(state, target) {
        if tried.contains(&place) {
            continue;
        }
        match put_in(state, place, target, value) {
            Some(Ok(done)) if has(&done.0.config, target, value) => return Ok(done),
            Some(Err(findings)) => refused = findings,
            _ => {}
        }
        tried.push(place);
    }
    if refused.is_empty() {
        let message = format!("`{}` can't be set to this", shown(&target.shown()));
        refused.push(Finding::error("no-effect", Cause::Text, message));
    }
    Err(refused)
}

/// Removes an option, or a scope, from every file that may be changed.
pub(super) fn remove(state: &State, target: &Target) -> Done {
    refuse_local_changes_file(target).map_err(|finding| vec![*finding])?;
    let (mut now, mut homes): (State, Vec<Home>) = (state.clone(), Vec::new());
    for index in 0..state.config.files().len() as u32 {
        // Files are told apart by their number, which removing a scope with an inclusion in it may change.
        let path = state.config.files()[index as usize].path();
        let Some(index) = now.config.files().iter().position(|file| file.path() == path) else { continue };
        let file = &now.config.files()[index];
        if is_untouchable(file) {
            continue;
        }
        let edits = removals(&now.config, index as u32, target);
        if edits.is_empty() {
            continue;
        }
        homes.push(home(file));
        let text = apply(file.text(), &edits);
        now = now.with_text(index as u32, text)?;
    }
    if homes.is_empty() {
        let scope = target.scope(&state.config);
        let kept = scope.map(|scope| untouchable(&state.config, target, scope)).unwrap_or_default();
        return Err(kept
            .into_iter()
            .map(|mut finding| {
                finding.severity = stepdown_conf::Severity::Error;
                finding
            })
            .collect());
    }
    Ok((now, homes))
}

/// The places of an option or scope that no online change may be made to.
pub(super) fn untouchable(config: &Config, target: &Target, scope: Scope<'_>) -> Vec<Finding> {
    let mut kept = Vec::new();
    let spans: Vec<_> = match &target.option {
        None => scope.definitions().collect(),
        Some(option) => scope
            .option(option)
            .iter()
            .flat_map(|setting| setting.history())
            .map(|assignment| assignment.name_span())
            .collect(),
    };
    for span in spans {
        let file = &config.files()[span.file as usize];
        if !is_untouchable(file) {
            continue;
        }
        let why = match file.read_only() {
            Some(ReadOnly::IncludedTwice) => {
                "it is included more than once, and a change would show in every place"
            }
            _ => "`readonly_include` brings it",
        };
        let message =
            format!("what `{}` sets stays: no online change is made to that file", shown_path(file.path()));
        kept.push(Finding::warning("stays-set", Cause::Text, message).at(config.place(span)).because(why));
    }
    kept.dedup();
    kept
}

/// The places to try, in order; `None` is the file of local changes that is not there yet.
fn places(state: &State, target: &Target) -> Vec<Option<u32>> {
    let config = &state.config;
    let files = config.files();
    let number = |index: usize| Some(index as u32);
    let writable = |index: &u32| is_writable(&files[*index as usize]);
    let local = files.iter().position(File::is_local_changes);
    let overlay = files.iter().position(File::is_overlay).and_then(number);
    let mut places: Vec<Option<u32>> = Vec::new();
    if !local_changes_only(config) {
        let scope = target.scope(config);
        let setting = scope.and_then(|scope| scope.option(target.option.as_deref()?));
        places.extend(setting.map(|setting| setting.current().span().file).filter(writable).map(Some));
        // A scope of which nothing is there yet belongs where the one around it is.
        let (around, _) = target.deepest(config);
        places.extend((0..files.len() as u32).filter(|file| opens(around, *file)).filter(writable).map(Some));
    }
    match local {
        Some(index) if is_writable(&files[index]) => places.push(number(index)),
        // What root left for later is there, whatever is in it.
        None if config.notes().iter().any(|note| note.code == "local-changes-later") => {}
        None if config
            .local_changes_path()
            .is_some_and(|path| replace::obstacle(Path::new(path)).is_none()) =>
        {
            places.push(None);
        }
        _ => {}
    }
    places.extend(overlay.map(Some));
    places
}

fn local_changes_only(config: &Config) -> bool {
    let only = config.root().option("Local_Changes_Only").map(|only| only.current().value());
    only.and_then(|value| value.as_text()?.boolean()) == Some(true)
}

fn put_in(state: &State, place: Option<u32>, target: &Target, value: &NewValue) -> Option<Done> {
    let created;
    let (state, index) = match place {
        Some(index) => (state, index),
        None => {
            let path = state.config.local_changes_path()?;
            created = match state.with_file(path, "# Changes made while the server runs.\n") {
                Ok(created) => created,
                Err(findings) => return Some(Err(findings)),
            };
            (&created, created.config.files().iter().position(File::is_local_changes)? as u32)
        }
    };
    let option = target.option.as_deref()?;
    let scope = target.scope(&state.config);
    let there = scope
        .and_then(|scope| scope.option(option))
        .and_then(|setting| setting.history().filter(|assignment| assignment.span().file == index).last());
    let edit: Edit = match there {
        Some(assignment) => assignment.set(value),
        None => {
            // The innermost scope around it that this file opens.
            let (mut around, missing) = target.deepest(&state.config);
            let mut depth = target.scopes.len() - missing.len();
            loop {
                if let Some(edit) = around.add(index, &target.scopes[depth..], option, value) {
                    break edit;
                }
                around = around.parent()?;
                depth -= 1;
            }
        }
    };
    let file = &state.config.files()[index as usize];
    let home = home(file);
    let text = apply(file.text(), &[edit]);
    Some(state.with_text(index, text).map(|state| (state, vec![home])))
}

fn removals(config: &Config, file: u32, target: &Target) -> Vec<Edit> {
    let Some(scope) = target.scope(config) else { return Vec::new() };
    match &target.option {
        None => scope.remove(file),
        Some(option) => scope
            .option(option)
            .iter()
            .flat_map(|setting| setting.history())
            .filter(|assignment| assignment.name_span().file == file)
            .map(|assignment| assignment.remove())
            .collect(),
    }
}

fn has(config: &Config, target: &Target, value: &NewValue) -> bool {
    let setting = target.scope(config).and_then(|scope| scope.option(target.option.as_deref()?));
    setting.is_some_and(|setting| value.is(&setting.current().value()))
}

/// Whether a file has a part of this scope. The outermost is that of every file which is not included inside another.
fn opens(scope: Scope<'_>, file: u32) -> bool {
    if scope.parent().is_some() {
        return scope.definitions().any(|span| span.file == file);
    }
    let options = scope.options().flat_map(|setting| setting.history().map(|one| one.name_span().file));
    let scopes = scope.scopes().flat_map(|inner| inner.definitions().map(|span| span.file));
    file == 0 || options.chain(scopes).any(|one| one == file)
}

fn home(file: &File) -> Home {
    if file.is_overlay() { Home::Memory } else { Home::File(file.path().to_owned()) }
}

/// Whether the language forbids any change to a file, whoever owns it.
fn is_untouchable(file: &File) -> bool {
    matches!(file.read_only(), Some(ReadOnly::IncludedTwice | ReadOnly::ReadonlyInclude))
}

/// Whether this process, as it is now, could save a change to a file.
fn is_writable(file: &File) -> bool {
    !file.is_overlay() && !is_untouchable(file) && replace::obstacle(Path::new(file.path())).is_none()
}
