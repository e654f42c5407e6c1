//! `stepdown serve`: a server that lives under its scope, and the form of what it says while it runs.
//!
//! What it does is in crate `stepdown-serve`.

use std::path::Path;

use serde_json::json;
use stepdown::report;
use stepdown_serve::log::{Entry, Level, Printer};
use stepdown_serve::server::{self, Start};

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::{REFUSED, output};

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    if let Some(operand) = arguments.operands.first() {
        let mut error = arguments.wrong(&format!(
            "`{}` is too much: serve takes no operands",
            operand.to_string_lossy().escape_debug()
        ));
        error.hint =
            Some("services are named in the configuration; `stepdown run` executes a program".to_owned());
        return Err(error);
    }
    let printer: Box<dyn Printer> = match format {
        Format::Text => Box::new(Words { colour: output::colour_error() }),
        Format::Json => Box::new(Lines),
    };
    let start = Start {
        main: arguments.value(Name::Config).map(Path::new),
        replace: arguments.has(Name::Replace),
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(match server::run(&start, printer) {
        Ok(()) => 0,
        Err(findings) => {
            match format {
                Format::Text => output::error(&report::text(&findings, output::colour_error())),
                Format::Json => output::error(&format!(
                    "{}\n",
                    json!({ "started": false, "findings": report::value(&findings) })
                )),
            }
            REFUSED
        }
    })
}

/// For a person, and for whatever keeps lines: it adds the time itself.
struct Words {
    colour: bool,
}

/// One JSON object a line.
struct Lines;

impl Printer for Words {
    fn print(&self, entry: &Entry<'_>) -> Vec<u8> {
        match entry {
            Entry::Finding(finding) => report::text(std::slice::from_ref(finding), self.colour).into_bytes(),
            Entry::Event { level, service, text } => {
                let level = match level {
                    Level::Info => "",
                    Level::Warning => "warning: ",
                    Level::Error => "error: ",
                };
                let service = service.map(|name| format!("{name}: ")).unwrap_or_default();
                format!("stepdown: {level}{service}{}\n", report::clean(text)).into_bytes()
            }
            Entry::Output { service, line } => {
                // What a service writes could be meant to look like another's, or to control the terminal.
                let mut text = format!("{service}: ").into_bytes();
                for piece in line.utf8_chunks() {
                    text.extend_from_slice(clean_but_tabs(piece.valid()).as_bytes());
                    text.extend_from_slice(piece.invalid());
                }
                text.push(b'\n');
                text
            }
        }
    }
}

impl Printer for Lines {
    fn print(&self, entry: &Entry<'_>) -> Vec<u8> {
        let object = match entry {
            Entry::Finding(finding) => json!({ "finding": report::value(std::slice::from_ref(finding))[0] }),
            Entry::Event { level, service, text } => {
                let level = match level {
                    Level::Info => "info",
                    Level::Warning => "warning",
                    Level::Error => "error",
                };
                json!({ "level": level, "service": service, "text": text })
            }
            Entry::Output { service, line } => {
                json!({ "service": service, "output": String::from_utf8_lossy(line) })
            }
        };
        format!("{object}\n").into_bytes()
    }
}

fn clean_but_tabs(text: &str) -> String {
    text.split('\t').map(report::clean).collect::<Vec<String>>().join("\t")
}
