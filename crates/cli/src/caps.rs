//! `stepdown caps`: capabilities explained, and capability text as libcap reads and writes it.
//!
//! What is typed is read by [`typed`] and shown by [`shown`]; here is `--canonical`, which answers line by line.

mod shown;
mod typed;

use std::ffi::OsStr;
use std::io::{self, BufRead, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;

use serde_json::json;
use stepdown::security::text::{canonical, parse_bytes};
use stepdown_kernel::host;

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::{output, table};
use stepdown::report;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    if !arguments.has(Name::Canonical) {
        return Ok(explain(arguments, format));
    }
    if arguments.operands.is_empty() {
        return Err(arguments.wrong("--canonical takes texts, or - for lines of standard input"));
    }
    let mut all_valid = true;
    let mut to = BufWriter::new(io::stdout().lock());
    let count = host::capability_count();
    let mut answer = |line: &[u8]| -> io::Result<()> {
        let (valid, text) = one(line, count, format);
        all_valid &= valid;
        to.write_all(text.as_bytes())
    };
    let result = arguments.operands.iter().try_for_each(|operand| {
        if operand == OsStr::new("-") { lines(&mut answer) } else { answer(operand.as_bytes()) }
    });
    match result.and_then(|()| to.flush()) {
        Ok(()) => Ok(u8::from(!all_valid)),
        // The reader has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => {
            output::error(&format!("stepdown: error: {error}\n"));
            Ok(2)
        }
    }
}

/// A table for each operand, or for every capability where there is none.
fn explain(arguments: &Arguments, format: Format) -> u8 {
    let count = host::capability_count();
    if arguments.operands.is_empty() {
        let everything = typed::everything();
        match format {
            Format::Text => output::out(&shown::text(&everything, count, table::width())),
            Format::Json => output::out(&format!("{}\n", shown::json(&everything, count))),
        }
        return 0;
    }
    let mut status = 0;
    for (index, operand) in arguments.operands.iter().enumerate() {
        let text = operand.to_string_lossy();
        match (typed::read(&text, count), format) {
            (Ok(typed), Format::Text) => {
                let mut answer = String::new();
                if arguments.operands.len() > 1 {
                    let before = if index > 0 { "\n" } else { "" };
                    answer = format!("{before}{}\n", stepdown::conf::shown(&text));
                }
                answer.push_str(&shown::text(&typed, count, table::width()));
                output::out(&answer);
            }
            (Ok(typed), Format::Json) => {
                let mut object = shown::json(&typed, count);
                object["typed"] = text.into();
                output::out(&format!("{object}\n"));
            }
            (Err(finding), Format::Text) => {
                status = 1;
                output::error(&report::text(&[*finding], output::colour_error()));
            }
            (Err(finding), Format::Json) => {
                status = 1;
                let object = json!({ "typed": text, "findings": report::value(&[*finding]) });
                output::out(&format!("{object}\n"));
            }
        }
    }
    status
}

fn lines(answer: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut from = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        answer(line.strip_suffix(b"\n").unwrap_or(&line))?;
    }
}

fn one(text: &[u8], count: u8, format: Format) -> (bool, String) {
    let parsed = parse_bytes(text, count);
    let line = match (&parsed, format) {
        (Ok(state), Format::Text) => format!("{}\n", canonical(state, count)),
        (Err(error), Format::Text) => format!("error: {error}\n"),
        (Ok(state), Format::Json) => {
            let mask = |set: stepdown::security::capability::CapSet| format!("{:016x}", set.bits());
            let object = json!({
                "canonical": canonical(state, count),
                "effective": mask(state.effective),
                "permitted": mask(state.permitted),
                "inheritable": mask(state.inheritable),
            });
            format!("{object}\n")
        }
        (Err(error), Format::Json) => {
            let object =
                json!({ "error": error.to_string(), "offset": error.offset, "length": error.length });
            format!("{object}\n")
        }
    };
    (parsed.is_ok(), line)
}
