//! The merged view of all files, as flat arrays: scopes, options, and every place either was written.
//!
//! Repeated scopes merge option by option; the last assignment wins. One pass over the pieces of all files, each
//! inclusion taken where it stands, with an ordered map from names to what they stand for: near-linear, whatever the
//! names. Nearly every scope has few options, and those are found by looking at each; nearly all names differ in their
//! first eight bytes, which the maps hold as a number. How others see this is in [`config`](crate::config).

use crate::finding::{Cause, Finding, shown};
use crate::load::File;
use crate::name::{Name, prefix};
use crate::source::Span;
use crate::tree::{Kind, significant};
use crate::{MAX_DEPTH, MAX_ERRORS};
use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::format;
use alloc::vec::Vec;

/// No scope, option or assignment: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// All scopes and options, each in the order of its first appearance. Scope 0 is the outermost.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    pub(crate) scopes: Vec<ScopeData>,
    pub(crate) settings: Vec<SettingData>,
    pub(crate) assignments: Vec<AssignmentData>,
    pub(crate) definitions: Vec<DefinitionData>,
    /// Options by scope and name, to be searched.
    pub(crate) settings_by_name: Vec<u32>,
    /// Scopes by parent, name and instance, to be searched.
    pub(crate) scopes_by_name: Vec<u32>,
}

/// A list kept in an array: its first and last element; each knows the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeData {
    pub(crate) parent: u32,
    pub(crate) next: u32,
    pub(crate) scopes: List,
    pub(crate) settings: List,
    pub(crate) definitions: List,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SettingData {
    pub(crate) scope: u32,
    pub(crate) next: u32,
    pub(crate) assignments: List,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AssignmentData {
    pub(crate) file: u32,
    /// The piece of the name; the value follows it.
    pub(crate) name: u32,
    pub(crate) next: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DefinitionData {
    pub(crate) file: u32,
    /// The piece of the name; an instance may follow.
    pub(crate) name: u32,
    pub(crate) open: u32,
    pub(crate) close: u32,
    pub(crate) next: u32,
}

/// Merges the main file, which is the first, and after it those that come last: the file of local changes, and the text over
/// all files. All must be free of errors.
///
/// # Errors
///
/// Every scope type that is used both with and without an instance in the same place.
pub(crate) fn merge(files: &[File], last: [Option<u32>; 2]) -> Result<Merged, Vec<Finding>> {
    let mut merging = Merging {
        files,
        merged: Merged {
            scopes: alloc::vec![ScopeData::new(NONE)],
            settings: Vec::new(),
            assignments: Vec::new(),
            definitions: Vec::new(),
            settings_by_name: Vec::new(),
            scopes_by_name: Vec::new(),
        },
        types: BTreeMap::new(),
        first: Vec::new(),
        instances: BTreeMap::new(),
        settings: BTreeMap::new(),
        counts: alloc::vec![0],
        open: Vec::new(),
        findings: Vec::new(),
    };
    merging.file(0);
    for start in last.into_iter().flatten().filter(|start| *start != 0) {
        merging.file(start);
    }
    merging.settings_by_name();
    let Merging { mut merged, instances, findings, types, .. } = merging;
    if !findings.is_empty() {
        return Err(findings);
    }
    // Types are in the order of parent and name, but numbered by appearance; the instances of each stand together.
    let mut from = alloc::vec![0; types.len() + 1];
    for (kind, ..) in instances.keys() {
        from[*kind as usize + 1] += 1;
    }
    for kind in 0..types.len() {
        from[kind + 1] += from[kind];
    }
    let by_kind: Vec<u32> = instances.into_values().collect();
    merged.scopes_by_name.reserve_exact(by_kind.len());
    for kind in types.into_values() {
        let kind = kind as usize;
        merged.scopes_by_name.extend_from_slice(&by_kind[from[kind]..from[kind + 1]]);
    }
    Ok(merged)
}

struct Merging<'f> {
    files: &'f [File],
    merged: Merged,
    /// What kinds of scope each scope has.
    types: Index<'f>,
    /// The first definition of each kind without an instance, and the first with one.
    first: Vec<[u32; 2]>,
    /// The scopes of each kind by instance.
    instances: Index<'f>,
    /// The options of the scopes that have more than a few.
    settings: Index<'f>,
    /// How many options each scope has.
    counts: Vec<u32>,
    /// The scopes being read, and the definition of each.
    open: Vec<(u32, u32)>,
    findings: Vec<Finding>,
}

/// By a number, the first eight bytes of a key as another, and the key. One type for all three, so that a small program has its
/// code once.
type Index<'f> = BTreeMap<(u32, u64, Key<'f>), u32>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'f> {
    Name(Name<'f>),
    Instance(Option<Cow<'f, str>>),
}

/// So many options of a scope are looked for one by one.
const FEW: u32 = 16;

impl<'f> Merging<'f> {
    /// Takes a file's pieces in order, and those of each file it includes in the place of the inclusion.
    fn file(&mut self, start: u32) {
        let files = self.files;
        let mut reading: Vec<(u32, usize)> = alloc::vec![(start, 0)];
        while let Some((file, next)) = reading.pop() {
            let pieces = &files[file as usize].tree.pieces;
            let mut next = next;
            while let Some(piece) = pieces.get(next) {
                let at = next;
                next += 1;
                match piece.kind() {
                    Kind::Name => self.assignment(file, at),
                    Kind::ScopeName => next = self.scope(file, at) + 1,
                    Kind::Close => self.close(at),
                    Kind::Include | Kind::ReadonlyInclude => {
                        let inclusions = &files[file as usize].inclusions;
                        if let Ok(found) = inclusions.binary_search_by_key(&(at as u32), |(piece, _)| *piece)
                        {
                            reading.push((file, next));
                            reading.extend(inclusions[found].1.iter().rev().map(|file| (*file, 0)));
                            break;
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn current(&self) -> u32 {
        self.open.last().map_or(0, |(scope, _)| *scope)
    }

    fn assignment(&mut self, file: u32, name: usize) {
        let scope = self.current();
        let text = &self.files[file as usize];
        let id = self.setting(scope, Name(text.tree.pieces[name].of(&text.text)));
        let assignment = self.merged.assignments.len() as u32;
        self.merged.assignments.push(AssignmentData { file, name: name as u32, next: NONE });
        if let Some(last) = self.merged.settings[id as usize].assignments.append(assignment) {
            self.merged.assignments[last as usize].next = assignment;
        }
    }

    /// The option of a scope that has this name; a new one, without an assignment yet, if there is none.
    fn setting(&mut self, scope: u32, name: Name<'f>) -> u32 {
        let new = self.merged.settings.len() as u32;
        let count = self.counts[scope as usize];
        let found = if count > FEW {
            Some(*self.settings.entry((scope, name.prefix(), Key::Name(name))).or_insert(new))
                .filter(|id| *id != new)
        } else {
            self.settings_of(scope).find(|(_, other)| *other == name).map(|(id, _)| id)
        };
        if let Some(id) = found {
            return id;
        }
        if count == FEW {
            // From now on they are looked up.
            let few: Vec<_> = self.settings_of(scope).chain([(new, name)]).collect();
            self.settings
                .extend(few.into_iter().map(|(id, name)| ((scope, name.prefix(), Key::Name(name)), id)));
        }
        self.counts[scope as usize] += 1;
        self.merged.settings.push(SettingData { scope, next: NONE, assignments: List::EMPTY });
        if let Some(last) = self.merged.scopes[scope as usize].settings.append(new) {
            self.merged.settings[last as usize].next = new;
        }
        new
    }

    /// The options of a scope and their names, in the order of their appearance.
    fn settings_of(&self, scope: u32) -> impl Iterator<Item = (u32, Name<'f>)> {
        let (files, merged) = (self.files, &self.merged);
        let mut next = merged.scopes[scope as usize].settings.first;
        core::iter::from_fn(move || {
            let id = next;
            let setting = merged.settings.get(id as usize)?;
            next = setting.next;
            let first = merged.assignments[setting.assignments.first as usize];
            let file = &files[first.file as usize];
            Some((id, Name(file.tree.pieces[first.name as usize].of(&file.text))))
        })
    }

    /// Puts the options of each scope in the order of their names.
    fn settings_by_name(&mut self) {
        let mut sorted = Vec::with_capacity(self.merged.settings.len());
        for scope in 0..self.merged.scopes.len() as u32 {
            // A heap: a twentieth of the code of the standard library's sorting, which a small launcher carries.
            let own: BinaryHeap<_> =
                self.settings_of(scope).map(|(id, name)| (name.prefix(), name, id)).collect();
            sorted.extend(own.into_sorted_vec().iter().map(|(.., id)| *id));
        }
        self.merged.settings_by_name = sorted;
    }

    /// Opens a scope; gives the piece of its brace.
    fn scope(&mut self, file: u32, name: usize) -> usize {
        let parent = self.current();
        let text = &self.files[file as usize];
        let pieces = &text.tree.pieces;
        let mut instance = None;
        let mut open = name;
        for (at, piece) in significant(pieces, name + 1) {
            if piece.kind().is_text() {
                instance = Some(text.text_of(file, *piece).text());
            }
            open = at;
            if piece.kind() == Kind::Open {
                break;
            }
        }

        let definition = self.merged.definitions.len() as u32;
        self.merged.definitions.push(DefinitionData {
            file,
            name: name as u32,
            open: open as u32,
            close: NONE,
            next: NONE,
        });
        let type_name = Name(pieces[name].of(&text.text));
        let new = self.first.len() as u32;
        let kind = *self.types.entry((parent, type_name.prefix(), Key::Name(type_name))).or_insert(new);
        if kind == new {
            self.first.push([NONE; 2]);
        }
        let first = &mut self.first[kind as usize];
        let named = usize::from(instance.is_some());
        let mut mixed = None;
        if first[named] == NONE {
            first[named] = definition;
            mixed = (first[1 - named] != NONE).then_some(*first);
        }
        if let Some(first) = mixed {
            self.mixed(first, named);
        }
        if self.open.len() == MAX_DEPTH {
            self.too_deep(file, name);
        }
        self.enter(kind, instance, parent, definition);
        open
    }

    fn enter(&mut self, kind: u32, instance: Option<Cow<'f, str>>, parent: u32, definition: u32) {
        let scopes = &mut self.merged.scopes;
        let prefix = prefix(instance.as_deref().unwrap_or_default());
        let scope = *self.instances.entry((kind, prefix, Key::Instance(instance))).or_insert_with(|| {
            let id = scopes.len() as u32;
            self.counts.push(0);
            scopes.push(ScopeData::new(parent));
            if let Some(last) = scopes[parent as usize].scopes.append(id) {
                scopes[last as usize].next = id;
            }
            id
        });
        if let Some(last) = scopes[scope as usize].definitions.append(definition) {
            self.merged.definitions[last as usize].next = definition;
        }
        self.open.push((scope, definition));
    }

    fn close(&mut self, at: usize) {
        if let Some((_, definition)) = self.open.pop() {
            self.merged.definitions[definition as usize].close = at as u32;
        }
    }

    /// No file nests too deep by itself, but with what is included inside its scopes it may.
    fn too_deep(&mut self, file: u32, name: usize) {
        let file = &self.files[file as usize];
        let piece = file.tree.pieces[name];
        let message = format!("more than {MAX_DEPTH} scopes are nested here, across inclusions");
        let finding = Finding::error("too-deep", Cause::Text, message)
            .at(file.place(piece.start(), piece.end()))
            .because(format!("scopes nest at most {MAX_DEPTH} deep"));
        self.report(finding);
    }

    /// A scope type is used both ways; `second` says which way came second.
    fn mixed(&mut self, first: [u32; 2], second: usize) {
        let span_of = |definition: u32| {
            let definition = &self.merged.definitions[definition as usize];
            let file = &self.files[definition.file as usize];
            let piece = file.tree.pieces[definition.name as usize];
            (file, piece)
        };
        let (file, piece) = span_of(first[second]);
        let (other_file, other) = span_of(first[1 - second]);
        let name = piece.of(&file.text);
        let (here, there) = match second {
            1 => ("has an instance here and none elsewhere", "without an instance here"),
            _ => ("has no instance here and one elsewhere", "with an instance here"),
        };
        let finding =
            Finding::error("mixed-scope", Cause::Text, format!("the scope `{}` {here}", shown(name)))
                .at(file.place(piece.start(), piece.end()))
                .because("a type of scope either always has an instance, or never")
                .related(other_file.place(other.start(), other.end()), there);
        self.report(finding);
    }

    fn report(&mut self, finding: Finding) {
        if self.findings.len() < MAX_ERRORS {
            self.findings.push(finding);
        }
    }
}

impl Merged {
    /// The bytes of a definition's name.
    pub(crate) fn span(files: &[File], file: u32, piece: u32) -> Span {
        let piece = files[file as usize].tree.pieces[piece as usize];
        Span { file, start: piece.start(), end: piece.end() }
    }
}

impl ScopeData {
    fn new(parent: u32) -> ScopeData {
        ScopeData { parent, next: NONE, scopes: List::EMPTY, settings: List::EMPTY, definitions: List::EMPTY }
    }
}

impl List {
    const EMPTY: List = List { first: NONE, last: NONE };

    /// Makes an element the last one; gives the one before it.
    fn append(&mut self, element: u32) -> Option<u32> {
        let last = core::mem::replace(&mut self.last, element);
        if last == NONE {
            self.first = element;
            None
        } else {
            Some(last)
        }
    }
}
