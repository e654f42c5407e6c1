//! Edits of one file's text that leave every other byte alone: set an option, remove one, add a scope, remove one.
//!
//! An edit is data: some bytes of a file and what takes their place. What is added looks like its neighbours. Whether a
//! change has the effect that was meant is seen by reading all files again, which is up to the caller: a later file may
//! override it. Not for: which file a change belongs to, and writing it.

use crate::config::{Assignment, Config, Scope};
use crate::source::Span;
use crate::value::{Value, quote};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Some bytes of a file, and what takes their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes; none of them where something is put in between.
    pub span: Span,
    /// What takes their place.
    pub text: String,
}

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// One text.
    Text(NewText),
    /// `( … )`
    Array(Vec<NewText>),
    /// `[ … ]`: keys and their texts.
    Dict(Vec<(NewText, NewText)>),
}

/// A text to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewText {
    /// The text itself.
    pub text: String,
    /// Whether it is to be in quotes even if it needs none.
    pub quoted: bool,
}

/// The text with all of the edits made. They may be in any order; the same edit twice counts once.
///
/// # Panics
///
/// If one is not within the text.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    sorted.dedup();
    let mut result = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in sorted {
        // Two removals on one line may both lay claim to the blanks between them.
        result.push_str(&text[at..at.max(edit.span.start as usize)]);
        result.push_str(&edit.text);
        at = at.max(edit.span.end as usize);
    }
    result.push_str(&text[at..]);
    result
}

impl Assignment<'_> {
    /// Sets another value here. The elements of an array that stay are left as they are written, with the comments
    /// between them.
    pub fn set(&self, value: &NewValue) -> Edit {
        replace::value(self, value)
    }

    /// Removes it: its line where it stands alone on it, with a comment behind it. A comment before it stays.
    pub fn remove(&self) -> Edit {
        remove::assignment(self)
    }
}

impl Scope<'_> {
    /// Removes every place in a file where this scope is opened, with all that is inside.
    pub fn remove(&self, file: u32) -> Vec<Edit> {
        remove::scope(self, file)
    }

    /// Adds an option to this scope, in the last place where a file opens it; `inner` are scopes to be opened around the
    /// option, each with its instance. `None` if the file does not open this scope. Of the outermost scope it is the end of the
    /// file.
    pub fn add(
        &self,
        file: u32,
        inner: &[(String, Option<String>)],
        name: &str,
        value: &NewValue,
    ) -> Option<Edit> {
        add::option(self, file, inner, name, value)
    }
}

impl NewValue {
    /// Whether an option was set to just this: the same kind of value with the same texts.
    pub fn is(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (NewValue::Text(new), Value::Text(text)) => new.text == text.text(),
            (NewValue::Array(new), Value::Array(texts)) => {
                new.len() == texts.len() && new.iter().zip(texts).all(|(new, text)| new.text == text.text())
            }
            (NewValue::Dict(new), Value::Dict(entries)) => {
                new.len() == entries.len()
                    && new.iter().zip(entries).all(|((key, value), (old_key, old_value))| {
                        key.text == old_key.text() && value.text == old_value.text()
                    })
            }
            _ => false,
        }
    }

    /// As it is written on one line.
    pub fn written(&self) -> String {
        match self {
            NewValue::Text(text) => text.written().into_owned(),
            NewValue::Array(_) | NewValue::Dict(_) => {
                let (open, close) = self.brackets();
                let items = self.items();
                if items.is_empty() {
                    return format!("{open}{close}");
                }
                let gap = if open == '[' { "  " } else { " " };
                let texts: Vec<&str> = items.iter().map(|(_, text)| text.as_str()).collect();
                format!("{open} {} {close}", texts.join(gap))
            }
        }
    }

    fn brackets(&self) -> (char, char) {
        if matches!(self, NewValue::Dict(_)) { ('[', ']') } else { ('(', ')') }
    }

    /// What is in the brackets: what tells one item from another, and how it is written.
    fn items(&self) -> Vec<(Vec<&str>, String)> {
        match self {
            NewValue::Text(_) => Vec::new(),
            NewValue::Array(texts) => texts
                .iter()
                .map(|text| (alloc::vec![text.text.as_str()], text.written().into_owned()))
                .collect(),
            NewValue::Dict(entries) => entries
                .iter()
                .map(|(key, value)| {
                    let written = format!("{} = {}", key.written(), value.written());
                    (alloc::vec![key.text.as_str(), value.text.as_str()], written)
                })
                .collect(),
        }
    }
}

impl NewText {
    /// A text, in quotes where it needs them.
    pub fn new(text: &str) -> NewText {
        NewText { text: text.to_string(), quoted: false }
    }

    fn written(&self) -> Cow<'_, str> {
        let written = quote(&self.text);
        match written.starts_with('"') {
            false if self.quoted => Cow::Owned(format!("\"{written}\"")),
            _ => written,
        }
    }
}

impl From<&Value<'_>> for NewValue {
    fn from(value: &Value<'_>) -> NewValue {
        let text = |text: &crate::Text<'_>| NewText { text: text.text().into_owned(), quoted: text.quoted() };
        match value {
            Value::Text(one) => NewValue::Text(text(one)),
            Value::Array(texts) => NewValue::Array(texts.iter().map(text).collect()),
            Value::Dict(entries) => {
                NewValue::Dict(entries.iter().map(|(key, value)| (text(key), text(value))).collect())
            }
        }
    }
}

fn text_of(config: &Config, file: u32) -> &str {
    config.files()[file as usize].text()
}

mod add;
mod lines;
mod remove;
mod replace;
