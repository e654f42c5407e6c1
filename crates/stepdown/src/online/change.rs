//! A change in words: which option or scope, and what it is set to.

use std::fmt;

use stepdown_conf::{Cause, Config, Finding, NewValue, Scope, Setting, shown};

use super::known::State;
use super::{Online, clock};
use crate::console;

/// A change of the running configuration. Its text is what could be typed to make it again: `config set Security
/// Capabilities = ""`.
#[derive(Clone, Debug)]
pub struct Change {
    asked: Asked,
    homes: Vec<Home>,
    who: String,
}

/// What was asked for; without a value the option, or the whole scope, is removed.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) target: Target,
    pub(super) value: Option<NewValue>,
}

/// A scope from the outside in, each with its instance, and an option of it, or the scope itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scopes: Vec<(String, Option<String>)>,
    pub(super) option: Option<String>,
}

/// Where a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In the text of this file.
    File(String),
    /// Laid over all files, in memory.
    Memory,
}

impl Change {
    /// Who made it.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }

    /// The files that it belongs to; none if it is in memory alone.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.homes.iter().filter_map(|home| match home {
            Home::File(path) => Some(path.as_str()),
            Home::Memory => None,
        })
    }

    pub(super) fn new(asked: Asked, homes: Vec<Home>, who: &str) -> Change {
        Change { asked, homes, who: who.to_owned() }
    }

    pub(super) fn target(&self) -> &Target {
        &self.asked.target
    }

    pub(super) fn value(&self) -> Option<&NewValue> {
        self.asked.value.as_ref()
    }

    /// Whether each file that it belongs to is on disk as it is in memory.
    pub(super) fn is_saved(&self, state: &State) -> bool {
        self.homes.iter().all(|home| match home {
            Home::File(path) => !state.is_edited(path),
            Home::Memory => false,
        })
    }

    /// A reload loses it.
    pub(super) fn undone(&self) -> Finding {
        let message = format!("`{}` by {} is undone", shown(&self.to_string()), shown(&self.who));
        Finding::warning("change-undone", Cause::Text, message)
            .because("a reload reads everything anew from the files, and this is in none")
            .hint("`config writeback` before the reload would have saved it")
    }

    /// What another did to the same in the meantime.
    pub(super) fn met(&self, before: &Config, online: &Online) -> Option<Finding> {
        let target = self.target();
        let (old, new) = (target.written(before), target.written(online.config()));
        if old == new {
            return None;
        }
        let latest = online.latest();
        let (who, what) = (shown(&latest.who), clock::utc(latest.when));
        let name = target.shown();
        let message = match new {
            Some(_) if target.option.is_none() => format!("`{}` was changed by {who}, {what}", shown(&name)),
            Some(new) => {
                format!("`{}` was changed to {} by {who}, {what}", shown(&name), shown(new.trim()))
            }
            None => format!("`{}` was unset by {who}, {what}", shown(&name)),
        };
        let finding = Finding::warning("replayed-over", Cause::Text, message);
        Some(finding.because(format!("this transaction puts `{}` in its place", shown(&self.to_string()))))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.asked.value.is_some() { "config set" } else { "config unset" })?;
        for (name, instance) in &self.asked.target.scopes {
            write!(f, " {name}")?;
            if let Some(instance) = instance {
                write!(f, " {}", console::in_quotes(instance))?;
            }
        }
        if let Some(option) = &self.asked.target.option {
            write!(f, " {option}")?;
        }
        match &self.asked.value {
            Some(value) => write!(f, " = {}", value.written()),
            None => Ok(()),
        }
    }
}

impl Target {
    pub(super) fn of_option(setting: Setting<'_>) -> Target {
        let option = Some(console::option_name(setting).to_owned());
        Target { option, ..Target::of_scope(setting.scope()) }
    }

    pub(super) fn of_scope(scope: Scope<'_>) -> Target {
        let around = std::iter::successors(Some(scope), |scope| scope.parent());
        let mut scopes: Vec<_> = around
            .filter(|scope| scope.parent().is_some())
            .map(|scope| {
                (console::scope_name(scope).to_owned(), scope.instance().map(|text| text.into_owned()))
            })
            .collect();
        scopes.reverse();
        Target { scopes, option: None }
    }

    /// The scope, if there is one.
    pub(super) fn scope<'a>(&self, config: &'a Config) -> Option<Scope<'a>> {
        self.scopes
            .iter()
            .try_fold(config.root(), |scope, (name, instance)| scope.scope(name, instance.as_deref()))
    }

    /// The scope, or the innermost one around it that there is; and the others, from the outside in.
    pub(super) fn deepest<'t, 'a>(
        &'t self,
        config: &'a Config,
    ) -> (Scope<'a>, &'t [(String, Option<String>)]) {
        let mut scope = config.root();
        for (depth, (name, instance)) in self.scopes.iter().enumerate() {
            match scope.scope(name, instance.as_deref()) {
                Some(inner) => scope = inner,
                None => return (scope, &self.scopes[depth..]),
            }
        }
        (scope, &[])
    }

    pub(super) fn exists(&self, config: &Config) -> bool {
        self.scope(config)
            .is_some_and(|scope| self.option.as_deref().is_none_or(|option| scope.option(option).is_some()))
    }

    /// As words that [`console::eval`] takes.
    pub(super) fn words(&self) -> Vec<String> {
        let scopes = self.scopes.iter().flat_map(|(name, instance)| [Some(name), instance.as_ref()]);
        scopes.flatten().chain(&self.option).cloned().collect()
    }

    /// `Esmtp_Listener::Listen:\:25:Enable`.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        for (name, instance) in &self.scopes {
            let instance = instance.as_deref().unwrap_or_default();
            text.extend([name, ":", &instance.replace('\\', "\\\\").replace(':', "\\:"), ":"]);
        }
        text + self.option.as_deref().unwrap_or_default()
    }

    /// What it comes to, in the console's words.
    fn written(&self, config: &Config) -> Option<String> {
        let scope = self.scope(config)?;
        Some(match &self.option {
            None => console::written::whole(config, scope, false),
            Some(option) => console::written::option(config, scope.option(option)?, false),
        })
    }
}

impl Asked {
    /// `[scope …] option [=] value`, as it was typed.
    pub(super) fn parse(text: &str, config: &Config) -> Result<Asked, Box<Finding>> {
        let (words, value) = halves(text)?;
        let value = read_value(value)?;
        let target = target(config, &words)?;
        let option = target.option.as_deref().unwrap_or_default();
        refuse_name(option)?;
        for (name, _) in &target.scopes {
            refuse_name(name)?;
        }
        Ok(Asked { target, value: Some(value) })
    }
}

/// An option that decides which files are read can't change without reading them.
pub(super) fn refuse_local_changes_file(target: &Target) -> Result<(), Box<Finding>> {
    let is = |name: &String| name.eq_ignore_ascii_case("Local_Changes_File");
    if target.scopes.is_empty() && target.option.as_ref().is_some_and(is) {
        return Err(Box::new(
            Finding::error("not-online", Cause::Text, "`Local_Changes_File` does not change online")
                .because("it names a file to be read, and files are read by `config reload`")
                .hint("change it in the file that sets it, and reload"),
        ));
    }
    Ok(())
}

struct Word {
    text: String,
    quoted: bool,
}

/// The words up to the value, and the text of the value.
fn halves(text: &str) -> Result<(Vec<Word>, &str), Box<Finding>> {
    let mut words: Vec<(Word, usize)> = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &text[at..];
        match first {
            '=' => return value_after(words, &text[at + 1..]),
            '(' | '[' => return value_after(words, rest),
            '"' | '\'' => {
                let length =
                    quoted(rest).ok_or_else(|| unreadable(text, "a quotation mark is not closed"))?;
                words.push((Word { text: unquoted(&rest[..length]), quoted: true }, at));
                at += length;
            }
            _ => {
                // A regular expression as an instance may hold anything but white space.
                let is_end = |c: char| {
                    c.is_whitespace() || (first != '/' && matches!(c, '=' | '"' | '\'' | '(' | '['))
                };
                let length = rest.find(is_end).unwrap_or(rest.len());
                words.push((Word { text: rest[..length].to_owned(), quoted: false }, at));
                at += length;
            }
        }
    }
    match words.pop() {
        Some((_, start)) if !words.is_empty() => value_after(words, &text[start..]),
        Some((word, _)) => Err(unreadable(&word.text, "no value is given")),
        None => Err(unreadable(text, "no option is named")),
    }
}

fn value_after(words: Vec<(Word, usize)>, value: &str) -> Result<(Vec<Word>, &str), Box<Finding>> {
    if words.is_empty() {
        return Err(unreadable(value, "no option is named"));
    }
    Ok((words.into_iter().map(|(word, _)| word).collect(), value))
}

/// How long the text in quotes is that `rest` begins with.
fn quoted(rest: &str) -> Option<usize> {
    let mark = rest.chars().next()?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if mark == '"' => escaped = true,
            c if c == mark => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text in quotes, by the rules of the language.
fn unquoted(raw: &str) -> String {
    let config = Config::from_text("", &format!("x = {raw}\n")).ok();
    let text = config
        .as_ref()
        .and_then(|config| Some(config.root().option("x")?.current().value().as_text()?.text().into_owned()));
    text.unwrap_or_else(|| raw[1..raw.len() - 1].to_owned())
}

/// The text of a value, which must be that of one value and nothing else.
fn read_value(text: &str) -> Result<NewValue, Box<Finding>> {
    let config = Config::from_text("the value", &format!("x = {text}\n")).map_err(|findings| {
        let mut finding = unreadable(text.trim(), "it is no value");
        if let Some(first) = findings.into_iter().find(Finding::is_error) {
            finding.why = Some(first.message.clone());
            finding.hint = Some("quote a text that holds anything but letters and digits".into());
        }
        finding
    })?;
    let mut options = config.root().options();
    let only = options.next().filter(|only| only.history().count() == 1);
    match only {
        Some(only) if options.next().is_none() && config.scopes().next().is_none() => {
            Ok(NewValue::from(&only.current().value()))
        }
        _ => Err(unreadable(text.trim(), "one value is set at a time")),
    }
}

/// Which option the words name. Scopes that do not exist yet are made.
fn target(config: &Config, words: &[Word]) -> Result<Target, Box<Finding>> {
    let words = apart(words);
    let Some((option, way)) = words.split_last() else {
        return Err(unreadable("", "no option is named"));
    };
    let mut scopes = Vec::new();
    let mut scope = Some(config.root());
    let mut rest = way.iter().peekable();
    while let Some(word) = rest.next() {
        let here: Vec<Scope<'_>> = scope
            .iter()
            .flat_map(|scope| scope.scopes())
            .filter(|scope| scope.name().eq_ignore_ascii_case(&word.text))
            .collect();
        let like = here
            .first()
            .copied()
            .or_else(|| config.scopes().find(|scope| scope.name().eq_ignore_ascii_case(&word.text)));
        let known = console::NAMED.into_iter().find(|name| name.eq_ignore_ascii_case(&word.text));
        let is_named = match like {
            Some(like) => like.instance().is_some(),
            // Nothing is known of such a scope: what can't be a name is an instance.
            None if known.is_none() => rest.peek().is_some_and(|next| next.quoted || !is_name(&next.text)),
            None => true,
        };
        let name = like.map(console::scope_name).or(known).unwrap_or(&word.text).to_owned();
        let instance = match (is_named, rest.peek()) {
            (true, Some(next)) => Some(next.text.clone()),
            (true, None) => return Err(console::which_instance(&name, &here)),
            (false, _) => None,
        };
        if is_named {
            rest.next();
        }
        scope = scope.and_then(|scope| scope.scope(&name, instance.as_deref()));
        scopes.push((name, instance));
    }
    let known = scope.and_then(|scope| scope.option(&option.text));
    let mut target = Target { scopes, option: Some(option.text.clone()) };
    if let Some(setting) = known {
        target.option = Some(console::option_name(setting).to_owned());
    } else if let [(name, None)] = &target.scopes[..]
        && let Some(spec) = console::registered(name, &option.text)
    {
        target.scopes[0].0 = stepdown_security::options::SCOPE.to_owned();
        target.option = Some(spec.name.to_owned());
    }
    Ok(target)
}

/// `Listen":25"` and `'Listen ":25"'` are two words each.
fn apart(words: &[Word]) -> Vec<Word> {
    let mut parts = Vec::new();
    for word in words {
        if word.quoted && word.text.contains(['"', '\'']) && word.text.contains(char::is_whitespace) {
            parts.extend(console::split(&word.text).into_iter().map(|text| Word { text, quoted: false }));
        } else {
            parts.push(Word { text: word.text.clone(), quoted: word.quoted });
        }
    }
    parts
}

fn refuse_name(name: &str) -> Result<(), Box<Finding>> {
    let is_keyword = ["include", "readonly_include"].iter().any(|word| name.eq_ignore_ascii_case(word));
    if is_name(name) && !is_keyword {
        return Ok(());
    }
    let message = format!("`{}` can't be the name of an option or scope", shown(name));
    let finding = Finding::error("bad-name", Cause::Text, message);
    Err(Box::new(if is_keyword {
        finding.because("it brings another file, and files are read by `config reload`")
    } else {
        finding.because("names are made of letters, digits, `_`, `-` and `:`")
    }))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':'))
}

fn unreadable(text: &str, why: &str) -> Box<Finding> {
    Box::new(
        Finding::error("no-assignment", Cause::Text, format!("`{}`: {why}", shown(text))).hint(
            "it is `config set [scope ...] option = value`, such as `config set Security User = ecuser`",
        ),
    )
}
