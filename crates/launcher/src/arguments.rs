//! Reads what was typed, by the table of [`crate::flags`]: low-level arguments, not yet what they mean.
//!
//! The forms are those of getopt_long(3): `-c FILE`, `-cFILE`, `--config FILE`, `--config=FILE`, letters without a value in one
//! word, and `--` before what is no flag whatever it looks like.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;

use stepdown::conf::{nearest, shown};

use crate::flags::{Command, EVERYWHERE, Flag, Name};

/// What was typed.
#[derive(Debug)]
pub struct Arguments {
    /// The command.
    pub command: &'static Command,
    /// Its flags in order, with their values.
    flags: Vec<(Name, Option<&'static CStr>)>,
    /// What stands behind the flags.
    pub operands: Vec<&'static CStr>,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Typed {
    /// A command.
    Command(Arguments),
    /// The help of a command, or of the program.
    Help(Option<&'static Command>),
    /// The version.
    Version,
}

/// A command line that can't be understood.
#[derive(Debug)]
pub struct UsageError {
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
    /// The command it was about, if it got that far.
    pub command: Option<&'static Command>,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Text,
    /// For a machine.
    Json,
}

impl Arguments {
    /// The value of a flag, the last one typed.
    #[must_use]
    pub fn value(&self, name: Name) -> Option<&'static CStr> {
        self.flags.iter().rev().find(|(flag, _)| *flag == name)?.1
    }

    /// Whether a flag was typed.
    #[must_use]
    pub fn has(&self, name: Name) -> bool {
        self.flags.iter().any(|(flag, _)| *flag == name)
    }

    /// The values of a flag that may be typed several times.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'static CStr> {
        self.flags.iter().filter(move |(flag, _)| *flag == name).filter_map(|(_, value)| *value)
    }

    /// The value of `--format`.
    ///
    /// # Errors
    /// It is neither `text` nor `json`.
    pub fn format(&self) -> Result<Format, UsageError> {
        match self.value(Name::Format).map(CStr::to_bytes) {
            None | Some(b"text") => Ok(Format::Text),
            Some(b"json") => Ok(Format::Json),
            Some(_) => Err(self.wrong("--format takes text or json")),
        }
    }

    /// An error about this command line.
    #[must_use]
    pub fn wrong(&self, message: &str) -> UsageError {
        UsageError { message: message.into(), hint: None, command: Some(self.command) }
    }
}

/// Reads the arguments behind the program's name. `command` is the one that the program is, if it is one command alone; else it
/// is named among `commands`.
///
/// # Errors
/// What is wrong with them.
pub fn parse(
    words: impl IntoIterator<Item = &'static CStr>,
    commands: &'static [Command],
    mut command: Option<&'static Command>,
) -> Result<Typed, UsageError> {
    let mut words = words.into_iter();
    let mut flags = Vec::new();
    let mut operands = Vec::new();
    let mut flags_ended = false;
    while let Some(word) = words.next() {
        let bytes = word.to_bytes();
        if flags_ended || bytes == b"-" || !bytes.starts_with(b"-") {
            let Some(known) = command else {
                command = Some(find_command(word, commands)?);
                continue;
            };
            operands.push(word);
            if known.operands_end_flags {
                operands.extend(words);
                break;
            }
            continue;
        }
        if bytes == b"--" {
            flags_ended = true;
            continue;
        }
        let mut cluster = Cluster::of(word);
        while let Some(typed) = cluster.next() {
            let fail = |message: String| UsageError { message, hint: None, command };
            let flag = find_flag(command, &typed)?;
            match flag.name {
                Name::Help => return Ok(Typed::Help(command)),
                Name::Version => return Ok(Typed::Version),
                _ => {}
            }
            let value = if flag.value.is_some() {
                let value = cluster.value().or_else(|| words.next());
                Some(value.ok_or_else(|| fail(format!("missing argument for option '{typed}'")))?)
            } else if let Some(value) = cluster.unexpected() {
                let value = value.to_string_lossy();
                return Err(fail(format!("unexpected argument for option '{typed}': \"{}\"", shown(&value))));
            } else {
                None
            };
            flags.push((flag.name, value));
        }
    }
    match command {
        Some(command) => Ok(Typed::Command(Arguments { command, flags, operands })),
        None => Err(UsageError { message: "no command is given".into(), hint: None, command: None }),
    }
}

/// A word of flags, and how far it was read.
enum Cluster {
    /// `--word`, or `--word=value`.
    Long { word: String, value: Option<&'static CStr>, read: bool },
    /// The letters behind `-` that are left.
    Short(&'static CStr),
}

impl Cluster {
    fn of(word: &'static CStr) -> Cluster {
        let bytes = word.to_bytes();
        if !bytes.starts_with(b"--") {
            return Cluster::Short(behind(word, 1));
        }
        let end = bytes.iter().position(|&byte| byte == b'=');
        let name = &bytes[2..end.unwrap_or(bytes.len())];
        let value = end.map(|end| behind(word, end + 1));
        Cluster::Long { word: String::from_utf8_lossy(name).into_owned(), value, read: false }
    }

    /// The next flag, as it was typed.
    fn next(&mut self) -> Option<String> {
        match self {
            Cluster::Long { read: true, .. } => None,
            Cluster::Long { word, read, .. } => {
                *read = true;
                Some(format!("--{word}"))
            }
            Cluster::Short(rest) => {
                // What stands behind the letter may be a value, whatever its bytes are.
                let letter = match rest.to_bytes().first()? {
                    letter if letter.is_ascii() => char::from(*letter),
                    // No flag begins so, and nothing of the word is read after that.
                    _ => rest.to_string_lossy().chars().next()?,
                };
                *rest = behind(rest, 1);
                Some(format!("-{letter}"))
            }
        }
    }

    /// The value of the flag that was read last, if it is in the same word. Nothing is left of the word then.
    fn value(&mut self) -> Option<&'static CStr> {
        match self {
            Cluster::Long { value, .. } => *value,
            Cluster::Short(rest) if rest.is_empty() => None,
            Cluster::Short(rest) => {
                let value = behind(rest, usize::from(rest.to_bytes().starts_with(b"=")));
                *rest = c"";
                Some(value)
            }
        }
    }

    /// A value of a flag that takes none.
    fn unexpected(&self) -> Option<&'static CStr> {
        match self {
            Cluster::Long { value, .. } => *value,
            Cluster::Short(rest) => rest.to_bytes().starts_with(b"=").then(|| behind(rest, 1)),
        }
    }
}

/// What stands behind so many bytes.
fn behind(word: &'static CStr, length: usize) -> &'static CStr {
    CStr::from_bytes_until_nul(&word.to_bytes_with_nul()[length..]).unwrap_or_default()
}

fn find_command(word: &CStr, commands: &'static [Command]) -> Result<&'static Command, UsageError> {
    let word = word.to_string_lossy();
    commands.iter().find(|command| command.name == word).ok_or_else(|| UsageError {
        message: format!("there is no command `{}`", shown(&word)),
        hint: nearest(&word, commands.iter().map(|command| command.name))
            .map(|name| format!("did you mean `stepdown {name}`?")),
        command: None,
    })
}

/// The flag of the command that was typed, with its dashes.
fn find_flag(command: Option<&'static Command>, typed: &str) -> Result<&'static Flag, UsageError> {
    let own: &'static [Flag] = command.map_or(&[], |command| command.flags);
    let mut known = own.iter().chain(&EVERYWHERE);
    let long = typed.strip_prefix("--");
    let short = if long.is_none() { typed.chars().nth(1) } else { None };
    let found = known.find(|flag| short.is_some() && flag.short == short || long == Some(flag.long));
    found.ok_or_else(|| {
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
