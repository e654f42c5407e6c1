//! `stepdown run`: the transition, the proof, then execve(2) in the same process.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ffi::CStr;

use stepdown::conf::{Finding, shown};
use stepdown::error::no_program;
use stepdown::json::Json;
use stepdown::prepare::{End, Refusal, prepare_for};
use stepdown::{Environment, launch, report, source, transition};
use stepdown_kernel::{exec, host};

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::{REFUSED, output, proof, status};

/// Does not come back: this process is the program then, or it ends with the exit status of a refusal.
///
/// # Errors
/// A command line that can't be understood.
pub fn run(arguments: &Arguments, environment: &Environment) -> Result<Infallible, UsageError> {
    let format = arguments.format()?;
    let verbose = arguments.has(Name::Verbose);
    let Some(name) = arguments.operands.first() else {
        return Err(arguments.wrong("no program is named"));
    };
    let pass = descriptors(arguments, environment)?;
    let voice = Voice { format, environment };
    let config = match source::load_in(environment, arguments.value(Name::Config).map(CStr::to_bytes)) {
        Ok(config) => config,
        Err(findings) => voice.refuse(&findings, REFUSED),
    };
    // Warnings are shown by -v, and by a refusal as JSON.
    let warnings = verbose || format == Format::Json;
    let ready = match prepare_for(&config, End::Execute(name.to_bytes()), &pass, environment, warnings) {
        Ok(ready) => ready,
        Err(Refusal::Findings(findings)) => voice.refuse(&findings, REFUSED),
        Err(Refusal::Program(error)) => voice.refuse(&[no_program(&error)], status::of(Some(error.errno))),
    };
    if verbose && format == Format::Text {
        output::error(&report::text(&ready.findings, output::colour_error(environment)));
    }
    let proof = match transition::apply(&ready) {
        Ok(proof) => proof,
        Err(finding) => voice.refuse(&[*finding], REFUSED),
    };
    if verbose {
        match format {
            Format::Text => output::error(&proof::text(&ready, &proof)),
            Format::Json => output::error(&format!("{}\n", proof::json(&ready, &proof))),
        }
    }
    let error = launch::execute(&ready, &proof, &arguments.operands, environment);
    voice.refuse(&[error.finding], status::of(error.errno))
}

/// How a refusal is said.
struct Voice<'a> {
    format: Format,
    environment: &'a Environment,
}

impl Voice<'_> {
    /// Says why, and ends the process.
    fn refuse(&self, findings: &[Finding], status: u8) -> ! {
        match self.format {
            Format::Text => {
                // What is only a warning would hide the refusal; `check` shows both.
                let errors: Vec<Finding> =
                    findings.iter().filter(|finding| finding.is_error()).cloned().collect();
                output::error(&report::text(&errors, output::colour_error(self.environment)));
            }
            Format::Json => {
                let json =
                    Json::Object(vec![("started", false.into()), ("findings", report::json(findings))]);
                output::error(&format!("{json}\n"));
            }
        }
        exec::end(status)
    }
}

/// The descriptors of `--pass-fd`, and those of socket activation where they are meant for this process,
/// sd_listen_fds(3).
fn descriptors(arguments: &Arguments, environment: &Environment) -> Result<Vec<i32>, UsageError> {
    let number = |text: &[u8]| str::from_utf8(text).ok().and_then(|text| text.parse::<i32>().ok());
    let mut list = Vec::new();
    for value in arguments.values(Name::PassFd) {
        for word in value.to_bytes().split(|&byte| byte == b',') {
            match number(word) {
                Some(number) if number >= 0 => list.push(number),
                _ => {
                    let word = String::from_utf8_lossy(word);
                    return Err(arguments.wrong(&format!("--pass-fd takes numbers, not `{}`", shown(&word))));
                }
            }
        }
    }
    let ours = environment.variable("LISTEN_PID").and_then(number) == Some(host::process_id());
    if ours && let Some(count) = environment.variable("LISTEN_FDS") {
        match number(count) {
            // Where one of them is not open, that is refused by number.
            Some(count) if (0..=1 << 16).contains(&count) => list.extend(3..3 + count),
            _ => {
                let count = String::from_utf8_lossy(count);
                return Err(arguments.wrong(&format!(
                    "LISTEN_FDS is meant for this process and is no number of sockets: `{count}`"
                )));
            }
        }
    }
    Ok(list)
}

/// Says what is wrong with a command line that can't be understood; `usage` is the synopsis of what was meant.
pub fn complain(error: &UsageError, usage: &str) {
    let mut text = format!("stepdown: error: {}\n", report::clean(&error.message));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    text.push_str(&format!("  usage: {usage}\n"));
    output::error(&text);
}
