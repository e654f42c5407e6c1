//! The questions about a configuration that the console's `config` commands ask: `show`, `showrecurse`, `get`, `eval`
//! and `locate`.
//!
//! Everything is answered from a [`Config`] alone, whether its files were just read or a server has been running on them
//! for months; [`written`] puts an answer into the console's words. Not for: changing anything, or whether a value is
//! valid, which is for whoever owns the option. Follows `docs/commands.md`, "config".
//!
//! A scope is named from the outside in: a name, then its instance where it has one. Names are the same in any case,
//! instances are compared exactly. `Listen ":25"` may be one word or two.

pub mod written;

mod expression;
mod question;
mod reply;

pub use question::{Misunderstood, QUESTIONS, Question};
pub use reply::Reply;

use std::collections::VecDeque;

use stepdown_conf::{Cause, Config, Finding, Scope, Setting, nearest, quote, shown};
use stepdown_security::options::{self, DEFAULT_IDENTITY, Key, OPTIONS, OptionSpec, SCOPE};

/// The scopes of ours that always have an instance: what follows such a word is one, even where there is no such scope yet.
pub(crate) const NAMED: [&str; 2] = ["Service", "Listen"];

/// What words lead to.
#[derive(Clone, Copy)]
pub enum Found<'a> {
    /// A scope.
    Scope(Scope<'a>),
    /// An option.
    Option(Setting<'a>),
}

/// What an option comes to.
#[derive(Clone)]
pub enum Answer<'a> {
    /// It is set.
    Set(Setting<'a>),
    /// It is not set, and this stands for it.
    Default(Default),
    /// It is not set.
    NotSet(NotSet),
}

/// What stands for an option that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Default {
    /// The option.
    pub spec: &'static OptionSpec,
    /// What could be written with the same effect, where there is such a value.
    pub value: Option<&'static str>,
}

/// An option that is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSet {
    /// Its name, in the registered spelling where there is one.
    pub name: String,
    /// Where it was looked for, as [`location`] has it; empty for the outermost scope.
    pub scope: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

/// `config show`, and `showrecurse`: the scope that the words lead to, or the option.
///
/// # Errors
/// A scope that does not exist, or an instance that is missing; with the nearest name.
pub fn show<'a>(config: &'a Config, words: &[String]) -> Result<Found<'a>, Box<Finding>> {
    let mut way = Way::new(config, words);
    while let Some(name) = way.name()? {
        if way.rest.is_empty()
            && way.of_name(&name).next().is_none()
            && let Some(setting) = way.scope.option(&name)
        {
            return Ok(Found::Option(setting));
        }
        way.enter(&name)?;
    }
    Ok(Found::Scope(way.scope))
}

/// `config get`: the option where it is set in the very scope.
///
/// # Errors
/// As for [`show`]; and words that name no option.
pub fn get<'a>(config: &'a Config, words: &[String]) -> Result<Answer<'a>, Box<Finding>> {
    let (scope, name) = option(config, words)?;
    Ok(match scope.option(&name) {
        Some(setting) => Answer::Set(setting),
        None => Answer::NotSet(not_set(config, scope, &name)),
    })
}

/// `config eval`: the option where it is set in the scope or the nearest one around it, or its default.
///
/// What is around `Security` means nothing to it: its options are set in it or have their defaults, and the defaults
/// hold without any such scope.
///
/// # Errors
/// As for [`get`].
pub fn eval<'a>(config: &'a Config, words: &[String]) -> Result<Answer<'a>, Box<Finding>> {
    if config.root().scope(SCOPE, None).is_none()
        && let Some(spec) = of_absent_security(words)
    {
        return Ok(Answer::Default(default(spec, None)));
    }
    let (scope, name) = option(config, words)?;
    if is_security(scope) {
        return Ok(match (scope.option(&name), options::by_name(&name)) {
            (Some(setting), _) => Answer::Set(setting),
            (None, Some(spec)) => Answer::Default(default(spec, Some(scope))),
            (None, None) => Answer::NotSet(not_set(config, scope, &name)),
        });
    }
    let mut around = std::iter::successors(Some(scope), |scope| scope.parent());
    Ok(match around.find_map(|scope| scope.option(&name)) {
        Some(setting) => Answer::Set(setting),
        None => Answer::NotSet(not_set(config, scope, &name)),
    })
}

/// `config locate`: every scope and every option of that name, in any case. `wanted` is asked about the instance of a
/// scope, which is empty where it has none, and about each text of an option's value.
///
/// # Errors
/// There is none, with the nearest name.
pub fn locate<'a>(
    config: &'a Config,
    name: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Found<'a>>, Box<Finding>> {
    let scopes = || std::iter::once(config.root()).chain(config.scopes());
    let mut found = Vec::new();
    let mut named = false;
    for scope in scopes() {
        if scope.parent().is_some() && scope.name().eq_ignore_ascii_case(name) {
            named = true;
            if wanted(&scope.instance().unwrap_or_default()) {
                found.push(Found::Scope(scope));
            }
        }
        if let Some(setting) = scope.option(name) {
            named = true;
            if written::texts(setting).iter().any(|text| wanted(text)) {
                found.push(Found::Option(setting));
            }
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    if named {
        let message = format!("there is a `{}`, but none that matches", shown(name));
        return Err(Box::new(
            Finding::error("no-match", Cause::Text, message)
                .because(
                    "the regular expression is looked for in instances of scopes, and in values of options",
                )
                .hint(format!("leave it out: config locate {}", shown(name))),
        ));
    }
    let names = scopes()
        .flat_map(|scope| std::iter::once(scope.name()).chain(scope.options().map(|setting| setting.name())));
    let near = nearest(name, names);
    Err(Box::new(nothing("no-name", format!("there is no scope or option `{}`", shown(name)), near)))
}

/// Where a scope is: `Esmtp_Listener::Listen:\:25:`, each scope's name and instance, in which `:` and `\` have a
/// backslash before them. Empty for the outermost scope.
#[must_use]
pub fn location(scope: Scope<'_>) -> String {
    let Some(parent) = scope.parent() else { return String::new() };
    let mut text = location(parent);
    text.push_str(scope_name(scope));
    text.push(':');
    for character in scope.instance().unwrap_or_default().chars() {
        if matches!(character, ':' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push(':');
    text
}

/// The name of an option in its registered spelling, where there is one, else as it was first written.
#[must_use]
pub fn option_name(setting: Setting<'_>) -> &str {
    let registered = if is_security(setting.scope()) { options::by_name(setting.name()) } else { None };
    registered.map_or(setting.name(), |spec| spec.name)
}

/// The name of a scope, likewise.
#[must_use]
pub fn scope_name(scope: Scope<'_>) -> &str {
    if is_security(scope) { SCOPE } else { scope.name() }
}

/// Where the words have led so far.
struct Way<'a> {
    scope: Scope<'a>,
    rest: VecDeque<String>,
}

impl<'a> Way<'a> {
    fn new(config: &'a Config, words: &[String]) -> Way<'a> {
        Way { scope: config.root(), rest: words.iter().cloned().collect() }
    }

    /// The next word as a name. A word that no name could be is taken apart as the console would.
    fn name(&mut self) -> Result<Option<String>, Box<Finding>> {
        let Some(word) = self.rest.pop_front() else { return Ok(None) };
        if !word.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
            return Ok(Some(word));
        }
        let mut parts = VecDeque::from(split(&word));
        let Some(name) = parts.pop_front() else {
            return Err(Box::new(nothing("no-scope", "an empty text names no scope or option".into(), None)));
        };
        parts.append(&mut self.rest);
        self.rest = parts;
        Ok(Some(name))
    }

    fn of_name(&self, name: &str) -> impl Iterator<Item = Scope<'a>> + use<'a> {
        let name = name.to_owned();
        self.scope.scopes().filter(move |scope| scope.name().eq_ignore_ascii_case(&name))
    }

    /// Goes into the scope of that name, with the next word as its instance where it has one.
    fn enter(&mut self, name: &str) -> Result<(), Box<Finding>> {
        let Some(first) = self.of_name(name).next() else { return Err(self.no_scope(name)) };
        if first.instance().is_none() {
            self.scope = first;
            return Ok(());
        }
        let kind = scope_name(first);
        let Some(word) = self.rest.pop_front() else {
            return Err(which_instance(kind, &self.of_name(name).collect::<Vec<_>>()));
        };
        let unquoted = || split(&word).into_iter().next().filter(|_| word.starts_with(['"', '\'']));
        let found = self.scope.scope(name, Some(&word));
        match found.or_else(|| self.scope.scope(name, Some(&unquoted()?))) {
            Some(scope) => {
                self.scope = scope;
                Ok(())
            }
            None => {
                let message = format!("there is no {kind} {}", shown(&in_quotes(&word)));
                let instances: Vec<String> =
                    self.of_name(name).filter_map(|scope| Some(scope.instance()?.into_owned())).collect();
                let near = nearest(&word, instances.iter().map(String::as_str));
                let finding = nothing("no-scope", message, near);
                Err(Box::new(
                    finding.because("instances of scopes are compared exactly, their case included"),
                ))
            }
        }
    }

    fn no_scope(&self, name: &str) -> Box<Finding> {
        let place = location(self.scope);
        let inside = if place.is_empty() { String::new() } else { format!(" in `{}`", shown(&place)) };
        let finding =
            |near| nothing("no-scope", format!("there is no scope `{}`{inside}", shown(name)), near);
        if self.scope.option(name).is_some() {
            return Box::new(finding(None).because("it is an option, and options hold no others"));
        }
        if self.scope.parent().is_none() && name.eq_ignore_ascii_case(SCOPE) {
            return Box::new(
                finding(None)
                    .because("without one, the defaults of all its options hold")
                    .hint(format!("config eval {SCOPE} User shows a default")),
            );
        }
        Box::new(finding(nearest(name, self.scope.scopes().map(scope_name))))
    }
}

/// A scope is named whose instance is missing.
pub(crate) fn which_instance(kind: &str, scopes: &[Scope<'_>]) -> Box<Finding> {
    let instances = scopes.iter().filter_map(Scope::instance);
    let some: Vec<String> =
        instances.take(6).map(|instance| format!("{kind} {}", in_quotes(&instance))).collect();
    let more = if scopes.len() > 6 { ", and more" } else { "" };
    let finding = Finding::error("no-instance", Cause::Text, format!("which `{kind}` is meant?"));
    let finding = finding.hint("name it behind the name of the scope");
    Box::new(match some.is_empty() {
        true => finding.because("each has an instance"),
        false => finding.because(format!("each has an instance: {}{more}", some.join(", "))),
    })
}

/// What is known of an option of that scope at the top.
pub(crate) fn registered(scope: &str, option: &str) -> Option<&'static OptionSpec> {
    scope.eq_ignore_ascii_case(SCOPE).then(|| options::by_name(option)).flatten()
}

/// The scope of an option, and its name.
fn option<'a>(config: &'a Config, words: &[String]) -> Result<(Scope<'a>, String), Box<Finding>> {
    let mut way = Way::new(config, words);
    while let Some(name) = way.name()? {
        if way.rest.is_empty() {
            return Ok((way.scope, name));
        }
        way.enter(&name)?;
    }
    Err(Box::new(
        Finding::error("no-option", Cause::Text, "no option is named")
            .hint("its name comes last, behind the scope's: config get Security User"),
    ))
}

fn of_absent_security(words: &[String]) -> Option<&'static OptionSpec> {
    let parts: Vec<String> = words.iter().flat_map(|word| split(word)).collect();
    match &parts[..] {
        [scope, name] if scope.eq_ignore_ascii_case(SCOPE) => options::by_name(name),
        _ => None,
    }
}

fn is_security(scope: Scope<'_>) -> bool {
    let at_the_top = scope.parent().is_some_and(|parent| parent.parent().is_none());
    at_the_top && scope.name().eq_ignore_ascii_case(SCOPE) && scope.instance().is_none()
}

/// The default of an option of `Security`, given the scope, if there is one.
fn default(spec: &'static OptionSpec, scope: Option<Scope<'_>>) -> Default {
    let user_is_set = scope.is_some_and(|scope| scope.option(options::spec(Key::User).name).is_some());
    let value = match spec.key {
        Key::User => Some(DEFAULT_IDENTITY),
        Key::Group if !user_is_set => Some(DEFAULT_IDENTITY),
        Key::NoNewPrivs => Some(spec.default),
        Key::Capabilities => Some(""),
        Key::Group | Key::Chroot | Key::SupplementalGroups | Key::BoundingSet | Key::Privileges => None,
    };
    Default { spec, value }
}

fn not_set(config: &Config, scope: Scope<'_>, name: &str) -> NotSet {
    let security = is_security(scope);
    let everywhere = || std::iter::once(config.root()).chain(config.scopes());
    let elsewhere = everywhere().find_map(|scope| scope.option(name));
    let spelled = match (options::by_name(name), elsewhere) {
        (Some(spec), _) if security => spec.name,
        (_, Some(setting)) => option_name(setting),
        _ => name,
    };
    let hint = if security && let Some(spec) = options::by_name(name) {
        Some(format!("by default: {}", spec.default))
    } else if let Some(setting) = elsewhere {
        Some(format!("it is set at {}", shown(&(location(setting.scope()) + option_name(setting)))))
    } else if let Some(spec) = options::by_name(name) {
        Some(format!("it is an option of {SCOPE}: config eval {SCOPE} {}", spec.name))
    } else {
        let registered = OPTIONS.iter().filter(|_| security).map(|spec| spec.name);
        nearest(name, scope.options().map(option_name).chain(registered)).map(meant)
    };
    NotSet { name: spelled.to_owned(), scope: location(scope), hint }
}

fn nothing(code: &'static str, message: String, near: Option<&str>) -> Finding {
    let finding = Finding::error(code, Cause::Text, message);
    match near {
        Some(near) => finding.hint(meant(near)),
        None => finding,
    }
}

fn meant(near: &str) -> String {
    format!("did you mean `{}`?", shown(near))
}

pub(crate) fn in_quotes(text: &str) -> String {
    let quoted = quote(text);
    if quoted.starts_with('"') { quoted.into_owned() } else { format!("\"{quoted}\"") }
}

/// The words of a line: white space separates them, quotes of both kinds hold them together.
#[must_use]
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => rest[1..].split_once(first).unwrap_or((&rest[1..], "")),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
                rest.split_at(end.unwrap_or(rest.len()))
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests;
