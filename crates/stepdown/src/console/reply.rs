//! An answer as it is printed: in words and as JSON, the same from the files and from a running server.
//!
//! What comes from a file is made harmless in the words; JSON has the very text.

use serde_json::{Value as Json, json};
use stepdown_conf::{Assignment, Config, Finding, Scope, Setting, Span, Text, Value, quote, shown};

use super::{Answer, Found, eval, location, option_name, scope_name, written};
use crate::report;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// 0 done, 1 refused or no, 2 not understood.
    pub status: u8,
    /// The answer in words, lines that each end in a line feed; empty where there is none.
    pub text: String,
    /// What is said besides, where there is no value.
    pub hint: Option<String>,
    /// Reasons and warnings.
    pub findings: Vec<Finding>,
    /// The answer for a machine; where it is null, the findings are.
    pub json: Json,
}

impl Reply {
    /// Done, and nothing to be said.
    #[must_use]
    pub fn nothing() -> Reply {
        Reply::said(String::new(), json!({}))
    }

    /// Done, with these words and the same for a machine.
    #[must_use]
    pub fn said(text: String, json: Json) -> Reply {
        Reply { status: 0, text, hint: None, findings: Vec::new(), json }
    }

    /// Refused, for these reasons.
    #[must_use]
    pub fn refused(findings: Vec<Finding>) -> Reply {
        Reply { status: 1, text: String::new(), hint: None, findings, json: Json::Null }
    }

    /// An option, or a scope; with everything in its inner scopes if `recurse`.
    #[must_use]
    pub fn found(config: &Config, found: Found<'_>, recurse: bool, origin: bool) -> Reply {
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
        Reply::said(text, json)
    }

    /// What an option comes to; its status says whether there is a value.
    #[must_use]
    pub fn answered(config: &Config, answer: &Answer<'_>, origin: bool) -> Reply {
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
        Reply { status: u8::from(!is_value), hint, ..Reply::said(text, json) }
    }

    /// Scopes and options, and where they are.
    #[must_use]
    pub fn located(config: &Config, found: &[Found<'_>], origin: bool) -> Reply {
        let text = found.iter().map(|found| written::located(config, *found, origin)).collect();
        let json = found
            .iter()
            .map(|found| match found {
                Found::Scope(at) => scope(config, *at, Depth::Nothing),
                Found::Option(setting) => option(config, *setting),
            })
            .collect();
        Reply::said(text, json)
    }

    /// `"Message_Expiration" has been unset. Effective value is now:` and the line.
    pub(crate) fn unset(config: &Config, words: &[String], location: &str, is_option: bool) -> Reply {
        let name = words.last().map_or("", String::as_str);
        if !is_option {
            let text = format!("\"{}\" has been unset.\n", shown(location));
            return Reply::said(text, json!({ "unset": location }));
        }
        let mut text = format!("\"{}\" has been unset. Effective value is now:\n", shown(name));
        let (line, json) = match eval(config, words) {
            Ok(answer) => {
                let reply = Reply::answered(config, &answer, false);
                (reply.text, reply.json)
            }
            // Its scope went with it: it was the last of an overlay.
            Err(_) => (format!("# {} is not set\n", quote(name)), json!({ "name": name, "set": false })),
        };
        text.push_str(&line);
        Reply::said(text, json!({ "unset": location, "effective": json }))
    }

    /// The same, with warnings.
    #[must_use]
    pub fn with(mut self, findings: Vec<Finding>) -> Reply {
        self.findings.extend(findings);
        self
    }

    /// What answers the question, for standard output.
    #[must_use]
    pub fn words(&self) -> String {
        report::clean_lines(&self.text)
    }

    /// What is said besides, for standard error.
    #[must_use]
    pub fn remarks(&self, colour: bool) -> String {
        let mut text = report::text(&self.findings, colour);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  hint: {}\n", report::clean(hint)));
        }
        text
    }

    /// Everything for a machine, in one line.
    #[must_use]
    pub fn machine(&self) -> String {
        match (&self.json, self.findings.is_empty()) {
            (Json::Null, _) => {
                format!("{}\n", json!({ "findings": report::value(&self.findings) }))
            }
            (Json::Object(object), false) if !object.contains_key("findings") => {
                let mut object = object.clone();
                object.insert("findings".to_owned(), report::value(&self.findings));
                format!("{}\n", Json::Object(object))
            }
            (json, _) => format!("{json}\n"),
        }
    }
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
        "scope": scope_name(at),
        "instance": at.instance(),
        "location": location(at),
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
        "name": option_name(setting),
        "set": true,
        "value": value(&current),
        "scope": location(setting.scope()),
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

fn place(config: &Config, span: Span) -> Json {
    report::place_value(&config.place(span))
}
