//! One session's transaction: changes that only it sees until they are committed.

use std::sync::Arc;

use stepdown_conf::{Cause, Config, Finding, shown};

use super::change::{Asked, Change, Target};
use super::known::State;
use super::{Candidate, Kind, Online, place};
use crate::console::{self, Found, Reply};

/// A transaction.
#[derive(Clone, Debug)]
pub struct Draft {
    who: String,
    /// What it began on, and which generation that was.
    base: Arc<State>,
    generation: u64,
    from_scratch: bool,
    /// Whether no file has a part in it: it, or what it began on, began from scratch.
    without_files: bool,
    state: Arc<State>,
    changes: Vec<Change>,
}

impl Draft {
    /// `config begin`: on what is running. `who` is named where others find out, such as `user root (pid 4711)`.
    #[must_use]
    pub fn begin(online: &Online, who: &str) -> Draft {
        Draft {
            who: who.to_owned(),
            base: Arc::clone(&online.state),
            generation: online.generation,
            from_scratch: false,
            without_files: online.from_scratch,
            state: Arc::clone(&online.state),
            changes: Vec::new(),
        }
    }

    /// `config begin from scratch`: on an empty configuration, to which no file belongs.
    ///
    /// # Errors
    /// None is known.
    pub fn begin_from_scratch(online: &Online, who: &str) -> Result<Draft, Vec<Finding>> {
        let state = Arc::new(State::empty()?);
        Ok(Draft {
            who: who.to_owned(),
            base: Arc::clone(&online.state),
            generation: online.generation,
            from_scratch: true,
            without_files: true,
            state,
            changes: Vec::new(),
        })
    }

    /// The configuration as it would be.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// Its changes, oldest first.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether it began on an empty configuration.
    #[must_use]
    pub fn is_from_scratch(&self) -> bool {
        self.from_scratch
    }

    /// Whether something else was accepted since it began: a commit would be refused.
    #[must_use]
    pub fn is_stale(&self, online: &Online) -> bool {
        self.generation != online.generation
    }

    /// `config set`: `text` is all that follows these words, `[scope …] option [=] value`, as it was typed. The reply
    /// is the new line.
    ///
    /// # Errors
    /// A text that can't be understood, or a change that can't be made; nothing has changed then.
    pub fn set(&mut self, text: &str) -> Result<Reply, Vec<Finding>> {
        let asked = Asked::parse(text, self.config()).map_err(one)?;
        let (state, change) = self.made(&self.state, &asked, &self.who)?;
        let target = change.target().clone();
        self.state = Arc::new(state);
        self.changes.push(change);
        let config = self.config();
        let setting = target.scope(config).and_then(|scope| scope.option(target.option.as_deref()?));
        Ok(setting.map_or_else(Reply::nothing, |setting| {
            Reply::found(config, Found::Option(setting), false, false)
        }))
    }

    /// `config unset`: the option that the words lead to, or the scope. The reply says what holds now.
    ///
    /// # Errors
    /// Words that lead nowhere, or a change that can't be made; nothing has changed then.
    pub fn unset(&mut self, words: &[String]) -> Result<Reply, Vec<Finding>> {
        let target = match console::show(self.config(), words) {
            Ok(Found::Option(setting)) => Target::of_option(setting),
            Ok(Found::Scope(scope)) if scope.parent().is_none() => {
                return Err(one(Box::new(
                    Finding::error("global-scope", Cause::Text, "the global scope can't be unset")
                        .because("it is the whole configuration")
                        .hint("name an option or a scope in it; `config begin from scratch` begins without anything"),
                )));
            }
            Ok(Found::Scope(scope)) => Target::of_scope(scope),
            Err(finding) => {
                // An option that is not set is no error of the words.
                return match console::get(self.config(), words) {
                    Ok(answer) => Ok(Reply::answered(self.config(), &answer, false)),
                    Err(_) => Err(one(finding)),
                };
            }
        };
        let kept = self.kept(&target);
        let asked = Asked { target: target.clone(), value: None };
        let (state, change) = self.made(&self.state, &asked, &self.who)?;
        self.state = Arc::new(state);
        self.changes.push(change);
        let mut reply =
            Reply::unset(self.config(), &target.words(), &target.shown(), target.option.is_some());
        reply.findings.extend(kept);
        Ok(reply)
    }

    /// `config replay`: the same changes again, on what is running now. Gives what came out differently, as warnings.
    ///
    /// # Errors
    /// Every change that can't be made any more; the transaction is as it was, and still not to be committed.
    pub fn replay(&mut self, online: &Online) -> Result<Vec<Finding>, Vec<Finding>> {
        let mut again = if self.from_scratch {
            Draft::begin_from_scratch(online, &self.who)?
        } else {
            Draft::begin(online, &self.who)
        };
        let (mut warnings, mut errors) = (Vec::new(), Vec::new());
        for change in &self.changes {
            let target = change.target();
            if !self.from_scratch {
                warnings.extend(change.met(&self.base.config, online));
            }
            if change.value().is_none() && !target.exists(again.config()) {
                let message = format!("`{}` is not set any more", shown(&target.shown()));
                warnings.push(Finding::note("already-unset", Cause::Text, message));
                continue;
            }
            let asked = Asked { target: target.clone(), value: change.value().cloned() };
            match again.made(&again.state, &asked, &self.who) {
                Ok((state, change)) => {
                    again.state = Arc::new(state);
                    again.changes.push(change);
                }
                Err(findings) => errors.extend(findings),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        *self = again;
        Ok(warnings)
    }

    /// `config commit`: what the server is to apply, and have accepted.
    ///
    /// # Errors
    /// Something else was accepted since it began: who was first, and when.
    pub fn candidate(&self, online: &Online) -> Result<Candidate, Box<Finding>> {
        online.check_base(self.generation)?;
        Ok(Candidate {
            state: Arc::clone(&self.state),
            main: online.main.clone(),
            base: self.generation,
            changes: self.changes.clone(),
            replaces: self.from_scratch,
            from_scratch: self.without_files,
            who: self.who.clone(),
            kind: Kind::Commit,
            warnings: Vec::new(),
        })
    }

    fn made(&self, state: &State, asked: &Asked, who: &str) -> Result<(State, Change), Vec<Finding>> {
        let (state, files) = match &asked.value {
            Some(value) => place::put(state, &asked.target, value)?,
            None => place::remove(state, &asked.target)?,
        };
        Ok((state, Change::new(asked.clone(), files, who)))
    }

    /// What of an option or scope can't be removed, because no online change may be made to its file.
    fn kept(&self, target: &Target) -> Vec<Finding> {
        let Some(scope) = target.scope(self.config()) else { return Vec::new() };
        place::untouchable(self.config(), target, scope)
    }
}

#[allow(clippy::boxed_local, reason = "it is how findings come")]
fn one(finding: Box<Finding>) -> Vec<Finding> {
    vec![*finding]
}
