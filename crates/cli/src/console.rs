//! `stepdown console`: asks a running server, a command at a time or on a terminal.
//!
//! What a command is and means is in crate `stepdown-serve`, whose table completion reads too; here are the endpoint, the
//! connection and the terminal. Not for: understanding commands, which is the server's, whose version may be another.

mod complete;
mod connection;
mod history;
mod terminal;

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use serde_json::json;
use stepdown::conf::Finding;
use stepdown::{report, source};
use stepdown_serve::console::wire::{MAX_REQUEST_BYTES, Reply, Status};
use stepdown_serve::console::{commands, words};
use stepdown_serve::options::{CONSOLE, LISTEN};

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;
use connection::Connection;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let mut operands = Vec::with_capacity(arguments.operands.len());
    for operand in &arguments.operands {
        let Some(text) = operand.to_str() else {
            return Err(
                arguments.wrong(&format!("`{}` is not UTF-8", operand.to_string_lossy().escape_debug()))
            );
        };
        operands.push(text);
    }
    // No command begins with a slash, and an endpoint has one somewhere.
    let endpoint = operands.first().filter(|first| first.contains('/')).map(PathBuf::from);
    let command = &operands[usize::from(endpoint.is_some())..];
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => match configured(arguments.value(Name::Config).map(Path::new)) {
            Ok(endpoint) => endpoint,
            Err(findings) => return Ok(fail(&findings, format)),
        },
    };
    if command.is_empty() && format == Format::Text && io::stdin().is_terminal() && io::stdout().is_terminal()
    {
        return Ok(match Connection::open(&endpoint) {
            Ok(connection) => terminal::run(connection),
            Err(finding) => fail(&[*finding], format),
        });
    }
    let line = match command {
        [] => None,
        // The whole line as one argument, or a word.
        [line] => Some((*line).to_owned()),
        words => Some(words.iter().map(|word| words::as_word(word)).collect::<Vec<_>>().join(" ")),
    };
    if line.as_ref().is_some_and(|line| line.contains('\n')) {
        return Err(arguments.wrong("a command is one line; several lines are read from standard input"));
    }
    let mut connection = match Connection::open(&endpoint) {
        Ok(connection) => connection,
        Err(finding) => return Ok(fail(&[*finding], format)),
    };
    Ok(match line {
        Some(line) => one(&mut connection, &line, format).unwrap_or_else(|finding| fail(&[*finding], format)),
        None => lines(&mut connection, format),
    })
}

/// Where the console of the configuration listens, or where consoles listen.
fn configured(file: Option<&Path>) -> Result<PathBuf, Vec<Finding>> {
    const DEFAULT: &str = "/run/stepdown/console";
    let config = match (source::load(file), file) {
        (Ok(config), _) => config,
        (Err(findings), Some(_)) => return Err(findings),
        // Whoever may use the console need not be able to read the configuration, and a server runs on after its files
        // were spoilt.
        (Err(_), None) => return Ok(DEFAULT.into()),
    };
    let console = config.root().scope(CONSOLE, None);
    let listen = console.and_then(|console| {
        console
            .scopes()
            .find(|scope| scope.name().eq_ignore_ascii_case(LISTEN))?
            .instance()
            .map(|text| text.into_owned())
    });
    Ok(listen.unwrap_or_else(|| DEFAULT.to_owned()).into())
}

/// Each line of standard input as a command. One that fails does not keep the others from being tried; the exit status is
/// the worst of all.
fn lines(connection: &mut Connection, format: Format) -> u8 {
    let mut worst = 0;
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte more than fits, so that a line that is too long is seen to be.
        let mut limited = io::Read::take(&mut input, MAX_REQUEST_BYTES as u64 + 2);
        match limited.read_until(b'\n', &mut line) {
            Ok(0) => return worst,
            Ok(_) => {}
            Err(error) => {
                output::error(&format!("stepdown: error: standard input can't be read: {error}\n"));
                return worst.max(1);
            }
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let is_last = commands::parse(text).is_ok_and(|parsed| parsed.command == commands::Command::Quit);
        match one(connection, text, format) {
            Ok(status) => worst = worst.max(status),
            Err(finding) => return worst.max(fail(&[*finding], format)),
        }
        if is_last {
            return worst;
        }
    }
}

/// A command to its end; its exit status.
fn one(connection: &mut Connection, line: &str, format: Format) -> Result<u8, Box<Finding>> {
    let line = match format {
        Format::Text => line.to_owned(),
        Format::Json => format!("{line} --format json"),
    };
    let reply = connection.ask(&line)?;
    let text = harmless(&reply, &line);
    if reply.status == Status::Done || is_json(&line) {
        output::out(&text);
    } else {
        output::error(&text);
    }
    Ok(reply.status as u8)
}

/// The text of a reply, fit for a terminal: it comes from files that others can write. JSON stays JSON.
fn harmless(reply: &Reply, line: &str) -> String {
    if !is_json(line) {
        let lines = reply
            .text
            .split('\n')
            .map(|line| line.split('\t').map(report::clean).collect::<Vec<_>>().join("\t"));
        return lines.collect::<Vec<_>>().join("\n");
    }
    let mut text = String::with_capacity(reply.text.len());
    for character in reply.text.chars() {
        let is_plain =
            character == '\n' || report::clean(character.encode_utf8(&mut [0; 4])).starts_with(character);
        if is_plain {
            text.push(character);
        } else {
            // These stand within strings only, where this means the same.
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

fn is_json(line: &str) -> bool {
    let format = match commands::parse(line) {
        Ok(parsed) => parsed.format,
        Err(usage) => usage.format,
    };
    format == commands::Format::Json
}

fn fail(findings: &[Finding], format: Format) -> u8 {
    match format {
        Format::Text => output::error(&report::text(findings, output::colour_error())),
        Format::Json => output::out(&format!("{}\n", json!({ "findings": report::value(findings) }))),
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_can_not_control_the_terminal() {
        let text = "a\tb\u{1b}[2J\u{9b}2J\u{202e}\n{\"é\"}\n";
        let reply = Reply::new(Status::Done, text);
        assert_eq!(harmless(&reply, "config show"), "a\tb\\u{1b}[2J\\u{9b}2J\\u{202e}\n{\"é\"}\n");
        let reply = Reply::new(Status::Done, "{\"a\":\"é\u{9b}\u{202e}\\n\"}\n");
        let json = harmless(&reply, "config show --format json");
        assert_eq!(json, "{\"a\":\"é\\u009b\\u202e\\n\"}\n");
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON still");
        assert_eq!(value["a"], "é\u{9b}\u{202e}\n");
    }
}
