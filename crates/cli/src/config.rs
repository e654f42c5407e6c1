//! `stepdown config`: the console's questions, asked of the files.
//!
//! What is answered is decided in `stepdown::console`, which a running server's console asks as well; here are the
//! arguments, the regular expression of `locate`, and JSON.

use std::path::Path;

use serde_json::{Value as Json, json};
use stepdown::conf::{Assignment, Cause, Config, Finding, Scope, Setting, Text, Value, nearest, shown};
use stepdown::console::{self, Answer, Found, written};
use stepdown::source;

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;
use stepdown::report;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let origin = arguments.has(Name::Origin);
    let words: Vec<String> =
        arguments.operands.iter().map(|operand| operand.to_string_lossy().into_owned()).collect();
    let Some((question, words)) = words.split_first() else {
        return Err(arguments.wrong(&format!("one of {} is needed", QUESTIONS.join(", "))));
    };
    if !QUESTIONS.contains(&question.as_str()) {
        let mut error =
            arguments.wrong(&format!("`{}` is no question about a configuration", shown(question)));
        error.hint = Some(match nearest(question, QUESTIONS.into_iter()) {
            Some(near) => format!("did you mean `stepdown config {near}`?"),
            None => format!("there are {}", QUESTIONS.join(", ")),
        });
        return Err(error);
    }
    if question == "locate" && !(1..=2).contains(&words.len()) {
        return Err(arguments.wrong("locate takes a name, and a regular expression if any"));
    }
    let config = match source::load(arguments.value(Name::Config).map(Path::new)) {
        Ok(config) => config,
        Err(findings) => return Ok(fail(&findings, format)),
    };
    let said = match question.as_str() {
        "show" => console::show(&config, words).map(|found| show(&config, found, false, origin)),
        "showrecurse" => console::show(&config, words).map(|found| show(&config, found, true, origin)),
        "get" => console::get(&config, words).map(|answer| one(&config, &answer, origin)),
        "eval" => console::eval(&config, words).map(|answer| one(&config, &answer, origin)),
        _ => locate(&config, words, origin),
    };
    Ok(match said {
        Ok(said) => say(&said, format),
        Err(finding) => fail(&[*finding], format),
    })
}

const QUESTIONS: [&str; 5] = ["show", "showrecurse", "get", "eval", "locate"];

/// An answer, ready to be printed.
struct Said {
    text: String,
    json: Json,
    /// What is said besides, where there is no value.
    hint: Option<String>,
    is_value: bool,
}

fn say(said: &Said, format: Format) -> u8 {
    match format {
        // A control character in a file must not reach the terminal; JSON has the very text.
        Format::Text => output::out(&report::clean_lines(&said.text)),
        Format::Json => output::out(&format!("{}\n", said.json)),
    }
    if let (Some(hint), Format::Text) = (&said.hint, format) {
        output::error(&format!("  hint: {}\n", report::clean(hint)));
    }
    u8::from(!said.is_value)
}

fn fail(findings: &[Finding], format: Format) -> u8 {
    match format {
        Format::Text => output::error(&report::text(findings, output::colour_error())),
        Format::Json => output::out(&format!("{}\n", json!({ "findings": report::json(findings) }))),
    }
    1
}

fn show(config: &Config, found: Found<'_>, recurse: bool, origin: bool) -> Said {
    let (text, json) = match found {
        Found::Option(setting) => (written::option(config, setting, origin), option(config, setting)),
        Found::Scope(at) => {
            let text = if recurse {
                written::whole(config, at, origin)
            } else {
                written::contents(config, at, origin)
            };
            (text, scope(config, at, if recurse { Depth::All } else { Depth::Names }))
        }
    };
    Said { text, json, hint: None, is_value: true }
}

fn one(config: &Config, answer: &Answer<'_>, origin: bool) -> Said {
    let (text, is_value) = written::answer(config, answer, origin);
    let (json, hint) = match answer {
        Answer::Set(setting) => (option(config, *setting), None),
        Answer::Default(default) => {
            let json = json!({
                "name": default.spec.name,
                "set": false,
                "value": default.value,
                "default": default.spec.default,
            });
            (json, None)
        }
        Answer::NotSet(not) => {
            let json = json!({ "name": not.name, "set": false, "scope": not.scope, "hint": not.hint });
            (json, not.hint.clone())
        }
    };
    Said { text, json, hint, is_value }
}

fn locate(config: &Config, words: &[String], origin: bool) -> Result<Said, Box<Finding>> {
    let expression = match words.get(1).map(|text| (text, regex_lite::Regex::new(text))) {
        None => None,
        Some((_, Ok(expression))) => Some(expression),
        Some((text, Err(error))) => {
            let message = format!("`{}` is no regular expression: {error}", shown(text));
            return Err(Box::new(
                Finding::error("bad-expression", Cause::Text, message)
                    .hint("put a backslash before a character that is meant as itself"),
            ));
        }
    };
    let wanted = |text: &str| expression.as_ref().is_none_or(|expression| expression.is_match(text));
    let found = console::locate(config, &words[0], wanted)?;
    let text = found.iter().map(|found| written::located(config, *found, origin)).collect();
    let json = found
        .iter()
        .map(|found| match found {
            Found::Scope(at) => scope(config, *at, Depth::Nothing),
            Found::Option(setting) => option(config, *setting),
        })
        .collect();
    Ok(Said { text, json, hint: None, is_value: true })
}

/// How much of a scope is in its object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Nothing,
    Names,
    All,
}

fn scope(config: &Config, at: Scope<'_>, depth: Depth) -> Json {
    let mut object = json!({
        "scope": console::scope_name(at),
        "instance": at.instance(),
        "location": console::location(at),
        "opened": at.definitions().map(|span| place(config, span)).collect::<Json>(),
    });
    if depth != Depth::Nothing {
        let inner = if depth == Depth::All { Depth::All } else { Depth::Nothing };
        object["options"] = at.options().map(|setting| option(config, setting)).collect();
        object["scopes"] = at.scopes().map(|within| scope(config, within, inner)).collect();
    }
    object
}

fn option(config: &Config, setting: Setting<'_>) -> Json {
    let current = setting.current();
    let mut overridden: Vec<Assignment<'_>> = setting.history().collect();
    overridden.pop();
    let overridden: Json = overridden
        .iter()
        .rev()
        .map(|assignment| json!({ "value": value(assignment), "place": place(config, assignment.span()) }))
        .collect();
    json!({
        "name": console::option_name(setting),
        "set": true,
        "value": value(&current),
        "scope": console::location(setting.scope()),
        "place": place(config, current.span()),
        "overrode": overridden,
    })
}

/// A text, an array of texts, or for a dictionary, in which a key may occur twice, an array of pairs.
fn value(assignment: &Assignment<'_>) -> Json {
    let text = |text: &Text<'_>| Json::String(text.text().into_owned());
    match assignment.value() {
        Value::Text(one) => text(&one),
        Value::Array(list) => list.iter().map(text).collect(),
        Value::Dict(entries) => entries.iter().map(|(key, of)| json!([text(key), text(of)])).collect(),
    }
}

fn place(config: &Config, span: stepdown::conf::Span) -> Json {
    report::place(&config.place(span))
}
