//! Saving what was changed while the server ran: each file by itself, whole or not at all.
//!
//! A file is written only if it is still what was read. What can't be saved stays unsaved, and is said in words that
//! could be typed again. Follows `docs/language.md`, "Changes while a server runs".

use std::fmt::Write;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use stepdown_conf::{Cause, Finding, shell_word, shown_path};
use stepdown_kernel::replace::{self, Expected, ReplaceError};
use stepdown_kernel::{files, trust};

use super::known::{Original, State};
use super::{Change, Online, place};

/// What `config writeback` did.
#[derive(Clone, Debug)]
pub struct Written {
    /// Each file that there was something to write to.
    pub files: Vec<Saved>,
    /// The changes that are in no file still, as `config set` and `config unset`, one a line.
    pub unsaved: String,
    /// What is to be said: an error for each file that was not written, and a warning about what is in no file.
    pub findings: Vec<Finding>,
}

/// What became of one file.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Its path.
    pub path: String,
    /// Whether it was written.
    pub outcome: Outcome,
}

/// Whether a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds the changes now.
    Saved,
    /// It is as it was.
    NotSaved,
}

impl Written {
    /// Whether every change is in a file now.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unsaved.is_empty() && self.files.iter().all(|file| file.outcome == Outcome::Saved)
    }
}

impl Online {
    /// `config writeback`: the edited texts into the files they belong to. Each is replaced at once, or left as it is.
    ///
    /// With a `path`, the unsaved changes go into a new file of that name instead, as a configuration that makes them when it is
    /// included last; they stay unsaved, since nothing includes it.
    pub fn writeback(&mut self, path: Option<&str>) -> Written {
        match path {
            Some(path) => self.write_changes(path),
            None => self.write_files(),
        }
    }

    fn write_files(&mut self) -> Written {
        let mut written = Written { files: Vec::new(), unsaved: String::new(), findings: Vec::new() };
        let edited: Vec<(String, Original)> =
            self.state.edited().map(|(path, original)| (path.to_owned(), original.clone())).collect();
        for (path, original) in edited {
            let Some(text) = self.state.text(&path).map(str::to_owned) else { continue };
            let expected = match &original {
                Original::Nothing => Expected::Nothing,
                Original::File(identity, read) => Expected::File(*identity, read.as_bytes()),
            };
            let outcome = match save(&path, &text, expected) {
                Ok((identity, warning)) => {
                    Arc::make_mut(&mut self.state).written(&path, identity);
                    self.writes.push((path.clone(), identity, text.into()));
                    written.findings.extend(warning);
                    Outcome::Saved
                }
                Err(finding) => {
                    written.findings.push(*finding);
                    Outcome::NotSaved
                }
            };
            written.files.push(Saved { path, outcome });
        }
        let state = Arc::clone(&self.state);
        self.changes.retain(|change| !change.is_saved(&state));
        for change in &self.changes {
            let _ = writeln!(written.unsaved, "{change}");
        }
        if !self.changes.is_empty() {
            written.findings.push(nowhere(&self.changes, self.from_scratch));
        }
        written
    }

    fn write_changes(&mut self, path: &str) -> Written {
        let mut written = Written { files: Vec::new(), unsaved: String::new(), findings: Vec::new() };
        let outcome = match changes_file(path, self.unsaved()) {
            Ok(warnings) => {
                written.findings.extend(warnings);
                Outcome::Saved
            }
            Err(findings) => {
                written.findings.extend(findings);
                Outcome::NotSaved
            }
        };
        written.files.push(Saved { path: path.to_owned(), outcome });
        written
    }
}

/// Writes changes as a configuration of their own.
fn changes_file<'c>(
    path: &str,
    changes: impl Iterator<Item = &'c Change>,
) -> Result<Vec<Finding>, Vec<Finding>> {
    let one = |finding: Box<Finding>| vec![*finding];
    if !path.starts_with('/') {
        let message = format!("`{}` is not an absolute path", shown_path(path));
        return Err(vec![
            Finding::error("relative-path", Cause::Text, message)
                .because("the server's current directory is not that of whoever asks")
                .hint("begin it with `/`"),
        ]);
    }
    if let Some(parent) = Path::new(path).parent()
        && trust::is_privileged()
        && let Some((what, how)) = files::untrusted(parent.as_os_str().as_bytes())
    {
        let message =
            format!("nothing is written to {}: {what} is not root's alone, {how}", shown_path(path));
        return Err(vec![Finding::error("untrusted-directory", Cause::Host, message).because(
            "this process is privileged, and whoever can change that directory decides what it writes",
        )]);
    }
    let (mut state, mut warnings) = (State::empty()?, Vec::new());
    for change in changes {
        let target = change.target();
        match change.value() {
            Some(value) => state = place::put(&state, target, value)?.0,
            None => {
                if target.exists(&state.config) {
                    state = place::remove(&state, target)?.0;
                }
                let message = format!("`{change}` is not in the file");
                warnings.push(
                    Finding::warning("not-in-file", Cause::Text, message)
                        .because("a file can set an option; that one is not set, no statement says"),
                );
            }
        }
    }
    let text = format!("# Changes made while the server ran.\n{}", state.overlay());
    let (_, warning) = save(path, &text, Expected::Nothing).map_err(one)?;
    warnings.extend(warning);
    Ok(warnings)
}

type NowThere = ((u64, u64), Option<Finding>);

/// Replaces one file. Gives its new identity, and a warning if any.
fn save(path: &str, text: &str, expected: Expected<'_>) -> Result<NowThere, Box<Finding>> {
    let shown = shown_path(path);
    let error = match replace::replace(Path::new(path), text.as_bytes(), expected) {
        Ok(replaced) => {
            let warning = replaced.unsynced.map(|error| {
                let message = format!("{shown} is written, but may not survive a failure of the machine");
                Finding::warning("not-synced", Cause::Host, message).because(words(&error))
            });
            return Ok((replaced.identity, warning));
        }
        Err(error) => error,
    };
    let finding =
        |code, why: String| Finding::error(code, Cause::Host, format!("{shown} is not saved: {why}"));
    Err(Box::new(match error {
        ReplaceError::Changed(how) => finding("changed-on-disk", how)
            .because("somebody changed it since the server read it, and that would be lost")
            .hint("`config reload` takes what is on disk, and undoes the changes in memory"),
        ReplaceError::Refused(why) => finding("not-replaced", why)
            .because("a file is saved by putting a new one in its place")
            .hint(format!("see `ls -l {}`", shell_word(path))),
        ReplaceError::Step(step, error) => {
            let finding = finding("not-saved", format!("failed to {step}: {}", words(&error)));
            let finding = finding.because("the old file is as it was");
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => finding.hint("make room, and write back again"),
                ErrorKind::PermissionDenied => finding.hint(
                    "the server is no longer root; a Local_Changes_File that its user may write takes such changes",
                ),
                _ => finding.hint(format!("see `namei -l {}`", shell_word(path))),
            }
        }
    }))
}

fn nowhere(changes: &[Change], from_scratch: bool) -> Finding {
    let count = changes.len();
    let all_have_files = changes.iter().all(|change| change.files().next().is_some());
    let changes = if count == 1 { "1 change is".to_owned() } else { format!("{count} changes are") };
    let finding = Finding::warning("not-in-any-file", Cause::Host, format!("{changes} in memory alone"));
    if from_scratch {
        return finding
            .because("this configuration began from scratch, and no file belongs to it")
            .hint("`config writeback /path/to/a/new/file` writes it there");
    }
    if all_have_files {
        return finding
            .because("the files that they belong to could not be written")
            .hint("`config writeback` tries again; until a reload nothing is lost");
    }
    finding
        .because("no file that this process may write has a place for it")
        .hint("set Local_Changes_File to a file that the server's user may write, or make the change by hand")
}

/// An error of the system without the `(os error 13)` that the standard library adds.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
