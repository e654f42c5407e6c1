//! `stepdown completions`: what makes bash, zsh and fish complete a command line, from the table of [`crate::flags`].
//!
//! What a word of the table's synopsis stands for is told by its name, see [`Kind`]. Not for: completing anything itself;
//! what is printed is a script of the shell's own language that starts no program.

mod bash;
mod fish;
mod zsh;

use stepdown::security::options::{OPTIONS, SCOPE};

use crate::arguments::{Arguments, UsageError};
use crate::flags::{COMMANDS, Command, EVERYWHERE, Flag};
use crate::output;

/// What a word on the command line is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// FILE.
    File,
    /// PROGRAM: one along PATH.
    Program,
    /// COMMAND: one of ours.
    Command,
    /// TEXT: capability text.
    Capabilities,
    /// PID or PID|NAME: a process.
    Process,
    /// One of these words: `text|json`, or names of our own scope for SCOPE and OPTION.
    Words(Vec<&'static str>),
    /// Nothing that could be guessed.
    Unknown,
}

/// The operands that a command takes, in the presence of a flag or without any.
struct Form {
    /// The flag that has to be typed for it.
    flag: Option<&'static str>,
    /// What stands at each place.
    kinds: Vec<Kind>,
    /// Whether the last may be repeated.
    repeats: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let [shell] = &arguments.operands[..] else {
        return Err(arguments.wrong("one shell has to be named: bash, zsh or fish"));
    };
    let script = match shell.to_str() {
        Some("bash") => bash::script(),
        Some("zsh") => zsh::script(),
        Some("fish") => fish::script(),
        _ => {
            let shell = shell.to_string_lossy();
            return Err(arguments.wrong(&format!(
                "there are completions for bash, zsh and fish, not `{}`",
                shell.escape_debug()
            )));
        }
    };
    output::out(&script);
    Ok(0)
}

/// What a placeholder stands for.
fn kind(placeholder: &'static str) -> Kind {
    match placeholder {
        "FILE" => Kind::File,
        "PROGRAM" => Kind::Program,
        "COMMAND" => Kind::Command,
        "TEXT" => Kind::Capabilities,
        "PID" | "PID|NAME" => Kind::Process,
        // Which of the two it is shows only in the file, which is not read here.
        "SCOPE" | "OPTION" => {
            Kind::Words([SCOPE].into_iter().chain(OPTIONS.iter().map(|option| option.name)).collect())
        }
        words if words.starts_with(|c: char| c.is_ascii_lowercase()) => {
            Kind::Words(words.split('|').collect())
        }
        _ => Kind::Unknown,
    }
}

/// The forms of a command's operands; those that a flag asks for come first.
fn forms(command: &Command) -> Vec<Form> {
    let mut forms: Vec<Form> = command.operands.split(" | ").map(form).collect();
    // `-` alone, or nothing, is no form of its own where another has something to complete.
    let full: Vec<_> = forms.iter().filter(|form| !form.kinds.is_empty()).map(|form| form.flag).collect();
    forms.retain(|form| !form.kinds.is_empty() || !full.contains(&form.flag));
    forms.sort_by_key(|form| form.flag.is_none());
    forms
}

fn form(text: &'static str) -> Form {
    let mut flag = None;
    let mut kinds = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(['[', ']', '.']);
        match word.strip_prefix("--") {
            Some(long) if !long.is_empty() => flag = Some(long),
            Some(_) => {}
            None if word.is_empty() || word == "-" => {}
            None => kinds.push(kind(word)),
        }
    }
    Form { flag, kinds, repeats: text.trim_end_matches(']').ends_with("...") }
}

/// The flags of a command, with those of every command.
fn flags(command: &Command) -> impl Iterator<Item = &'static Flag> + use<> {
    command.flags.iter().chain(&EVERYWHERE)
}

/// A flag as it may be typed.
fn spellings(flag: &Flag) -> Vec<String> {
    flag.short.map(|letter| format!("-{letter}")).into_iter().chain([format!("--{}", flag.long)]).collect()
}

/// The names of all commands.
fn command_names() -> Vec<&'static str> {
    COMMANDS.iter().map(|command| command.name).collect()
}

/// The names of all capabilities.
fn capability_names() -> Vec<&'static str> {
    stepdown::security::capability::NAMED.iter().map(|info| info.name).collect()
}

/// Text in single quotes, as the three shells read it alike.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Key;

    fn forms_of(key: Key) -> Vec<Form> {
        forms(COMMANDS.iter().find(|command| command.key == key).unwrap_or(&COMMANDS[0]))
    }

    #[test]
    fn operands_are_read_from_the_synopsis() {
        let check = forms_of(Key::Check);
        assert_eq!(check[0].flag, Some("syntax"));
        assert_eq!((&check[0].kinds[..], check[0].repeats), (&[Kind::File][..], true));
        assert_eq!(check[1].flag, None);
        assert_eq!((&check[1].kinds[..], check[1].repeats), (&[Kind::Program][..], false));
        let run = forms_of(Key::Run);
        assert_eq!(run[0].kinds[0], Kind::Program);
        assert!(run[0].repeats);
        let shells = forms_of(Key::Completions);
        assert_eq!(shells[0].kinds, [Kind::Words(vec!["bash", "zsh", "fish"])]);
    }
}
