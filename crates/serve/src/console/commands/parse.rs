//! What was typed, as a command: by the table, and by nothing else.

use stepdown_conf::{Cause, Finding, nearest, shown};

use super::{COMMANDS, Command, Format, Key, Spec};
use crate::console::words::{Word, words};
use std::ops::Range;

/// A line that was understood.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What to do.
    pub command: Command,
    /// Its row of the table; none for an empty line.
    pub spec: Option<&'static Spec>,
    /// How to answer.
    pub format: Format,
    /// Whether to say where values are from.
    pub origin: bool,
}

/// A line that was not understood.
#[derive(Clone, Debug)]
pub struct Usage {
    /// What is wrong, with a hint.
    pub finding: Box<Finding>,
    /// How to say it.
    pub format: Format,
}

/// Reads a line.
///
/// `--format json` and `--origin` may stand anywhere but in a value; in quotes they are words like others.
///
/// # Errors
/// No such command, or other arguments than it takes.
pub fn parse(line: &str) -> Result<Parsed, Usage> {
    let mut flags = Flags::default();
    match command(line, &mut flags) {
        Ok((command, spec)) => Ok(Parsed { command, spec, format: flags.format, origin: flags.origin }),
        Err(finding) => Err(Usage { finding, format: flags.format }),
    }
}

#[derive(Default)]
struct Flags {
    format: Format,
    origin: bool,
}

type Refused = Box<Finding>;

fn command(line: &str, flags: &mut Flags) -> Result<(Command, Option<&'static Spec>), Refused> {
    let all = words(line).map_err(|unclosed| {
        let rest: String = line[unclosed.at..].chars().take(20).collect();
        wrong("open-quote", format!("a quote is opened and not closed: {}", shown(&rest)))
            .hint("a quote that is meant as itself stands between quotes of the other kind")
    })?;
    let is_set = matches!(&all[..], [a, b, ..] if is(a, "config") && is(b, "set"));
    // In a value nothing is a flag; only a format at the very end is not part of it.
    let begins =
        |word: &Word| !word.quoted && !word.text.starts_with("--") && word.text.contains(['=', '(', '[']);
    let value = all.iter().position(begins).filter(|_| is_set).unwrap_or(all.len());
    let (before, value) = all.split_at(value);
    let rest = take_flags(before, flags)?;
    let value = trailing_format(value, flags)?;
    let Some((spec, rest)) = find(&rest)? else { return Ok((Command::Nothing, None)) };
    if flags.origin && !spec.origin {
        return Err(takes(spec, format!("`{}` has no flag --origin", spec.name)).into());
    }
    if spec.key == Key::Set {
        let text = as_typed(line, rest.iter().copied().chain(value));
        if rest.len() + value.len() < 2 && !text.contains('=') {
            return Err(takes(spec, "`config set` takes an option and its value".into()).into());
        }
        return Ok((Command::Set(text), Some(spec)));
    }
    if let Some(flag) = rest.iter().find(|word| !word.quoted && word.text.starts_with("--")) {
        let near = nearest(&flag.text, ["--format", "--origin"].into_iter());
        let finding = wrong("unknown-flag", format!("there is no flag `{}`", shown(&flag.text)));
        return Err(match near {
            Some(near) => finding.hint(format!("did you mean `{near}`?")).into(),
            None => finding.hint("in quotes it is a word like others").into(),
        });
    }
    let words: Vec<String> = rest.iter().map(|word| word.text.clone()).collect();
    Ok((of_words(spec, words)?, Some(spec)))
}

fn of_words(spec: &'static Spec, mut words: Vec<String>) -> Result<Command, Refused> {
    let most = match spec.key {
        Key::Get | Key::Eval | Key::Show | Key::ShowRecurse | Key::Unset | Key::Set => usize::MAX,
        Key::Locate | Key::Begin | Key::Help => 2,
        Key::Restart | Key::Reload | Key::Writeback | Key::Handover => 1,
        _ => 0,
    };
    let least = usize::from(matches!(spec.key, Key::Get | Key::Eval | Key::Locate | Key::Restart));
    if words.len() < least {
        return Err(takes(spec, format!("`{}` needs an argument", spec.name)).into());
    }
    if words.len() > most {
        let message = match most {
            0 => format!("`{}` takes no argument", spec.name),
            _ => format!("`{}` does not take so many arguments", spec.name),
        };
        return Err(takes(spec, message).into());
    }
    Ok(match spec.key {
        Key::Get => Command::Get(words),
        Key::Eval => Command::Eval(words),
        Key::Show => Command::Show(words),
        Key::ShowRecurse => Command::ShowRecurse(words),
        Key::Locate => Command::Locate(words),
        Key::Unset => Command::Unset(words),
        Key::Set => return Err(takes(spec, "`config set` takes an option and its value".into()).into()),
        Key::Begin => match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Command::Begin { from_scratch: false },
            [from, scratch]
                if from.eq_ignore_ascii_case("from") && scratch.eq_ignore_ascii_case("scratch") =>
            {
                Command::Begin { from_scratch: true }
            }
            _ => return Err(takes(spec, "`config begin` takes nothing, or `from scratch`".into()).into()),
        },
        Key::Commit => Command::Commit,
        Key::Rollback => Command::Rollback,
        Key::Replay => Command::Replay,
        Key::Reload => Command::Reload(words.pop()),
        Key::Writeback => Command::Writeback(words.pop()),
        Key::Status => Command::Status,
        Key::Services => Command::Services,
        Key::Listeners => Command::Listeners,
        Key::Pid => Command::Pid,
        Key::Version => Command::Version,
        Key::Restart => Command::Restart(words.pop().unwrap_or_default()),
        Key::Shutdown => Command::Shutdown,
        Key::Help => Command::Help(words),
        Key::Quit => Command::Quit,
        Key::Handover => Command::Handover(words.pop()),
    })
}

/// The command that the words begin with, and the others; nothing if there are no words.
fn find<'a, 'w>(words: &'a [&'w Word]) -> Result<Option<(&'static Spec, &'a [&'w Word])>, Refused> {
    let Some((first, behind)) = words.split_first() else { return Ok(None) };
    let named = |spec: &&'static Spec| {
        let mut parts = spec.name.split(' ');
        parts.next().is_some_and(|part| is(first, part))
    };
    for spec in COMMANDS.iter().filter(named) {
        match (spec.name.split_once(' '), behind.split_first()) {
            (None, _) => return Ok(Some((spec, behind))),
            (Some((_, part)), Some((second, rest))) if is(second, part) => return Ok(Some((spec, rest))),
            _ => {}
        }
    }
    let typed = |parts: &[&&Word]| parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(" ");
    let listed = || COMMANDS.iter().filter(|spec| !spec.hidden).map(|spec| spec.name);
    if !COMMANDS.iter().any(|spec| named(&spec)) {
        let typed = typed(&[first]);
        let inner = listed().find(|name| name.split_once(' ').is_some_and(|(_, part)| is(first, part)));
        let firsts = || listed().map(|name| name.split(' ').next().unwrap_or(name));
        let near = inner.or_else(|| nearest(&typed, firsts()));
        return Err(unknown(&typed, near).into());
    }
    let Some(second) = behind.first() else {
        let finding = wrong("no-command", format!("`{}` alone is no command", shown(&first.text)));
        return Err(finding.hint(format!("`help {}` lists what there is", first.text)).into());
    };
    let typed = typed(&[first, second]);
    let seconds = listed().filter_map(|name| name.split_once(' ')).map(|(_, part)| part);
    let near = nearest(&second.text, seconds).map(|part| format!("{} {part}", first.text));
    Err(unknown(&typed, near.as_deref()).into())
}

/// Takes the flags out of the words.
fn take_flags<'w>(words: &'w [Word], flags: &mut Flags) -> Result<Vec<&'w Word>, Refused> {
    let mut rest = Vec::with_capacity(words.len());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            _ if word.quoted => rest.push(word),
            "--origin" => flags.origin = true,
            "--format" => flags.format = format(words.next().map(|word| word.text.as_str()))?,
            text => match text.strip_prefix("--format=") {
                Some(value) => flags.format = format(Some(value))?,
                None => rest.push(word),
            },
        }
    }
    Ok(rest)
}

/// The words from the equals sign on, less a format at their end.
fn trailing_format<'w>(words: &'w [Word], flags: &mut Flags) -> Result<&'w [Word], Refused> {
    match words {
        [value @ .., flag, chosen] if !value.is_empty() && is(flag, "--format") => {
            flags.format = format(Some(&chosen.text))?;
            Ok(value)
        }
        [value @ .., last] if !value.is_empty() && !last.quoted && last.text.starts_with("--format=") => {
            flags.format = format(last.text.strip_prefix("--format="))?;
            Ok(value)
        }
        _ => Ok(words),
    }
}

fn format(value: Option<&str>) -> Result<Format, Refused> {
    match value {
        Some("json") => Ok(Format::Json),
        Some("text") => Ok(Format::Text),
        _ => Err(wrong("bad-format", "--format takes text or json".into()).into()),
    }
}

/// These words as they stand in the line, with what is between them where nothing was taken out.
fn as_typed<'w>(line: &str, words: impl Iterator<Item = &'w Word>) -> String {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for word in words {
        match pieces.last_mut() {
            Some(piece) if line[piece.end..word.span.start].trim().is_empty() => piece.end = word.span.end,
            _ => pieces.push(word.span.clone()),
        }
    }
    let texts: Vec<&str> = pieces.into_iter().map(|piece| &line[piece]).collect();
    texts.join(" ")
}

fn is(word: &Word, name: &str) -> bool {
    !word.quoted && word.text.eq_ignore_ascii_case(name)
}

fn unknown(typed: &str, near: Option<&str>) -> Finding {
    let finding = wrong("unknown-command", format!("there is no command `{}`", shown(typed)));
    match near {
        Some(near) => finding.hint(format!("did you mean `{near}`?")),
        None => finding.hint("`help` lists what there is"),
    }
}

fn takes(spec: &Spec, message: String) -> Finding {
    let synopsis = format!("{} {}", spec.name, spec.arguments);
    wrong("bad-arguments", message).hint(format!("usage: {}", synopsis.trim_end()))
}

fn wrong(code: &'static str, message: String) -> Finding {
    Finding::error(code, Cause::Syntax, message)
}

#[cfg(test)]
mod tests;
