//! Configurations and findings as text, for expectations.

use std::fmt::Write;
use stepdown_conf::{Config, Finding, Place, Scope, Text, Value};

/// Everything a configuration says, with the places: scopes nested, options with what they shadow.
pub(crate) fn config(config: &Config) -> String {
    let mut out = String::new();
    scope(config, config.root(), 0, &mut out);
    for note in config.notes() {
        finding(note, &mut out);
    }
    out
}

/// Findings in full.
pub(crate) fn findings(all: &[Finding]) -> String {
    let mut out = String::new();
    all.iter().for_each(|one| finding(one, &mut out));
    out
}

/// The stable names of findings, for short tests.
pub(crate) fn codes(all: &[Finding]) -> Vec<&'static str> {
    all.iter().map(|finding| finding.code).collect()
}

fn scope(config: &Config, scope: Scope<'_>, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for option in scope.options() {
        let current = option.current();
        let _ = write!(out, "{indent}{} = {}", option.name(), value(&current.value()));
        let _ = write!(out, "    # {}", short(&config.place(current.span())));
        let mut older: Vec<_> = option.history().collect();
        older.pop();
        for old in older.iter().rev() {
            let _ = write!(out, ", not {} {}", value(&old.value()), short(&config.place(old.span())));
        }
        out.push('\n');
    }
    for inner in scope.scopes() {
        let instance = inner.instance().map_or(String::new(), |instance| format!(" {instance:?}"));
        let places: Vec<String> = inner.definitions().map(|span| short(&config.place(span))).collect();
        let _ = writeln!(out, "{indent}{}{instance} {{    # {}", inner.name(), places.join(", "));
        self::scope(config, inner, depth + 1, out);
        let _ = writeln!(out, "{indent}}}");
    }
}

fn value(value: &Value<'_>) -> String {
    let list = |texts: &[Text<'_>]| texts.iter().map(text).collect::<Vec<_>>().join(" ");
    match value {
        Value::Text(one) => text(one),
        Value::Array(texts) => format!("( {} )", list(texts)),
        Value::Dict(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(k, v)| format!("{}={}", text(k), text(v))).collect();
            format!("[ {} ]", entries.join(" "))
        }
    }
}

fn text(text: &Text<'_>) -> String {
    if text.quoted() { format!("{:?}", text.text()) } else { text.text().into_owned() }
}

fn short(place: &Place) -> String {
    format!("{}:{}:{}", place.file, place.line, place.column)
}

fn finding(finding: &Finding, out: &mut String) {
    let _ = writeln!(out, "{finding} [{}, {}]", finding.code, finding.cause);
    if let Some(place) = &finding.place {
        excerpt(place, out);
    }
    for (label, text) in [("why", &finding.why), ("hint", &finding.hint)] {
        if let Some(text) = text {
            let _ = writeln!(out, "  {label}: {text}");
        }
    }
    for (place, text) in &finding.related {
        let _ = writeln!(out, "  {place}: {text}");
        excerpt(place, out);
    }
    out.push('\n');
}

fn excerpt(place: &Place, out: &mut String) {
    let _ = writeln!(out, "    | {}", place.excerpt);
    let marks = "^".repeat(place.width as usize);
    let _ = writeln!(out, "    | {}{marks}", " ".repeat(place.excerpt_column as usize));
}
