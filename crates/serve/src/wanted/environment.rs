//! The variables that a service gets besides those of the server. Follows environ(7).

use std::collections::BTreeMap;

use stepdown_conf::{Cause, Finding, Text, Value, shown};

use super::reader::{At, Reader};
use crate::options::Key;

/// What the server sets itself, or a program would take for a word of its own supervisor: sd_listen_fds(3), sd_notify(3),
/// sd_watchdog_enabled(3).
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with("LISTEN_")
        || name.starts_with("WATCHDOG_")
        || matches!(name, "NOTIFY_SOCKET" | "MAINPID")
}

impl<'a> Reader<'a> {
    pub(super) fn environment(&mut self, at: At<'a>) -> Vec<(String, String)> {
        let Some(option) = at.written(Key::Environment) else { return Vec::new() };
        let entries = match option.setting.current().value() {
            Value::Dict(entries) => entries,
            Value::Array(texts) if texts.is_empty() => Vec::new(),
            value => {
                self.refuse_form(
                    option,
                    &value,
                    "not-a-dictionary",
                    "takes a dictionary",
                    "write [ NAME = value ]",
                );
                Vec::new()
            }
        };
        let mut variables = BTreeMap::new();
        for (name, value) in entries {
            if let Some(finding) = refused(&name, &variables) {
                self.push_at(finding, &name);
            }
            variables.insert(name.text().into_owned(), value.text().into_owned());
        }
        variables.into_iter().collect()
    }
}

fn refused(name: &Text<'_>, before: &BTreeMap<String, String>) -> Option<Finding> {
    let text = name.text();
    let error = |code, what: &str| {
        Finding::error(code, Cause::Text, format!("the variable `{}` {what}", shown(&text)))
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=') {
        return Some(
            error("bad-variable", "has a name that is none")
                .because("in an environment, `=` ends a name; white space and other than ASCII no shell could read")
                .hint("write letters, digits and `_`"),
        );
    }
    if is_reserved(&text) {
        return Some(
            error("reserved-variable", "is not for a configuration to set")
                .because("the server says by it which sockets a process gets, or how to report")
                .hint("remove it; Listen, Name and Notify are what it follows from"),
        );
    }
    before.contains_key(&*text).then(|| {
        error("variable-twice", "is set twice")
            .because("only one of the values could reach the program")
            .hint("remove one of them")
    })
}
