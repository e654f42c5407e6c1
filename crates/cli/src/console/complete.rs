//! What could be typed next: commands from the table, scopes and options from the server, which is asked silently.

use serde_json::Value;
use stepdown::security::options::{OPTIONS as SECURITY, SCOPE};
use stepdown_serve::console::commands::{COMMANDS, Key};
use stepdown_serve::console::words::{as_word, words};
use stepdown_serve::options::{self, CONSOLE, LISTEN, SERVICE, Within};

/// What is being typed: where it begins, what of it is there, and what it could become.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typing {
    /// Where the word begins in the line.
    pub(crate) start: usize,
    /// What of it is there, without a quote.
    pub(crate) begun: String,
    /// What it could be.
    pub(crate) wanted: Wanted,
}

/// What a word could be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One of these.
    Words(Vec<String>),
    /// A scope or option behind these words.
    Name(Vec<String>),
    /// A service.
    Service,
}

/// What is being typed at the end of this text.
pub(crate) fn typing(text: &str) -> Typing {
    let (before, start, begun) = match words(text) {
        Ok(mut all) => match all.pop() {
            Some(last) if last.span.end == text.len() && !last.quoted => (all, last.span.start, last.text),
            Some(last) => {
                all.push(last);
                (all, text.len(), String::new())
            }
            None => (all, text.len(), String::new()),
        },
        Err(unclosed) => {
            let before = words(&text[..unclosed.at]).unwrap_or_default();
            (before, unclosed.at, text[unclosed.at + 1..].to_owned())
        }
    };
    let flag = |word: &str| word.starts_with("--");
    let before: Vec<String> = before.into_iter().map(|word| word.text).collect();
    let wanted = if before.last().is_some_and(|last| last == "--format") {
        Wanted::Words(vec!["json".to_owned(), "text".to_owned()])
    } else {
        let before: Vec<String> = before.into_iter().filter(|word| !flag(word)).collect();
        if flag(&begun) { flags(&before) } else { after(&before) }
    };
    Typing { start, begun, wanted }
}

/// The names in a scope, as the server has them, and what else could be set there; `ask` sends a line and gives the JSON
/// of the reply.
pub(crate) fn names(way: &[String], mut ask: impl FnMut(&str) -> Option<Value>) -> Vec<String> {
    let mut show = |way: &[String]| {
        let words: String = way.iter().map(|word| format!(" {}", as_word(word))).collect();
        ask(&format!("config show{words} --format json")).filter(|reply| reply.get("options").is_some())
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut names = Vec::new();
    if let Some(scope) = show(way) {
        names.extend(list(&scope, "options").iter().filter_map(|option| text(option, "name")));
        names.extend(list(&scope, "scopes").iter().filter_map(|inner| text(inner, "scope")));
        let name = text(&scope, "scope").unwrap_or_default();
        names.extend(known(way, &name).into_iter().map(str::to_owned));
    } else if let Some((last, around)) = way.split_last()
        && let Some(scope) = show(around)
    {
        // The scope's name alone leads nowhere: its instances are next.
        let same = |inner: &&Value| text(inner, "scope").is_some_and(|name| name.eq_ignore_ascii_case(last));
        names.extend(list(&scope, "scopes").iter().filter(same).filter_map(|inner| text(inner, "instance")));
    }
    names.sort_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    names
}

/// Those that begin as what was typed, in any case, ready to stand in the line.
pub(crate) fn matching(begun: &str, names: &[String]) -> Vec<String> {
    let begins = |name: &&String| {
        name.get(..begun.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(begun))
    };
    names.iter().filter(begins).map(|name| as_word(name).into_owned()).collect()
}

/// What can stand behind these words.
fn after(before: &[String]) -> Wanted {
    let named = COMMANDS.iter().filter(|spec| !spec.hidden).find(|spec| {
        let length = spec.name.split(' ').count();
        before.len() >= length && spec.name.eq_ignore_ascii_case(&before[..length].join(" "))
    });
    let Some(spec) = named else { return next_of_names(before) };
    let rest = &before[spec.name.split(' ').count()..];
    match spec.key {
        Key::Show | Key::ShowRecurse | Key::Get | Key::Eval | Key::Set | Key::Unset => {
            Wanted::Name(rest.to_vec())
        }
        Key::Locate if rest.is_empty() => Wanted::Name(Vec::new()),
        Key::Begin if rest.is_empty() => Wanted::Words(vec!["from scratch".to_owned()]),
        Key::Restart if rest.is_empty() => Wanted::Service,
        Key::Help => next_of_names(rest),
        _ => Wanted::Words(Vec::new()),
    }
}

/// The next words of the commands that begin so.
fn next_of_names(before: &[String]) -> Wanted {
    let mut next: Vec<String> = Vec::new();
    for spec in COMMANDS.iter().filter(|spec| !spec.hidden) {
        let parts: Vec<&str> = spec.name.split(' ').collect();
        let same = before.iter().zip(&parts).all(|(word, part)| word.eq_ignore_ascii_case(part));
        if same && let Some(part) = parts.get(before.len()) {
            next.push((*part).to_owned());
        }
    }
    next.dedup();
    Wanted::Words(next)
}

fn flags(before: &[String]) -> Wanted {
    let origin = COMMANDS.iter().any(|spec| {
        let length = spec.name.split(' ').count();
        spec.origin && before.len() >= length && spec.name.eq_ignore_ascii_case(&before[..length].join(" "))
    });
    let origin = origin.then(|| "--origin".to_owned());
    Wanted::Words(std::iter::once("--format".to_owned()).chain(origin).collect())
}

/// The options and scopes that a scope of ours can have, set or not.
fn known(way: &[String], name: &str) -> Vec<&'static str> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let of = |within| options::of(within).map(|spec| spec.name);
    let in_console = way.first().is_some_and(|first| first.eq_ignore_ascii_case(CONSOLE));
    match way.len() {
        0 => vec![SCOPE, CONSOLE, SERVICE],
        1 if is(SCOPE) => SECURITY.iter().map(|spec| spec.name).collect(),
        1 if is(CONSOLE) => of(Within::Console).chain([LISTEN]).collect(),
        2 if is(SERVICE) => of(Within::Service).chain([LISTEN]).collect(),
        3 | 4 if is(LISTEN) => of(if in_console { Within::ConsoleListen } else { Within::Listen }).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn commands_are_completed_from_the_table() {
        let Wanted::Words(first) = typing("st").wanted else { panic!("a command is next") };
        assert_eq!(matching("st", &first), ["status"]);
        assert_eq!(first.iter().filter(|name| *name == "config").count(), 1);
        assert!(!first.contains(&"handover".to_owned()));
        let typed = typing("config wr");
        assert_eq!((typed.start, typed.begun.as_str()), (7, "wr"));
        let Wanted::Words(second) = typed.wanted else { panic!("a command's second word is next") };
        assert_eq!(matching("wr", &second), ["writeback"]);
        assert_eq!(typing("restart ").wanted, Wanted::Service);
        assert_eq!(typing("status --format j").wanted, Wanted::Words(strings(&["json", "text"])));
        assert_eq!(typing("config get --").wanted, Wanted::Words(strings(&["--format", "--origin"])));
        assert_eq!(typing("help config s").start, 12);
    }

    #[test]
    fn names_are_asked_of_the_server() {
        let typed = typing("config set Listen \":2");
        assert_eq!((typed.start, typed.begun.as_str()), (18, ":2"));
        assert_eq!(typed.wanted, Wanted::Name(strings(&["Listen"])));
        let mut asked = Vec::new();
        let listed = names(&strings(&["Listen"]), |line| {
            asked.push(line.to_owned());
            (line == "config show --format json").then(|| {
                json!({ "options": [], "scopes": [
                    { "scope": "Listen", "instance": ":25" },
                    { "scope": "Listen", "instance": "a b" },
                    { "scope": "Other", "instance": "x" },
                ]})
            })
        });
        assert_eq!(asked, ["config show Listen --format json", "config show --format json"]);
        assert_eq!(matching("", &listed), [":25", "\"a b\""]);
        let scope = json!({ "scope": "Security", "options": [{ "name": "User" }], "scopes": [] });
        let listed = names(&strings(&["security"]), |_| Some(scope.clone()));
        assert_eq!(matching("us", &listed), ["User"]);
        assert_eq!(matching("cap", &listed), ["Capabilities"]);
        assert!(names(&strings(&["x"]), |_| None).is_empty());
    }
}
