//! The options of `Control_Listener`, `Service` and `Listen`, and `Pidfile`, in one table: everything that reads,
//! checks, defaults or documents them goes by this.
//!
//! Follows `docs/serve.md`. Not for: values that were read, see [`crate::wanted`].

use stepdown_conf::Scope;

/// The scope of the console, as the language spells it.
pub const CONSOLE: &str = "Control_Listener";
/// The scope of a service.
pub const SERVICE: &str = "Service";
/// The scope of a listener, inside one of the others.
pub const LISTEN: &str = "Listen";

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Where it stands.
    pub within: Within,
    /// Which option it is.
    pub key: Key,
    /// Its name as it is printed; names are compared without regard to case.
    pub name: &'static str,
    /// The form of its value.
    pub form: Form,
    /// What holds when it is not written.
    pub default: Default,
    /// What it does, one line.
    pub summary: &'static str,
    /// What else there is to know, in sentences.
    pub help: &'static str,
}

/// Where an option stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    /// At the top of the configuration.
    Top,
    /// In `Control_Listener`.
    Console,
    /// In a `Listen` of `Control_Listener`.
    ConsoleListen,
    /// In a `Service`.
    Service,
    /// In a `Listen` of a `Service`.
    Listen,
}

/// The form of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An absolute path.
    Path,
    /// One text.
    Text,
    /// Texts in order; a single one is an array of one.
    Array,
    /// `[ NAME = value ]`.
    Dictionary,
    /// on/off, true/false, yes/no, enabled/disabled, 1/0.
    Boolean,
    /// A number of seconds; a fraction is written with a point.
    Seconds,
    /// A whole number.
    Number {
        /// The least that is accepted.
        least: u32,
        /// The most.
        most: u32,
    },
    /// The mode of a file, in octal with a leading 0.
    Mode,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// Capability text, as cap_from_text(3) reads it.
    Capabilities,
    /// Users by name or id, and groups as `@group`.
    Peers,
}

/// What holds when an option is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// The same as if this were written.
    Value(&'static str),
    /// What no value says, in words.
    Words(&'static str),
    /// Nothing: it has to be written.
    Needed,
}

/// Which option, in whatever scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says what each is, and a second account of it would go stale")]
pub enum Key {
    Pidfile,
    Timeout,
    OwnUser,
    Operators,
    Observers,
    MaxSessions,
    FileMode,
    Command,
    Accept,
    MaxConnections,
    Capabilities,
    Notify,
    ReadyAfter,
    StartTimeout,
    GracefulTimeout,
    Restart,
    RestartPause,
    RestartPauseMax,
    RestartLimit,
    Output,
    Directory,
    Environment,
    Name,
    Type,
    Backlog,
    ReusePort,
    FreeBind,
}

mod table;

pub use table::OPTIONS;

/// The option of that name, in any case, in that scope.
#[must_use]
pub fn by_name(within: Within, name: &str) -> Option<&'static OptionSpec> {
    of(within).find(|option| option.name.eq_ignore_ascii_case(name))
}

/// The options of a scope, in the order of the documentation.
pub fn of(within: Within) -> impl Iterator<Item = &'static OptionSpec> {
    OPTIONS.iter().filter(move |option| option.within == within)
}

/// The entry of `key` in that scope.
#[must_use]
pub fn spec(within: Within, key: Key) -> &'static OptionSpec {
    // Whatever is read is in the table; that the first entry is never taken for another is tested.
    of(within).find(|option| option.key == key).unwrap_or(&OPTIONS[0])
}

/// Which of our scopes this is, if it is one; every other belongs to other software.
#[must_use]
pub fn within(scope: Scope<'_>) -> Option<Within> {
    let is = |scope: Scope<'_>, name: &str| scope.name().eq_ignore_ascii_case(name);
    let Some(parent) = scope.parent() else { return Some(Within::Top) };
    match parent.parent() {
        None if is(scope, CONSOLE) => Some(Within::Console),
        None if is(scope, SERVICE) => Some(Within::Service),
        Some(top) if top.parent().is_none() && is(scope, LISTEN) => match within(parent)? {
            Within::Console => Some(Within::ConsoleListen),
            Within::Service => Some(Within::Listen),
            _ => None,
        },
        _ => None,
    }
}

impl Within {
    /// All of them, in the order of the documentation.
    pub const ALL: [Within; 5] =
        [Within::Top, Within::Console, Within::ConsoleListen, Within::Service, Within::Listen];

    /// The scope in a message: `Service`, or `a Listen of a Service`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Within::Top => "the top of the configuration",
            Within::Console => "Control_Listener",
            Within::ConsoleListen => "a Listen of Control_Listener",
            Within::Service => "Service",
            Within::Listen => "a Listen of a Service",
        }
    }
}

/// The form in the words of the documentation: `seconds`, `a number from 1 to 65535`.
impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Form::Path => f.write_str("absolute path"),
            Form::Text => f.write_str("text"),
            Form::Array => f.write_str("array of texts"),
            Form::Dictionary => f.write_str("dictionary"),
            Form::Boolean => f.write_str("boolean"),
            Form::Seconds => f.write_str("seconds"),
            Form::Number { least, most } => write!(f, "number, {least} to {most}"),
            Form::Mode => f.write_str("file mode, octal"),
            Form::Word(words) => {
                for (index, word) in words.iter().enumerate() {
                    write!(f, "{}`{word}`", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Form::Capabilities => f.write_str("capability text"),
            Form::Peers => f.write_str("array of users, and groups as `@group`"),
        }
    }
}

/// The default in the words of the documentation.
impl std::fmt::Display for Default {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Default::Value(value) => write!(f, "`{value}`"),
            Default::Words(words) => f.write_str(words),
            Default::Needed => f.write_str("has to be written"),
        }
    }
}

#[cfg(test)]
mod tests;
