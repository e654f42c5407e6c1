//! The running configuration of a server and its changes while it runs: the console's `config` commands that change
//! something.
//!
//! [`Online`] holds what the server runs on: the texts of the files as they were read, and what they come to. A
//! [`Draft`] is one session's transaction on it; nothing but memory changes. What it comes to is a [`Candidate`], which the
//! server applies and then has [accepted](Online::accept): the first commit wins. A change is an edit of the text of the
//! file it belongs to, so that [`Online::writeback`] can save just that; what belongs to no file is laid over all of
//! them in memory, as `(online)`.
//!
//! Nothing here listens, answers or applies anything. Follows `docs/language.md`, "Changes while a server runs".

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use stepdown_conf::{Cause, Config, Finding, shown};
use stepdown_kernel::environment::Environment;

use crate::source::{self, FileLoader};
use known::State;

pub use change::Change;
pub use draft::Draft;
pub use writeback::{Outcome, Saved, Written};

/// The configuration a server runs on.
#[derive(Clone, Debug)]
pub struct Online {
    state: Arc<State>,
    /// The main file that was asked for; the one along the search path where none was.
    main: Option<String>,
    generation: u64,
    changes: Vec<Change>,
    from_scratch: bool,
    latest: Stamp,
    /// What was written to files since this generation began: a transaction that began before does not know of it.
    writes: Vec<(String, (u64, u64), Arc<str>)>,
}

/// What a server is to run on instead, if it can.
#[derive(Clone, Debug)]
#[must_use = "it is applied by the server, and then accepted"]
pub struct Candidate {
    state: Arc<State>,
    main: Option<String>,
    /// The generation that it was made from.
    base: u64,
    changes: Vec<Change>,
    /// Whether the changes made before have no part in it.
    replaces: bool,
    from_scratch: bool,
    who: String,
    kind: Kind,
    warnings: Vec<Finding>,
}

/// How a candidate came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `config commit`, or a change outside of a transaction.
    Commit,
    /// `config reload`: everything anew from the files.
    Reload,
}

/// Who made the running configuration what it is, and when.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// In words, such as `user root (pid 4711)`.
    pub who: String,
    /// By the system's clock.
    pub when: SystemTime,
    /// What was done.
    pub what: &'static str,
}

impl Online {
    /// Reads the configuration from its files: `main`, or the main file along the search path.
    ///
    /// As root, a `Local_Changes_File` that others can write to is left for later: [`notes`](Online::notes) has one with the code
    /// `local-changes-later`, and a [`reload`](Online::reload) after the step down reads it.
    ///
    /// # Errors
    /// As for [`source::load`].
    pub fn load(main: Option<&Path>) -> Result<Online, Vec<Finding>> {
        let main = main.map(absolute).transpose()?;
        let state = read(main.as_deref())?;
        let latest = Stamp { who: "the start".to_owned(), when: SystemTime::now(), what: "read from files" };
        Ok(Online {
            state: Arc::new(state),
            main,
            generation: 1,
            changes: Vec::new(),
            from_scratch: false,
            latest,
            writes: Vec::new(),
        })
    }

    /// What the server runs on.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// Warnings and notes from reading it.
    #[must_use]
    pub fn notes(&self) -> &[Finding] {
        self.state.config.notes()
    }

    /// Counts what was accepted, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Who made it what it is, and when.
    #[must_use]
    pub fn latest(&self) -> &Stamp {
        &self.latest
    }

    /// Whether there are changes that are in no file yet.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.from_scratch || self.unsaved().next().is_some()
    }

    /// The changes that are in no file yet, oldest first.
    pub fn unsaved(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.is_saved(&self.state))
    }

    /// Whether everything began from scratch: no file has any part in what the server runs on.
    #[must_use]
    pub fn is_from_scratch(&self) -> bool {
        self.from_scratch
    }

    /// Whether a candidate may still be applied: nothing was accepted since it was made.
    ///
    /// # Errors
    /// Who was first, and when.
    pub fn check(&self, candidate: &Candidate) -> Result<(), Box<Finding>> {
        self.check_base(candidate.base)
    }

    /// Takes over a candidate after the server has applied it. The first wins.
    ///
    /// # Errors
    /// As for [`check`](Online::check); nothing has changed then.
    pub fn accept(&mut self, candidate: Candidate) -> Result<(), Box<Finding>> {
        self.check(&candidate)?;
        let Candidate { mut state, main, changes, replaces, from_scratch, who, kind, .. } = candidate;
        let what = match kind {
            Kind::Commit => "committed",
            Kind::Reload => "reloaded",
        };
        if replaces {
            self.changes = changes;
        } else {
            for (path, identity, text) in self.writes.drain(..) {
                Arc::make_mut(&mut state).written_meanwhile(&path, identity, text);
            }
            self.changes.extend(changes);
        }
        self.writes.clear();
        self.latest = Stamp { who, when: SystemTime::now(), what };
        self.generation += 1;
        (self.state, self.main, self.from_scratch) = (state, main, from_scratch);
        Ok(())
    }

    /// `config reload`: everything anew from the files, without any online change that is not in them. `path` is another
    /// main file from now on. The changes that are lost are warnings of the candidate.
    ///
    /// # Errors
    /// Everything that is wrong with the files. Nothing has changed.
    pub fn reload(&self, path: Option<&str>, who: &str) -> Result<Candidate, Vec<Finding>> {
        let main = match path {
            Some(path) if !path.starts_with('/') => {
                let message = format!("`{}` is not an absolute path", shown(path));
                return Err(vec![
                    Finding::error("relative-path", Cause::Text, message)
                        .because("the server's current directory is not that of whoever asks")
                        .hint("begin it with `/`"),
                ]);
            }
            Some(path) => Some(path.to_owned()),
            None => self.main.clone(),
        };
        let state = read(main.as_deref())?;
        let mut warnings: Vec<Finding> = self.unsaved().map(Change::undone).collect();
        if self.from_scratch {
            let message = "the configuration that began from scratch gives way to the one in the files";
            warnings.insert(0, Finding::warning("change-undone", Cause::Text, message));
        }
        warnings.extend(state.config.notes().iter().cloned());
        Ok(Candidate {
            state: Arc::new(state),
            main,
            base: self.generation,
            changes: Vec::new(),
            replaces: true,
            from_scratch: false,
            who: who.to_owned(),
            kind: Kind::Reload,
            warnings,
        })
    }

    fn check_base(&self, base: u64) -> Result<(), Box<Finding>> {
        if base == self.generation {
            return Ok(());
        }
        let Stamp { who, when, what } = &self.latest;
        let message =
            format!("the running configuration is newer: {} {what} at {}", shown(who), clock::utc(*when));
        Err(Box::new(
            Finding::error("stale-transaction", Cause::Host, message)
                .because("the first commit wins; this transaction began before it")
                .hint("`config replay` makes its changes again on what is running now"),
        ))
    }
}

impl Candidate {
    /// The configuration it comes to.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// What whoever asked for it should know: the changes that a reload undoes, and what was odd about the files.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// How it came to be.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who asked for it.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }
}

fn read(main: Option<&str>) -> Result<State, Vec<Finding>> {
    let environment = Environment::of_process();
    source::refuse_set_id(&environment)?;
    let path = source::path(&environment)?;
    let found = match main {
        Some(main) => main.to_owned(),
        None => source::find(&path)?,
    };
    State::from_files(&found, &path, &mut FileLoader)
}

/// The server may change its current directory; the name of its main file has to hold all the same.
fn absolute(main: &Path) -> Result<String, Vec<Finding>> {
    let full = std::path::absolute(main).unwrap_or_else(|_| main.to_owned());
    source::name(full.as_os_str().as_bytes()).map(str::to_owned)
}

mod change;
mod clock;
mod draft;
mod known;
mod place;
mod writeback;
