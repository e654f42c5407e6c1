//! Turns findings into text for a person or JSON for a machine: the program's commands and a server's console say them alike.
//!
//! A finding is one line that an editor can jump to, the line of the file with the place marked, why, and a hint.
//! Whatever comes from a file is made harmless first: a control character in it never reaches the terminal.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

use stepdown_conf::{Cause, Finding, Place, Severity};

use crate::json::Json;

/// The findings as text, each ending in a line feed; in colour where `colour` says so.
#[must_use]
pub fn text(findings: &[Finding], colour: bool) -> String {
    let mut text = String::new();
    for finding in findings {
        one(&mut text, finding, colour);
    }
    text
}

/// The findings as a JSON array.
#[must_use]
pub fn json(findings: &[Finding]) -> Json {
    findings.iter().map(object).collect()
}

/// The findings as an array of `serde_json`, likewise.
#[cfg(feature = "std")]
#[must_use]
pub fn value(findings: &[Finding]) -> serde_json::Value {
    json(findings).into()
}

/// A place as an object of `serde_json`.
#[cfg(feature = "std")]
#[must_use]
pub fn place_value(at: &Place) -> serde_json::Value {
    place(at).into()
}

/// How many errors and warnings there are, in words, those of this host told apart.
#[must_use]
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity: Severity, host: bool| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity && (finding.cause == Cause::Host) == host)
            .count()
    };
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (text, host) = (count(Severity::Error, false), count(Severity::Error, true));
    let warnings = count(Severity::Warning, false) + count(Severity::Warning, true);
    let mut words = number(text + host, "error");
    if host > 0 {
        let _ = write!(words, " ({text} in the text, {host} caused by this host)");
    }
    if warnings > 0 {
        let _ = write!(words, ", {}", number(warnings, "warning"));
    }
    words
}

/// Text from elsewhere, fit for a terminal: what controls it, ends a line, or reorders or hides what is around it is escaped.
#[must_use]
pub fn clean(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => cleaned.push_str("\\0"),
            '\t' => cleaned.push_str("\\t"),
            '\n' => cleaned.push_str("\\n"),
            '\r' => cleaned.push_str("\\r"),
            c if c.is_control() || hidden(c) => {
                let _ = write!(cleaned, "\\u{{{:x}}}", c as u32);
            }
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// The same for a text of several lines.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<String>>().join("\n")
}

fn one(text: &mut String, finding: &Finding, colour: bool) {
    let (start, end) = if colour { (paint(finding.severity), "\u{1b}[0m") } else { ("", "") };
    match &finding.place {
        Some(place) => {
            let _ = write!(text, "{place}: ");
        }
        None => text.push_str("stepdown: "),
    }
    let host = if finding.cause == Cause::Host { " (this host)" } else { "" };
    let message = clean(&finding.message);
    let _ = writeln!(text, "{start}{}{host}:{end} {message}", finding.severity);
    if let Some(place) = &finding.place {
        excerpt(text, place, start, end);
    }
    for (place, what) in &finding.related {
        let _ = writeln!(text, "{place}: note: {}", clean(what));
        excerpt(text, place, "", "");
    }
    if let Some(why) = &finding.why {
        let _ = writeln!(text, "   why: {}", clean(why));
    }
    if let Some(hint) = &finding.hint {
        let _ = writeln!(text, "  hint: {}", clean(hint));
    }
}

/// The line, and below it marks under the place.
fn excerpt(text: &mut String, place: &Place, start: &str, end: &str) {
    let above = text.len();
    let _ = write!(text, "{:>5}", place.line);
    let margin = text.len() - above;
    let _ = writeln!(text, " | {}", clean(&place.excerpt));
    push_times(text, ' ', margin);
    text.push_str(" | ");
    push_times(text, ' ', place.excerpt_column as usize);
    text.push_str(start);
    push_times(text, '^', place.width.max(1) as usize);
    text.push_str(end);
    text.push('\n');
}

fn push_times(text: &mut String, character: char, count: usize) {
    for _ in 0..count {
        text.push(character);
    }
}

fn paint(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "\u{1b}[1;31m",
        Severity::Warning => "\u{1b}[1;33m",
        Severity::Note => "\u{1b}[1;36m",
    }
}

fn object(finding: &Finding) -> Json {
    let cause = match finding.cause {
        Cause::Syntax => "syntax",
        Cause::Text => "text",
        Cause::Host => "host",
    };
    let related = |(at, what): &(Place, Cow<'static, str>)| {
        Json::Object(vec![("place", place(at)), ("message", what.clone().into())])
    };
    Json::Object(vec![
        ("severity", finding.severity.to_string().into()),
        ("cause", cause.into()),
        ("code", finding.code.into()),
        ("place", finding.place.as_ref().map(place).into()),
        ("message", finding.message.clone().into()),
        ("why", finding.why.clone().into()),
        ("hint", finding.hint.clone().into()),
        ("related", finding.related.iter().map(related).collect()),
    ])
}

/// A place as a JSON object.
#[must_use]
pub fn place(place: &Place) -> Json {
    Json::Object(vec![
        ("file", place.file.clone().into()),
        ("line", place.line.into()),
        ("column", place.column.into()),
    ])
}
