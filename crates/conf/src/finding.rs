//! Findings: what is wrong, or odd, and where, as data.
//!
//! Every crate of the project reports through this type, so that one renderer can turn a finding into text for a
//! person or into JSON for a machine. It is not for printing: nothing in a library writes to a terminal.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// One thing found: an error, a warning or a remark.
///
/// It is one pointer, so that the many places that make one move little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding(Box<Found>);

/// What a [`Finding`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How bad it is.
    pub severity: Severity,
    /// Whose doing it is: the form of the text, what the text says, or the machine it is read on.
    pub cause: Cause,
    /// A stable name in kebab-case, such as `unclosed-string`; it never changes once released.
    pub code: &'static str,
    /// Where, if there is a place for it.
    pub place: Option<Place>,
    /// What is wrong, in one line without a full stop. Text quoted from a file has its control characters escaped.
    pub message: Cow<'static, str>,
    /// The rule behind it.
    pub why: Option<Cow<'static, str>>,
    /// What to write or do instead.
    pub hint: Option<Cow<'static, str>>,
    /// Other places that matter, each with what is to be seen there.
    pub related: Vec<(Place, Cow<'static, str>)>,
}

/// How bad a finding is, from the mildest to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing has to change.
    Note,
    /// Accepted, but probably not what was meant.
    Warning,
    /// Refused.
    Error,
}

/// Whose doing a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The form of the text: it cannot be read.
    Syntax,
    /// What the text says: it can be read, and is wrong on every machine.
    Text,
    /// This machine: the same text may be right elsewhere.
    Host,
}

/// A place in a file, with the line it is on. One pointer, and a clone is the same place: an option's is kept with its value, with
/// what overrode it, and with what is found about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Arc<Spot>);

/// Where a [`Place`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file's name as it was opened.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The line itself, or some 200 characters of it around the place. It holds no line end, and each control
    /// character is replaced by one visible character, so it is safe to print and its columns are true.
    pub excerpt: String,
    /// Where in the excerpt the place begins, in characters from 0.
    pub excerpt_column: u32,
    /// How many characters of the excerpt the place covers, at least 1.
    pub width: u32,
}

impl Finding {
    /// An error with its stable code and its message.
    #[cold]
    pub fn error(code: &'static str, cause: Cause, message: impl Into<Cow<'static, str>>) -> Finding {
        Finding::new(Severity::Error, code, cause, message.into())
    }

    /// A warning with its stable code and its message.
    #[cold]
    pub fn warning(code: &'static str, cause: Cause, message: impl Into<Cow<'static, str>>) -> Finding {
        Finding::new(Severity::Warning, code, cause, message.into())
    }

    /// A note with its stable code and its message.
    #[cold]
    pub fn note(code: &'static str, cause: Cause, message: impl Into<Cow<'static, str>>) -> Finding {
        Finding::new(Severity::Note, code, cause, message.into())
    }

    /// The same finding, at a place.
    #[must_use]
    #[inline(never)]
    pub fn at(mut self, place: Place) -> Finding {
        self.0.place = Some(place);
        self
    }

    /// The same finding, at a place where there is one: a value that is not written has none.
    #[must_use]
    pub fn at_if(self, place: Option<&Place>) -> Finding {
        match place {
            Some(place) => self.at(place.clone()),
            None => self,
        }
    }

    /// The same finding, with the rule behind it.
    #[must_use]
    pub fn because(self, why: impl Into<Cow<'static, str>>) -> Finding {
        self.explained(why.into())
    }

    /// The same finding, with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<Cow<'static, str>>) -> Finding {
        self.hinted(hint.into())
    }

    /// The same finding, with one more place that matters.
    #[must_use]
    pub fn related(mut self, place: Place, text: impl Into<Cow<'static, str>>) -> Finding {
        self.0.related.push((place, text.into()));
        self
    }

    /// Whether this finding refuses what was asked.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    // Never part of the many places that call it, which would each be the larger for it.
    #[cold]
    #[inline(never)]
    fn new(severity: Severity, code: &'static str, cause: Cause, message: Cow<'static, str>) -> Finding {
        let related = Vec::new();
        Finding(Box::new(Found {
            severity,
            cause,
            code,
            place: None,
            message,
            why: None,
            hint: None,
            related,
        }))
    }

    #[inline(never)]
    fn explained(mut self, why: Cow<'static, str>) -> Finding {
        self.0.why = Some(why);
        self
    }

    #[inline(never)]
    fn hinted(mut self, hint: Cow<'static, str>) -> Finding {
        self.0.hint = Some(hint);
        self
    }
}

impl From<Spot> for Place {
    fn from(spot: Spot) -> Place {
        Place(Arc::new(spot))
    }
}

impl Deref for Place {
    type Target = Spot;

    fn deref(&self) -> &Spot {
        &self.0
    }
}

impl Deref for Finding {
    type Target = Found;

    fn deref(&self) -> &Found {
        &self.0
    }
}

impl DerefMut for Finding {
    fn deref_mut(&mut self) -> &mut Found {
        &mut self.0
    }
}

/// One line: `file:line:column: error: message`, without the place if there is none.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.severity, self.message)
    }
}

/// `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", shown_path(&self.file), self.line, self.column)
    }
}

/// `note`, `warning` or `error`.
impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// `syntax`, `text` or `host`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Syntax => "syntax",
            Cause::Text => "text",
            Cause::Host => "host",
        })
    }
}

/// Text of a file, made fit for a message: control characters, and those that reorder or hide what is around them,
/// are written as escapes; after 60 characters it ends in `…`.
pub fn shown(text: &str) -> Shown<'_> {
    Shown { text, longest: 60 }
}

/// A path, made fit for a message as by [`shown`], but not cut, for then it would name another file.
pub fn shown_path(path: &str) -> Shown<'_> {
    Shown { text: path, longest: usize::MAX }
}

/// See [`shown`] and [`shown_path`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    text: &'a str,
    longest: usize,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (count, character) in self.text.chars().enumerate() {
            if count == self.longest {
                return f.write_char('…');
            }
            match character {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() || crate::chars::is_invisible(c) => write!(f, "\\u{{{:x}}}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_finding_is_one_safe_line() {
        let place = Place::from(Spot {
            file: "/etc/a\nb".into(),
            line: 3,
            column: 7,
            excerpt: String::new(),
            excerpt_column: 0,
            width: 1,
        });
        let finding = Finding::error("bad-name", Cause::Syntax, format!("`{}`", shown("\u{1b}[2J\u{202e}é")));
        assert_eq!(format!("{finding}"), "error: `\\u{1b}[2J\\u{202e}é`");
        assert_eq!(format!("{}", finding.at(place)), "/etc/a\\nb:3:7: error: `\\u{1b}[2J\\u{202e}é`");
    }

    #[test]
    fn text_is_cut_and_a_path_is_not() {
        let long = "x".repeat(100);
        assert_eq!(format!("{}", shown(&long)), "x".repeat(60) + "…");
        assert_eq!(format!("{}", shown_path(&long)), long);
    }
}
