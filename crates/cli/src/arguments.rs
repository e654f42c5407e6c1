//! Reads what was typed, by the table of [`crate::flags`]: low-level arguments, not yet what they mean.

use std::ffi::{OsStr, OsString};

use stepdown::conf::nearest;

use crate::flags::{COMMANDS, Command, EVERYWHERE, Flag, Name};

/// What was typed.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The command.
    pub(crate) command: &'static Command,
    /// Its flags in order, with their values.
    flags: Vec<(Name, Option<OsString>)>,
    /// What stands behind the flags.
    pub(crate) operands: Vec<OsString>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Typed {
    /// A command.
    Command(Arguments),
    /// The help of a command, or of the program.
    Help(Option<&'static Command>),
    /// The version.
    Version,
}

/// A command line that can't be understood.
#[derive(Debug)]
pub(crate) struct UsageError {
    /// What is wrong.
    pub(crate) message: String,
    /// What was probably meant.
    pub(crate) hint: Option<String>,
    /// The command it was about, if it got that far.
    pub(crate) command: Option<&'static Command>,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Arguments {
    /// The value of a flag, the last one typed.
    pub(crate) fn value(&self, name: Name) -> Option<&OsStr> {
        self.flags.iter().rev().find(|(flag, _)| *flag == name)?.1.as_deref()
    }

    /// Whether a flag was typed.
    pub(crate) fn has(&self, name: Name) -> bool {
        self.flags.iter().any(|(flag, _)| *flag == name)
    }

    /// The values of a flag that may be typed several times.
    pub(crate) fn values(&self, name: Name) -> impl Iterator<Item = &OsStr> {
        self.flags.iter().filter(move |(flag, _)| *flag == name).filter_map(|(_, value)| value.as_deref())
    }

    /// The value of `--format`.
    pub(crate) fn format(&self) -> Result<Format, UsageError> {
        match self.value(Name::Format).map(|value| value.to_str()) {
            None | Some(Some("text")) => Ok(Format::Text),
            Some(Some("json")) => Ok(Format::Json),
            Some(_) => Err(self.wrong("--format takes text or json")),
        }
    }

    /// An error about this command line.
    pub(crate) fn wrong(&self, message: &str) -> UsageError {
        UsageError { message: message.into(), hint: None, command: Some(self.command) }
    }
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Typed, UsageError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut command: Option<&'static Command> = None;
    let mut flags = Vec::new();
    let mut operands = Vec::new();
    loop {
        let fail =
            |error: &dyn std::fmt::Display| UsageError { message: error.to_string(), hint: None, command };
        let (short, long) = match parser.next().map_err(|error| fail(&error))? {
            None => break,
            Some(lexopt::Arg::Short(letter)) => (Some(letter), None),
            Some(lexopt::Arg::Long(word)) => (None, Some(word.to_owned())),
            Some(lexopt::Arg::Value(value)) => {
                let Some(known) = command else {
                    command = Some(find_command(&value)?);
                    continue;
                };
                operands.push(value);
                if known.operands_end_flags {
                    operands.extend(parser.raw_args().map_err(|error| fail(&error))?);
                    break;
                }
                continue;
            }
        };
        let flag = find_flag(command, short, long.as_deref())?;
        match flag.name {
            Name::Help => return Ok(Typed::Help(command)),
            Name::Version => return Ok(Typed::Version),
            _ => {}
        }
        let value = match flag.value {
            Some(_) => Some(parser.value().map_err(|error| fail(&error))?),
            None => None,
        };
        flags.push((flag.name, value));
    }
    match command {
        Some(command) => Ok(Typed::Command(Arguments { command, flags, operands })),
        None => Err(UsageError { message: "no command is given".into(), hint: None, command: None }),
    }
}

fn find_command(word: &OsStr) -> Result<&'static Command, UsageError> {
    let word = word.to_string_lossy();
    COMMANDS.iter().find(|command| command.name == word).ok_or_else(|| UsageError {
        message: format!("there is no command `{}`", word.escape_debug()),
        hint: nearest(&word, COMMANDS.iter().map(|command| command.name))
            .map(|name| format!("did you mean `stepdown {name}`?")),
        command: None,
    })
}

fn find_flag(
    command: Option<&'static Command>,
    short: Option<char>,
    long: Option<&str>,
) -> Result<&'static Flag, UsageError> {
    let own: &'static [Flag] = command.map_or(&[], |command| command.flags);
    let mut known = own.iter().chain(&EVERYWHERE);
    let found = known.find(|flag| short.is_some() && flag.short == short || long == Some(flag.long));
    found.ok_or_else(|| {
        let typed = match (short, long) {
            (Some(letter), _) => format!("-{letter}"),
            (_, word) => format!("--{}", word.unwrap_or_default()),
        };
        let names = own.iter().chain(&EVERYWHERE).map(|flag| flag.long);
        UsageError {
            message: match command {
                Some(command) => format!("`stepdown {}` has no flag {typed}", command.name),
                None => format!("there is no flag {typed} before the command"),
            },
            hint: long.and_then(|word| nearest(word, names)).map(|name| format!("did you mean --{name}?")),
            command,
        }
    })
}
