//! Answers in the console's words, which are those of the configuration: read as a file they say the same again.
//!
//! An array stands with one element a line, a scope with its contents indented by two spaces. A text is in quotes where
//! it was written so, or has to be. Where a value is from stands below it, as comments.

use std::fmt::Write;

use stepdown_conf::{Assignment, Config, Scope, Setting, Text, Value, quote, shown};

use super::{Answer, Found, in_quotes, location, option_name, scope_name};

/// An answer of `get` or `eval`, and whether there is a value: `User = ecuser`, or `Option 'Chroot' is not set in scope
/// 'Security::'.`
#[must_use]
pub fn answer(config: &Config, answer: &Answer<'_>, origin: bool) -> (String, bool) {
    match answer {
        Answer::Set(setting) => (option(config, *setting, origin), true),
        Answer::Default(default) => {
            let text = match default.value {
                Some(value) => {
                    let from = if origin { "  # the default\n" } else { "" };
                    format!("{} = {}\n{from}", default.spec.name, quote(value))
                }
                // No value says so; the line is a comment in the language.
                None => format!("# {} is not set: {}\n", default.spec.name, default.spec.default),
            };
            (text, true)
        }
        Answer::NotSet(not) => {
            (format!("Option '{}' is not set in scope '{}'.\n", shown(&not.name), shown(&not.scope)), false)
        }
    }
}

/// An option: `Name = value`.
#[must_use]
pub fn option(config: &Config, setting: Setting<'_>, origin: bool) -> String {
    let mut text = String::new();
    write_option(&mut text, config, setting, origin, 0);
    text
}

/// What is in a scope: its options, and the scopes in it as `Listen ":25" { ... }`.
#[must_use]
pub fn contents(config: &Config, scope: Scope<'_>, origin: bool) -> String {
    let mut text = String::new();
    for member in members(scope) {
        match member {
            Found::Option(setting) => write_option(&mut text, config, setting, origin, 0),
            Found::Scope(scope) => {
                let _ = writeln!(text, "{} {{ ... }}", heading(scope));
                if origin {
                    opened(&mut text, config, scope, 1);
                }
            }
        }
    }
    text
}

/// A scope with everything in it; the outermost without braces, since it has none.
#[must_use]
pub fn whole(config: &Config, scope: Scope<'_>, origin: bool) -> String {
    let mut text = String::new();
    if scope.parent().is_some() {
        write_scope(&mut text, config, scope, origin, 0);
    } else {
        write_members(&mut text, config, scope, origin, 0);
    }
    text
}

/// Where a scope or option is: `Listen ":25"`, and in a second line `  is at Esmtp_Listener::Listen:\:25:`.
#[must_use]
pub fn located(config: &Config, found: Found<'_>, origin: bool) -> String {
    let mut text = String::new();
    match found {
        Found::Scope(scope) => {
            let _ = writeln!(text, "{}\n  is at {}", heading(scope), location(scope));
            if origin {
                opened(&mut text, config, scope, 1);
            }
        }
        Found::Option(setting) => {
            write_option(&mut text, config, setting, false, 0);
            let _ = writeln!(text, "  is at {}{}", location(setting.scope()), option_name(setting));
            if origin {
                from(&mut text, config, setting, 1);
            }
        }
    }
    text
}

/// What is in a scope, in the order of its first appearance; of an option and a scope that first appeared in different
/// files, the one in the file that was opened first.
pub fn members(scope: Scope<'_>) -> impl Iterator<Item = Found<'_>> {
    let mut options = scope.options().peekable();
    let mut scopes = scope.scopes().peekable();
    std::iter::from_fn(move || {
        let scope_is_first = match (options.peek(), scopes.peek()) {
            (Some(option), Some(scope)) => {
                let option = option.history().next().map(|assignment| assignment.name_span());
                let scope = scope.definitions().next();
                matches!((option, scope), (Some(a), Some(b)) if (b.file, b.start) < (a.file, a.start))
            }
            (None, _) => true,
            (_, None) => false,
        };
        if scope_is_first { scopes.next().map(Found::Scope) } else { options.next().map(Found::Option) }
    })
}

/// Every text of an option's value: itself, its elements, or its keys and their values.
#[must_use]
pub fn texts(setting: Setting<'_>) -> Vec<String> {
    match setting.current().value() {
        Value::Text(text) => vec![text.text().into_owned()],
        Value::Array(list) => list.iter().map(|text| text.text().into_owned()).collect(),
        Value::Dict(entries) => entries
            .iter()
            .flat_map(|(key, value)| [key, value])
            .map(|text| text.text().into_owned())
            .collect(),
    }
}

/// A scope's name, and its instance in quotes.
#[must_use]
pub fn heading(scope: Scope<'_>) -> String {
    match scope.instance() {
        Some(instance) => format!("{} {}", scope_name(scope), in_quotes(&instance)),
        None => scope_name(scope).to_owned(),
    }
}

fn write_members(text: &mut String, config: &Config, scope: Scope<'_>, origin: bool, depth: usize) {
    for member in members(scope) {
        match member {
            Found::Option(setting) => write_option(text, config, setting, origin, depth),
            Found::Scope(scope) => write_scope(text, config, scope, origin, depth),
        }
    }
}

fn write_scope(text: &mut String, config: &Config, scope: Scope<'_>, origin: bool, depth: usize) {
    let margin = margin(depth);
    let _ = writeln!(text, "{margin}{} {{", heading(scope));
    if origin {
        opened(text, config, scope, depth + 1);
    }
    write_members(text, config, scope, origin, depth + 1);
    let _ = writeln!(text, "{margin}}}");
}

fn write_option(text: &mut String, config: &Config, setting: Setting<'_>, origin: bool, depth: usize) {
    let margin = margin(depth);
    let _ = write!(text, "{margin}{} = ", option_name(setting));
    match setting.current().value() {
        Value::Text(value) => {
            let _ = writeln!(text, "{}", as_written(&value));
        }
        Value::Array(list) if list.is_empty() => text.push_str("()\n"),
        Value::Array(list) => {
            text.push_str("(\n");
            for element in &list {
                let _ = writeln!(text, "{margin}  {}", as_written(element));
            }
            let _ = writeln!(text, "{margin})");
        }
        Value::Dict(entries) if entries.is_empty() => text.push_str("[]\n"),
        Value::Dict(entries) => {
            text.push_str("[\n");
            for (key, value) in &entries {
                let _ = writeln!(text, "{margin}  {} = {}", as_written(key), as_written(value));
            }
            let _ = writeln!(text, "{margin}]");
        }
    }
    if origin {
        from(text, config, setting, depth + 1);
    }
}

/// A text in quotes where it was, or where it needs them.
fn as_written(text: &Text<'_>) -> String {
    let value = text.text();
    if text.quoted() { in_quotes(&value) } else { quote(&value).into_owned() }
}

/// Where the value of an option is from, and what it overrode, the latest first.
fn from(text: &mut String, config: &Config, setting: Setting<'_>, depth: usize) {
    let margin = margin(depth);
    let mut history: Vec<Assignment<'_>> = setting.history().collect();
    history.reverse();
    for (index, assignment) in history.iter().enumerate() {
        let place = config.place(assignment.span());
        let _ = if index == 0 {
            writeln!(text, "{margin}# {place}")
        } else {
            writeln!(text, "{margin}# instead of {} at {place}", one_line(assignment))
        };
    }
}

/// Every place that a scope was opened in.
fn opened(text: &mut String, config: &Config, scope: Scope<'_>, depth: usize) {
    let margin = margin(depth);
    for span in scope.definitions() {
        let _ = writeln!(text, "{margin}# opened at {}", config.place(span));
    }
}

/// A value that was overridden, short enough for a comment.
fn one_line(assignment: &Assignment<'_>) -> String {
    let joined = |texts: Vec<String>| shown(&texts.join(" ")).to_string();
    match assignment.value() {
        Value::Text(text) => shown(&as_written(&text)).to_string(),
        Value::Array(list) => format!("( {} )", joined(list.iter().map(as_written).collect())),
        Value::Dict(entries) => {
            let entry =
                |(key, value): &(Text<'_>, Text<'_>)| format!("{} = {}", as_written(key), as_written(value));
            format!("[ {} ]", joined(entries.iter().map(entry).collect()))
        }
    }
}

fn margin(depth: usize) -> String {
    "  ".repeat(depth)
}
