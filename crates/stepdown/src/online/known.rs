//! What a configuration's files said when they were read, and those that were edited since: all that is needed to read
//! the configuration again without looking at a disk.
//!
//! A running server's configuration must not change because somebody saved half a file. So every answer of the loader is
//! kept, and the configuration is read from those. Not for: what is in a text, see crate `conf`.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_conf::{Config, Finding, LoadError, Loaded, Loader};

/// The answers that the loader gave, by the path it was asked about.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The main file, and the directories in which others are looked for; no main file where all is in memory.
    pub(super) main: Option<String>,
    pub(super) search_path: Vec<String>,
    answers: BTreeMap<String, Answer>,
    /// The files whose text is not what was read, by path, with what was.
    edited: BTreeMap<String, Original>,
    /// How many files there are that only memory knows, each of which needs an identity.
    invented: u64,
}

/// A configuration, and what it was read from.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) known: Known,
    pub(super) config: Config,
}

/// What a file's place held when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Original {
    /// There was no file.
    Nothing,
    /// This file with this text.
    File((u64, u64), Arc<str>),
}

#[derive(Clone, Debug)]
enum Answer {
    File { identity: (u64, u64), writable: bool },
    Directory(Vec<String>),
    Error(LoadError),
}

impl State {
    /// Reads a configuration from its files.
    pub(super) fn from_files(
        main: &str,
        search_path: &[String],
        loader: &mut dyn Loader,
    ) -> Result<State, Vec<Finding>> {
        let mut recorder = Recorder { loader, answers: BTreeMap::new() };
        let config = Config::load_with(Some(main), search_path, &mut recorder, "")?;
        let known = Known {
            main: Some(main.to_owned()),
            search_path: search_path.to_vec(),
            answers: recorder.answers,
            ..Known::default()
        };
        Ok(State { known, config })
    }

    /// The empty configuration, without any file.
    pub(super) fn empty() -> Result<State, Vec<Finding>> {
        let known = Known::default();
        let config = Config::load_with(None, &[], &mut Replay::new(&known, None), "")?;
        Ok(State { known, config })
    }

    /// The text that is laid over all files.
    pub(super) fn overlay(&self) -> &str {
        let overlay = self.config.files().iter().find(|file| file.is_overlay());
        overlay.map_or("", |file| file.text())
    }

    /// The same with the text of one file replaced, everything read again.
    pub(super) fn with_text(&self, file: u32, text: String) -> Result<State, Vec<Finding>> {
        let file = &self.config.files()[file as usize];
        if file.is_overlay() {
            return self.read_again(self.known.clone(), None, &text);
        }
        let mut known = self.known.clone();
        let path = file.path();
        if let Some(Answer::File { identity, .. }) = known.answers.get(path) {
            let (identity, original) = (*identity, || Original::File(*identity, file.text().into()));
            match known.edited.get(path) {
                None => {
                    let original = original();
                    known.edited.insert(path.to_owned(), original);
                }
                // What is as it was read needs no writing.
                Some(Original::File(_, read)) if **read == text => {
                    known.edited.remove(path);
                }
                Some(_) => {}
            }
            return self.read_again(known, Some((identity, &text)), self.overlay());
        }
        self.read_again(known, None, self.overlay())
    }

    /// The same with one more file, where there was none.
    pub(super) fn with_file(&self, path: &str, text: &str) -> Result<State, Vec<Finding>> {
        let mut known = self.known.clone();
        known.invented += 1;
        let identity = (u64::MAX, known.invented);
        known.answers.insert(path.to_owned(), Answer::File { identity, writable: true });
        known.edited.insert(path.to_owned(), Original::Nothing);
        self.read_again(known, Some((identity, text)), self.overlay())
    }

    /// The files whose text is not what was read, with what was.
    pub(super) fn edited(&self) -> impl Iterator<Item = (&str, &Original)> {
        self.known.edited.iter().map(|(path, original)| (path.as_str(), original))
    }

    pub(super) fn is_edited(&self, path: &str) -> bool {
        self.known.edited.contains_key(path)
    }

    /// The text of a file by its path.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.config.files().iter().find(|file| file.path() == path).map(|file| file.text())
    }

    /// A file was written: what is in memory is now on disk, as this file.
    pub(super) fn written(&mut self, path: &str, identity: (u64, u64)) {
        self.known.edited.remove(path);
        let before = match self.known.answers.get(path) {
            Some(Answer::File { identity, .. }) => Some(*identity),
            _ => None,
        };
        for answer in self.known.answers.values_mut() {
            if let Answer::File { identity: known, .. } = answer
                && Some(*known) == before
            {
                *known = identity;
            }
        }
    }

    /// Another copy of this was written to a file, which is now another file with that text.
    pub(super) fn written_meanwhile(&mut self, path: &str, identity: (u64, u64), text: Arc<str>) {
        let is_as_written = self.text(path) == Some(&*text);
        self.written(path, identity);
        if !is_as_written {
            self.known.edited.insert(path.to_owned(), Original::File(identity, text));
        }
    }

    fn read_again(
        &self,
        mut known: Known,
        edited: Option<((u64, u64), &str)>,
        overlay: &str,
    ) -> Result<State, Vec<Finding>> {
        let mut replay = Replay::new(&known, edited);
        for file in self.config.files().iter().filter(|file| !file.is_overlay()) {
            if let Some(Answer::File { identity, .. }) = self.known.answers.get(file.path()) {
                replay.texts.entry(*identity).or_insert(file.text());
            }
        }
        let config = Config::load_with(known.main.as_deref(), &known.search_path, &mut replay, overlay)?;
        // A file whose inclusion went with a scope is no longer part of the configuration, and nothing is written to it.
        known.edited.retain(|path, _| config.files().iter().any(|file| file.path() == path));
        Ok(State { known, config })
    }
}

/// Passes questions on, and keeps the answers.
struct Recorder<'l> {
    loader: &'l mut dyn Loader,
    answers: BTreeMap<String, Answer>,
}

impl Recorder<'_> {
    fn keep(&mut self, path: &str, loaded: Result<Loaded, LoadError>) -> Result<Loaded, LoadError> {
        let answer = match &loaded {
            Ok(Loaded::File { identity, writable, .. }) => {
                Answer::File { identity: *identity, writable: *writable }
            }
            Ok(Loaded::Directory { names }) => Answer::Directory(names.clone()),
            Err(error) => Answer::Error(error.clone()),
        };
        self.answers.insert(path.to_owned(), answer);
        loaded
    }
}

impl Loader for Recorder<'_> {
    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        let loaded = self.loader.load(path);
        self.keep(path, loaded)
    }

    fn load_local_changes(&mut self, path: &str) -> Result<Loaded, LoadError> {
        let loaded = self.loader.load_local_changes(path);
        self.keep(path, loaded)
    }
}

/// Answers from memory.
struct Replay<'a> {
    known: &'a Known,
    /// The text of each file by its identity.
    texts: BTreeMap<(u64, u64), &'a str>,
}

impl<'a> Replay<'a> {
    fn new(known: &'a Known, edited: Option<((u64, u64), &'a str)>) -> Replay<'a> {
        Replay { known, texts: edited.into_iter().collect() }
    }
}

impl Loader for Replay<'_> {
    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        match self.known.answers.get(path) {
            Some(Answer::File { identity, writable }) => match self.texts.get(identity) {
                Some(text) => Ok(Loaded::File {
                    identity: *identity,
                    text: text.as_bytes().to_vec(),
                    writable: *writable,
                }),
                None => Err(LoadError::NotFound),
            },
            Some(Answer::Directory(names)) => Ok(Loaded::Directory { names: names.clone() }),
            Some(Answer::Error(error)) => Err(error.clone()),
            None => Err(LoadError::NotFound),
        }
    }
}
