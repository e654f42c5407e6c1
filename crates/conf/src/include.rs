//! Reading all files of a configuration: what each inclusion means, and where it ends.
//!
//! A file is read once, however often and under whatever names it is included. Cycles are found by path and by identity;
//! files, bytes and depth are limited, counting a file each time it is included, so that files which include each other
//! many times over cannot cost more than one that is too large.

use crate::finding::{Cause, Finding, shown_path};
use crate::load::{File, LoadError, Loaded, Loader, ReadOnly, read};
use crate::paths::{Entry, candidates, entry, join};
use crate::source::Span;
use crate::tree::Kind;
use crate::{MAX_INCLUDE_DEPTH, MAX_INCLUSIONS, MAX_TOTAL_BYTES};
use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

/// What was read: the files in the order they were opened, the main one first, and what was found wrong with them.
pub(crate) struct Reading<'l> {
    pub(crate) files: Vec<File>,
    pub(crate) findings: Vec<Finding>,
    /// The file of local changes, which comes after everything else.
    pub(crate) local: Option<u32>,
    /// The text that is laid over all files, which comes after even that.
    pub(crate) overlay: Option<u32>,
    /// Where the file of local changes is or, if there is none yet, would be.
    pub(crate) local_path: Option<String>,
    loader: Option<&'l mut dyn Loader>,
    search_path: &'l [String],
    /// The paths and the identities of the files that were read. There are few, at most [`MAX_INCLUSIONS`].
    by_path: Vec<(String, u32)>,
    by_identity: Vec<((u64, u64), u32)>,
    /// The files being read, each with the inclusion that leads on from it.
    chain: Vec<(u32, Span)>,
    inclusions: u32,
    bytes: u64,
    exhausted: bool,
}

/// A file as the loader gave it.
struct Content {
    identity: Option<(u64, u64)>,
    text: Vec<u8>,
    writable: bool,
}

impl<'l> Reading<'l> {
    pub(crate) fn new(loader: Option<&'l mut dyn Loader>, search_path: &'l [String]) -> Reading<'l> {
        Reading {
            files: Vec::new(),
            findings: Vec::new(),
            local: None,
            overlay: None,
            local_path: None,
            loader,
            search_path,
            by_path: Vec::new(),
            by_identity: Vec::new(),
            chain: Vec::new(),
            inclusions: 0,
            bytes: 0,
            exhausted: false,
        }
    }

    /// Reads the first of some paths that is there as the main file, and everything it includes.
    pub(crate) fn main_file(&mut self, paths: &[String]) {
        for path in paths {
            match self.load(path) {
                Err(LoadError::NotFound) => {}
                Err(error) => return self.findings.push(refused(error)),
                Ok(Loaded::Directory { .. }) => {
                    let message = format!("`{}` is a directory", shown_path(path));
                    let finding = Finding::error("not-a-file", Cause::Host, message);
                    return self.findings.push(finding.because("the main configuration is one file"));
                }
                Ok(Loaded::File { identity, text, writable }) => {
                    self.file(path.clone(), Content { identity: Some(identity), text, writable }, false);
                    return self.local_changes();
                }
            }
        }
        let message = match paths {
            [path] => format!("no configuration found: there is no `{}`", shown_path(path)),
            _ => "no configuration found".to_string(),
        };
        let finding = Finding::error("no-configuration", Cause::Host, message);
        self.findings.push(finding.because(looked_for(paths)));
    }

    /// Takes a text as the main file; it may include nothing.
    pub(crate) fn main_text(&mut self, name: &str, text: &str) {
        let content = Content { identity: None, text: text.as_bytes().to_vec(), writable: false };
        self.file(name.to_string(), content, false);
        self.local_changes();
    }

    /// Takes a text that comes after every file. It may include nothing, and a file of local changes that it names is not
    /// read.
    pub(crate) fn overlay(&mut self, name: &str, text: &str) {
        self.loader = None;
        let content = Content { identity: None, text: text.as_bytes().to_vec(), writable: true };
        let index = self.file(name.to_string(), content, false);
        self.files[index as usize].overlay = true;
        self.overlay = Some(index);
    }

    fn at_path(&self, path: &str) -> Option<u32> {
        self.by_path.iter().find(|(known, _)| known == path).map(|(_, index)| *index)
    }

    fn identical(&self, identity: (u64, u64)) -> Option<u32> {
        self.by_identity.iter().find(|(known, _)| *known == identity).map(|(_, index)| *index)
    }

    /// Reads one new file and what it includes; gives its index.
    fn file(&mut self, path: String, content: Content, readonly: bool) -> u32 {
        let index = self.files.len() as u32;
        self.by_path.push((path.clone(), index));
        if let Some(identity) = content.identity {
            self.by_identity.push((identity, index));
        }
        let ((text, tree), findings) = read(&path, content.text.into());
        self.findings.extend(findings);
        let read_only = match content.writable {
            _ if readonly => Some(ReadOnly::ReadonlyInclude),
            false => Some(ReadOnly::NotWritable),
            true => None,
        };
        self.files.push(File::new(path, text, tree, read_only));
        self.spend(index);

        let notable = self.files[index as usize].tree.notable.clone();
        for statement in notable {
            if self.exhausted {
                break;
            }
            let piece = self.files[index as usize].tree.pieces[statement.piece as usize];
            let included = match piece.kind() {
                Kind::Name if statement.depth == 0 => {
                    self.files[index as usize].local = Some((index, statement.piece));
                    continue;
                }
                Kind::Include => self.inclusion(index, statement.piece, readonly),
                Kind::ReadonlyInclude => self.inclusion(index, statement.piece, true),
                _ => continue,
            };
            for &other in &included {
                let (bytes, files) = self.files[other as usize].weight;
                let local = self.files[other as usize].local.filter(|_| statement.depth == 0);
                let file = &mut self.files[index as usize];
                file.weight = (file.weight.0.saturating_add(bytes), file.weight.1.saturating_add(files));
                file.local = local.or(file.local);
            }
            self.files[index as usize].inclusions.push((statement.piece, included));
        }
        index
    }

    /// The files an inclusion means, read.
    fn inclusion(&mut self, including: u32, keyword: u32, readonly: bool) -> Vec<u32> {
        let file = &self.files[including as usize];
        // Without a path there is a syntax error already.
        let Some(path) = file.text_after(including, keyword) else { return Vec::new() };
        let span = path.span();
        let path = path.text().into_owned();
        if path.is_empty() {
            self.error_at(span, Finding::error("empty-path", Cause::Text, "an inclusion of nothing"));
            return Vec::new();
        }
        if self.loader.is_none() {
            let finding =
                Finding::error("include-without-files", Cause::Text, "nothing can be included here")
                    .because("this text is not a file, and is read on its own");
            self.error_at(span, finding);
            return Vec::new();
        }
        let candidates = candidates(&file.path, &path, self.search_path);
        self.chain.push((including, span));
        let included = self.first_of(&path, &candidates, span, readonly);
        self.chain.pop();
        included
    }

    fn first_of(&mut self, path: &str, candidates: &[String], span: Span, readonly: bool) -> Vec<u32> {
        for candidate in candidates {
            if let Some(index) = self.at_path(candidate) {
                return self.again(index, span).into_iter().collect();
            }
            match self.load(candidate) {
                Err(LoadError::NotFound) => {}
                Ok(Loaded::Directory { names }) => return self.directory(candidate, names, span, readonly),
                other => return self.one(candidate, other, span, readonly).into_iter().collect(),
            }
        }
        let message = format!("there is no `{}` to include", shown_path(path));
        let finding =
            Finding::error("include-not-found", Cause::Host, message).because(looked_for(candidates));
        self.error_at(span, finding.hint("create it, or remove the inclusion: none is optional"));
        Vec::new()
    }

    /// What a directory stands for: its files in alphabetical order.
    fn directory(&mut self, directory: &str, names: Vec<String>, span: Span, readonly: bool) -> Vec<u32> {
        let mut names = BinaryHeap::from(names).into_sorted_vec();
        names.dedup();
        let mut included = Vec::new();
        for name in names {
            if self.exhausted {
                break;
            }
            let path = join(directory, &name);
            match entry(&name) {
                Entry::Hidden => continue,
                Entry::LeftBehind => {
                    let message = format!("`{}` is not included", shown_path(&path));
                    let finding = Finding::note("file-skipped", Cause::Host, message).because(
                        "names that end in `~`, `.bak`, `.dpkg-*` or `.rpm*` are copies left behind",
                    );
                    self.error_at(span, finding);
                    self.count(1);
                    continue;
                }
                Entry::Included => {}
            }
            if let Some(index) = self.at_path(&path) {
                included.extend(self.again(index, span));
                continue;
            }
            match self.load(&path) {
                Ok(Loaded::Directory { .. }) => {
                    let message = format!("the directory `{}` is not included", shown_path(&path));
                    let finding = Finding::note("directory-skipped", Cause::Host, message)
                        .because("including a directory means the files in it, not its subdirectories");
                    self.error_at(span, finding);
                    self.count(1);
                }
                Err(LoadError::NotFound) => {
                    let message =
                        format!("`{}` is listed in its directory, but is not there", shown_path(&path));
                    let finding = Finding::error("include-not-found", Cause::Host, message);
                    self.error_at(span, finding.hint("is it a symbolic link that leads nowhere?"));
                }
                other => included.extend(self.one(&path, other, span, readonly)),
            }
        }
        included
    }

    /// One file that was loaded, or why it was not.
    fn one(
        &mut self,
        path: &str,
        loaded: Result<Loaded, LoadError>,
        span: Span,
        readonly: bool,
    ) -> Option<u32> {
        match loaded {
            Ok(Loaded::File { identity, text, writable }) => match self.identical(identity) {
                Some(index) => {
                    self.by_path.push((path.to_string(), index));
                    self.again(index, span)
                }
                None if self.chain.len() > MAX_INCLUDE_DEPTH => {
                    let message = format!("more than {MAX_INCLUDE_DEPTH} inclusions follow each other here");
                    self.error_at(span, Finding::error("include-too-deep", Cause::Text, message));
                    None
                }
                None => {
                    let content = Content { identity: Some(identity), text, writable };
                    Some(self.file(path.to_string(), content, readonly))
                }
            },
            Err(error) => {
                self.error_at(span, refused(error));
                None
            }
            Ok(Loaded::Directory { .. }) => None,
        }
    }

    /// A file that is known already: included twice, or on the way here.
    fn again(&mut self, index: u32, span: Span) -> Option<u32> {
        if let Some(at) = self.chain.iter().position(|(file, _)| *file == index) {
            self.cycle(at, span);
            return None;
        }
        self.spend(index);
        // All it includes is included twice as well.
        let mut marked = alloc::vec![index];
        while let Some(index) = marked.pop() {
            let file = &mut self.files[index as usize];
            if file.read_only != Some(ReadOnly::IncludedTwice) {
                file.read_only = Some(ReadOnly::IncludedTwice);
                marked.extend(file.inclusions.iter().flat_map(|(_, files)| files));
            }
        }
        Some(index)
    }

    fn cycle(&mut self, from: usize, span: Span) {
        let mut chain = String::new();
        let mut related = Vec::new();
        for &(file, span) in &self.chain[from..] {
            let file = &self.files[file as usize];
            let _ = write!(chain, "{} → ", shown_path(&file.path));
            related.push((file.place(span.start, span.end), "included here".into()));
        }
        related.pop();
        let first = &self.files[self.chain[from].0 as usize];
        let message = format!("`{}` includes itself", shown_path(&first.path));
        let mut finding = Finding::error("include-cycle", Cause::Text, message)
            .because(format!("{chain}{}", shown_path(&first.path)))
            .hint("remove one of these inclusions");
        finding.related = related;
        self.error_at(span, finding);
    }

    /// The `Local_Changes_File`, after everything else.
    fn local_changes(&mut self) {
        let Some((setter, keyword)) = self.files.first().and_then(|main| main.local) else { return };
        let file = &self.files[setter as usize];
        let piece = file.tree.pieces[keyword as usize];
        let Some(path) = file.text_after(setter, keyword).filter(|path| !path.text().is_empty()) else {
            let span = Span { file: setter, start: piece.start(), end: piece.end() };
            let finding =
                Finding::error("local-changes-file", Cause::Text, "`Local_Changes_File` names no file");
            return self.error_at(span, finding.because("its value is the path of one file"));
        };
        let (span, path) = (path.span(), path.text().into_owned());
        if self.loader.is_none() {
            let finding =
                Finding::error("include-without-files", Cause::Text, "no other file can be named here")
                    .because("this text is not a file, and is read on its own");
            return self.error_at(span, finding);
        }
        let candidates = candidates(&file.path, &path, self.search_path);
        self.local_path = candidates.first().cloned();
        for candidate in &candidates {
            if self.at_path(candidate).is_some() {
                return self.error_at(span, not_last(&path));
            }
            let loaded = match &mut self.loader {
                Some(loader) => loader.load_local_changes(candidate),
                None => Err(LoadError::NotFound),
            };
            match loaded {
                Err(LoadError::NotFound) => {}
                Err(LoadError::Later { message, why }) => {
                    let mut finding = Finding::note("local-changes-later", Cause::Host, message);
                    finding.why = why.map(Into::into);
                    self.local_path = Some(candidate.clone());
                    return self.error_at(span, finding);
                }
                Err(error) => return self.error_at(span, refused(error)),
                Ok(Loaded::Directory { .. }) => {
                    let message = format!("`{}` is a directory", shown_path(candidate));
                    let finding = Finding::error("not-a-file", Cause::Host, message);
                    return self.error_at(span, finding.because("`Local_Changes_File` names one file"));
                }
                Ok(Loaded::File { identity, .. }) if self.identical(identity).is_some() => {
                    return self.error_at(span, not_last(&path));
                }
                Ok(Loaded::File { identity, text, writable }) => {
                    let known = self.files.len();
                    let content = Content { identity: Some(identity), text, writable };
                    let index = self.file(candidate.clone(), content, false);
                    self.files[index as usize].local_changes = true;
                    self.local = Some(index);
                    self.local_path = Some(candidate.clone());
                    return self.local_change_of_itself(known);
                }
            }
        }
        let message = format!("there is no `{}` yet", shown_path(&path));
        let finding = Finding::note("no-local-changes", Cause::Host, message)
            .because("`Local_Changes_File` may be missing until a change is written to it");
        self.error_at(span, finding);
    }

    /// The file of local changes, or what it includes, cannot name another.
    fn local_change_of_itself(&mut self, from: usize) {
        let Some((file, keyword)) = self.files[from].local else { return };
        let piece = self.files[file as usize].tree.pieces[keyword as usize];
        let message = "`Local_Changes_File` is set in the file that it names";
        let finding = Finding::error("local-changes-file", Cause::Text, message)
            .because("that file is read after every other, when the choice has been made");
        self.error_at(Span { file, start: piece.start(), end: piece.end() }, finding);
    }

    fn load(&mut self, path: &str) -> Result<Loaded, LoadError> {
        match &mut self.loader {
            Some(loader) => loader.load(path),
            None => Err(LoadError::NotFound),
        }
    }

    /// Counts a file, with all it includes, against the limits of the whole.
    fn spend(&mut self, index: u32) {
        let (bytes, files) = self.files[index as usize].weight;
        self.bytes = self.bytes.saturating_add(bytes);
        self.count(files);
    }

    fn count(&mut self, files: u32) {
        self.inclusions = self.inclusions.saturating_add(files);
        if !self.exhausted && (self.inclusions > MAX_INCLUSIONS || self.bytes > MAX_TOTAL_BYTES) {
            self.exhausted = true;
            let message = "the files of this configuration are too many, or too large together";
            let why = format!(
                "at most {MAX_INCLUSIONS} files of together {MAX_TOTAL_BYTES} bytes are read; a file counts each \
                 time it is included"
            );
            let mut finding = Finding::error("configuration-too-large", Cause::Text, message).because(why);
            if let Some(&(file, span)) = self.chain.last() {
                finding = finding.at(self.files[file as usize].place(span.start, span.end));
            }
            self.findings.push(finding);
        }
    }

    fn error_at(&mut self, span: Span, finding: Finding) {
        let place = self.files[span.file as usize].place(span.start, span.end);
        self.findings.push(finding.at(place));
        self.count(u32::from(self.findings.len() > 1));
    }
}

fn refused(error: LoadError) -> Finding {
    let (message, why, hint) = match error {
        LoadError::Refused { message, why, hint } => (message, why, hint),
        LoadError::Later { message, why } => (message, why, None),
        LoadError::NotFound => ("there is no such file".to_string(), None, None),
    };
    let mut finding = Finding::error("unreadable", Cause::Host, message);
    finding.why = why.map(Into::into);
    finding.hint = hint.map(Into::into);
    finding
}

fn not_last(path: &str) -> Finding {
    let message =
        format!("`Local_Changes_File` names `{}`, which is part of the configuration", shown_path(path));
    Finding::error("local-changes-file", Cause::Text, message)
        .because("it is read after every other file, so it can be neither the main file nor an included one")
}

fn looked_for(paths: &[String]) -> String {
    let mut text = "looked for ".to_string();
    for (index, path) in paths.iter().enumerate() {
        let _ = write!(text, "{}`{}`", if index == 0 { "" } else { ", then " }, shown_path(path));
    }
    text
}
