//! `stepdown run`: the transition, the proof, then execve(2) in the same process.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::json;
use stepdown::conf::Finding;
use stepdown::error::no_program;
use stepdown::prepare::{End, Refusal, prepare};
use stepdown::{launch, source, transition};

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::{REFUSED, output, program, proof};
use stepdown::report;

/// Comes back only if the program was not started, with the exit status.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let verbose = arguments.has(Name::Verbose);
    let Some(name) = arguments.operands.first() else {
        return Err(arguments.wrong("no program is named"));
    };
    let pass = descriptors(arguments)?;
    let config = match source::load(arguments.value(Name::Config).map(Path::new)) {
        Ok(config) => config,
        Err(findings) => return Ok(refuse(&findings, format, REFUSED)),
    };
    let ready = match prepare(&config, End::Execute(name.as_bytes()), &pass) {
        Ok(ready) => ready,
        Err(Refusal::Findings(findings)) => return Ok(refuse(&findings, format, REFUSED)),
        Err(Refusal::Program(error)) => {
            return Ok(refuse(&[no_program(&error)], format, program::exit_status(Some(error.errno))));
        }
    };
    if verbose && format == Format::Text {
        output::error(&report::text(&ready.findings, output::colour_error()));
    }
    let proof = match transition::apply(&ready) {
        Ok(proof) => proof,
        Err(finding) => return Ok(refuse(&[*finding], format, REFUSED)),
    };
    if verbose {
        match format {
            Format::Text => output::error(&proof::text(&ready, &proof)),
            Format::Json => {
                let mut object = proof::json(&ready, &proof);
                object["findings"] = report::json(&ready.findings);
                output::error(&format!("{object}\n"));
            }
        }
    }
    let error = launch::execute(&ready, &proof, &arguments.operands);
    Ok(refuse(&[error.finding], format, program::exit_status(error.errno)))
}

fn refuse(findings: &[Finding], format: Format, status: u8) -> u8 {
    match format {
        Format::Text => {
            // What is only a warning would hide the refusal; `check` shows both.
            let errors: Vec<Finding> =
                findings.iter().filter(|finding| finding.is_error()).cloned().collect();
            output::error(&report::text(&errors, output::colour_error()));
        }
        Format::Json => {
            output::error(&format!("{}\n", json!({ "started": false, "findings": report::json(findings) })));
        }
    }
    status
}

/// The descriptors of `--pass-fd`, and those of socket activation where they are meant for this process,
/// sd_listen_fds(3).
fn descriptors(arguments: &Arguments) -> Result<Vec<i32>, UsageError> {
    let mut list = Vec::new();
    for value in arguments.values(Name::PassFd) {
        for word in value.to_string_lossy().split(',') {
            match word.parse::<i32>() {
                Ok(number) if number >= 0 => list.push(number),
                _ => {
                    return Err(
                        arguments.wrong(&format!("--pass-fd takes numbers, not `{}`", word.escape_debug()))
                    );
                }
            }
        }
    }
    let variable = |name: &str| std::env::var_os(name);
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse::<i32>().ok());
    let ours = variable("LISTEN_PID").and_then(|pid| number(&pid)) == i32::try_from(std::process::id()).ok();
    if ours && let Some(count) = variable("LISTEN_FDS") {
        match number(&count) {
            // Where one of them is not open, that is refused by number.
            Some(count) if (0..=1 << 16).contains(&count) => list.extend(3..3 + count),
            _ => {
                let count = count.to_string_lossy().into_owned();
                return Err(arguments.wrong(&format!(
                    "LISTEN_FDS is meant for this process and is no number of sockets: `{count}`"
                )));
            }
        }
    }
    Ok(list)
}
