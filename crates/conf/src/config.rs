//! The configuration as its readers see it: scopes, options, what each was set to and where.
//!
//! Everything here is a small copyable view of one [`Config`]. Names are looked up without regard to case; nothing is
//! interpreted.

use crate::finding::{Finding, Place};
use crate::include::Reading;
use crate::load::{File, Loader};
use crate::merge::{self, AssignmentData, DefinitionData, Merged, NONE};
use crate::name::Name;
use crate::paths::join;
use crate::source::Span;
use crate::tree::{Kind, Piece, significant};
use crate::value::Value;
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// All files of a configuration and what they come to together.
#[derive(Clone, Debug)]
pub struct Config {
    files: Vec<File>,
    merged: Merged,
    notes: Vec<Finding>,
    local_path: Option<String>,
}

/// What stands for the name of a text that is laid over the files.
pub const OVERLAY: &str = "(online)";

/// One scope, merged from every place it was opened.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub(crate) config: &'a Config,
    pub(crate) id: u32,
}

/// One option of a scope: what it is set to, and all it was set to before.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    config: &'a Config,
    id: u32,
}

/// One `name = value` of a file.
#[derive(Clone, Copy)]
pub struct Assignment<'a> {
    pub(crate) config: &'a Config,
    pub(crate) data: AssignmentData,
}

impl Config {
    /// Reads a configuration from its main file. Relative inclusions are looked up beside the including file, then along
    /// the search path (see [`search_path`](crate::search_path)).
    ///
    /// # Errors
    ///
    /// Everything found in all of the files, warnings and notes included, if any of it is an error.
    pub fn load(main: &str, search_path: &[String], loader: &mut dyn Loader) -> Result<Config, Vec<Finding>> {
        let mut reading = Reading::new(Some(loader), search_path);
        reading.main_file(&[main.to_string()]);
        Config::finish(reading)
    }

    /// Reads a configuration whose main file is the first along the search path that has this name.
    ///
    /// # Errors
    ///
    /// As for [`load`](Config::load). If there is no such file, the one error's code is `no-configuration`.
    pub fn find(name: &str, search_path: &[String], loader: &mut dyn Loader) -> Result<Config, Vec<Finding>> {
        let mut reading = Reading::new(Some(loader), search_path);
        let paths: Vec<String> = search_path.iter().map(|directory| join(directory, name)).collect();
        reading.main_file(&paths);
        Config::finish(reading)
    }

    /// Reads a configuration that is one text. `name` stands for a file's name in places.
    ///
    /// # Errors
    ///
    /// As for [`load`](Config::load); the text may include nothing.
    pub fn from_text(name: &str, text: &str) -> Result<Config, Vec<Finding>> {
        let mut reading = Reading::new(None, &[]);
        reading.main_text(name, text);
        Config::finish(reading)
    }

    /// Reads a configuration from its main file and, after everything else, from a text that overrides what it names:
    /// changes made in memory that no file holds. Without a main file that text is the whole configuration. It goes by the name
    /// [`OVERLAY`], and may include nothing.
    ///
    /// # Errors
    ///
    /// As for [`load`](Config::load).
    pub fn load_with(
        main: Option<&str>,
        search_path: &[String],
        loader: &mut dyn Loader,
        overlay: &str,
    ) -> Result<Config, Vec<Finding>> {
        let mut reading = Reading::new(Some(loader), search_path);
        if let Some(main) = main {
            reading.main_file(&[main.to_string()]);
        }
        reading.overlay(OVERLAY, overlay);
        Config::finish(reading)
    }

    /// Warnings and notes found while reading.
    pub fn notes(&self) -> &[Finding] {
        &self.notes
    }

    /// Every file that was read, in the order they were opened, the main file first. [`Span::file`] counts these.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The path of the `Local_Changes_File`, if one is named: where it was read, or where the first change to it would create it.
    pub fn local_changes_path(&self) -> Option<&str> {
        self.local_path.as_deref()
    }

    /// The outermost scope, which has no name.
    pub fn root(&self) -> Scope<'_> {
        Scope { config: self, id: 0 }
    }

    /// Every scope but the outermost, at whatever depth, in the order of their first appearance.
    pub fn scopes(&self) -> impl Iterator<Item = Scope<'_>> {
        (1..self.merged.scopes.len() as u32).map(|id| Scope { config: self, id })
    }

    /// The place of a span, to be shown.
    ///
    /// # Panics
    ///
    /// If the span is not from this configuration.
    pub fn place(&self, span: Span) -> Place {
        self.files[span.file as usize].place(span.start, span.end)
    }

    /// The bytes of a span.
    ///
    /// # Panics
    ///
    /// If the span is not from this configuration.
    pub fn slice(&self, span: Span) -> &str {
        &self.files[span.file as usize].text[crate::source::range(span.start, span.end)]
    }

    fn finish(reading: Reading<'_>) -> Result<Config, Vec<Finding>> {
        let Reading { files, findings: notes, local, overlay, local_path, .. } = reading;
        if notes.iter().any(Finding::is_error) {
            return Err(notes);
        }
        match merge::merge(&files, [local, overlay]) {
            Ok(merged) => Ok(Config { files, merged, notes, local_path }),
            Err(errors) => Err(errors.into_iter().chain(notes).collect()),
        }
    }
}

impl<'a> Scope<'a> {
    /// The name as it was first written; empty for the outermost scope.
    pub fn name(&self) -> &'a str {
        self.first().map_or("", |definition| {
            let span = Merged::span(&self.config.files, definition.file, definition.name);
            self.config.slice(span)
        })
    }

    /// The instance: `":25"` in `Listen ":25" { … }`, without quotes and escapes.
    pub fn instance(&self) -> Option<Cow<'a, str>> {
        let definition = self.first()?;
        let text =
            self.config.files[definition.file as usize].text_after(definition.file, definition.name)?;
        Some(text.text())
    }

    /// The scope this one is in; `None` for the outermost.
    pub fn parent(&self) -> Option<Scope<'a>> {
        let id = self.config.merged.scopes[self.id as usize].parent;
        (id != NONE).then_some(Scope { config: self.config, id })
    }

    /// Every place it was opened, oldest first: the span of its name there. None for the outermost scope.
    pub fn definitions(&self) -> impl Iterator<Item = Span> + use<'a> {
        let files = &self.config.files;
        self.all().map(|definition| Merged::span(files, definition.file, definition.name))
    }

    /// What is between its braces in each of those places.
    pub fn bodies(&self) -> impl Iterator<Item = Span> + use<'a> {
        let files = &self.config.files;
        self.all().map(|definition| {
            let open = Merged::span(files, definition.file, definition.open);
            let close = Merged::span(files, definition.file, definition.close);
            Span { file: definition.file, start: open.end, end: close.start }
        })
    }

    /// Its options, in the order of their first assignment.
    pub fn options(&self) -> impl Iterator<Item = Setting<'a>> + use<'a> {
        let config = self.config;
        let settings = &config.merged.settings;
        list(config.merged.scopes[self.id as usize].settings.first, |id| settings[id as usize].next)
            .map(move |id| Setting { config, id })
    }

    /// The scopes in it, in the order of their first appearance.
    pub fn scopes(&self) -> impl Iterator<Item = Scope<'a>> + use<'a> {
        let config = self.config;
        let scopes = &config.merged.scopes;
        list(scopes[self.id as usize].scopes.first, |id| scopes[id as usize].next)
            .map(move |id| Scope { config, id })
    }

    /// The option of this name, in any case, if it is set.
    pub fn option(&self, name: &str) -> Option<Setting<'a>> {
        let merged = &self.config.merged;
        let wanted = (self.id, Name(name));
        let found = merged.settings_by_name.binary_search_by(|&id| {
            let setting = Setting { config: self.config, id };
            (merged.settings[id as usize].scope, Name(setting.name())).cmp(&wanted)
        });
        found.ok().map(|at| Setting { config: self.config, id: merged.settings_by_name[at] })
    }

    /// The scope in it of this name, in any case, and this very instance.
    pub fn scope(&self, name: &str, instance: Option<&str>) -> Option<Scope<'a>> {
        let merged = &self.config.merged;
        let wanted = (self.id, Name(name), instance);
        let found = merged.scopes_by_name.binary_search_by(|&id| {
            let scope = Scope { config: self.config, id };
            let own = scope.instance();
            (merged.scopes[id as usize].parent, Name(scope.name()), own.as_deref()).cmp(&wanted)
        });
        found.ok().map(|at| Scope { config: self.config, id: merged.scopes_by_name[at] })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = DefinitionData> + use<'a> {
        let merged = &self.config.merged;
        list(merged.scopes[self.id as usize].definitions.first, |id| merged.definitions[id as usize].next)
            .map(|id| merged.definitions[id as usize])
    }

    fn first(&self) -> Option<DefinitionData> {
        self.all().next()
    }
}

impl<'a> Setting<'a> {
    /// The name as it was first written.
    pub fn name(&self) -> &'a str {
        let first = self.config.merged.settings[self.id as usize].assignments.first;
        self.assignment(first).name()
    }

    /// The scope it belongs to.
    pub fn scope(&self) -> Scope<'a> {
        Scope { config: self.config, id: self.config.merged.settings[self.id as usize].scope }
    }

    /// The assignment that counts: the last.
    pub fn current(&self) -> Assignment<'a> {
        self.assignment(self.config.merged.settings[self.id as usize].assignments.last)
    }

    /// Every assignment, oldest first; the last is the current one, which shadows the others.
    pub fn history(&self) -> impl Iterator<Item = Assignment<'a>> + use<'a> {
        let setting = *self;
        let assignments = &self.config.merged.assignments;
        let first = self.config.merged.settings[self.id as usize].assignments.first;
        list(first, |id| assignments[id as usize].next).map(move |id| setting.assignment(id))
    }

    fn assignment(&self, id: u32) -> Assignment<'a> {
        Assignment { config: self.config, data: self.config.merged.assignments[id as usize] }
    }
}

impl<'a> Assignment<'a> {
    /// The name as it is written here.
    pub fn name(&self) -> &'a str {
        self.config.slice(self.name_span())
    }

    /// Where the name is.
    pub fn name_span(&self) -> Span {
        Merged::span(&self.config.files, self.data.file, self.data.name)
    }

    /// Where the value is, quotes and brackets included.
    pub fn span(&self) -> Span {
        let mut pieces = self.pieces();
        let first = pieces.next().map_or(self.name_span(), |piece| self.span_of(piece));
        let end = pieces.last().map_or(first.end, |piece| piece.end());
        Span { end, ..first }
    }

    /// The value.
    pub fn value(&self) -> Value<'a> {
        let file = &self.config.files[self.data.file as usize];
        let mut pieces = self.pieces();
        let first = pieces.next();
        let mut texts =
            pieces.filter(|piece| piece.kind().is_text()).map(|piece| file.text_of(self.data.file, piece));
        match first {
            Some(piece) if piece.kind() == Kind::ArrayOpen => Value::Array(texts.collect()),
            Some(piece) if piece.kind() == Kind::DictOpen => {
                let mut entries = Vec::new();
                while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
                    entries.push((key, value));
                }
                Value::Dict(entries)
            }
            Some(piece) => Value::Text(file.text_of(self.data.file, piece)),
            // Every assignment of a text without errors has a value.
            None => Value::Array(Vec::new()),
        }
    }

    /// The value's pieces without comments, brackets included.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece> + use<'a> {
        let pieces = &self.config.files[self.data.file as usize].tree.pieces;
        let mut after = significant(pieces, self.data.name as usize + 1).map(|(_, piece)| *piece).peekable();
        after.next_if(|piece| piece.kind() == Kind::Equals);
        let mut bracketed = None;
        let mut done = false;
        after.take_while(move |piece| {
            let within = !done;
            let is_bracketed =
                *bracketed.get_or_insert(matches!(piece.kind(), Kind::ArrayOpen | Kind::DictOpen));
            done = done || !is_bracketed || matches!(piece.kind(), Kind::ArrayClose | Kind::DictClose);
            within
        })
    }

    fn span_of(&self, piece: Piece) -> Span {
        Span { file: self.data.file, start: piece.start(), end: piece.end() }
    }
}

/// The elements of a list kept in an array.
fn list(first: u32, next: impl Fn(u32) -> u32) -> impl Iterator<Item = u32> {
    core::iter::successors((first != NONE).then_some(first), move |&id| {
        Some(next(id)).filter(|id| *id != NONE)
    })
}

impl core::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scope").field("name", &self.name()).field("instance", &self.instance()).finish()
    }
}

impl core::fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Setting").field("name", &self.name()).field("current", &self.current()).finish()
    }
}

impl core::fmt::Debug for Assignment<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Assignment").field("name", &self.name()).field("value", &self.value()).finish()
    }
}
