//! `stepdown check`: whether `run` would start, or `serve`.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::json;
use stepdown::Environment;
use stepdown::conf::Finding;
use stepdown::error::no_program;
use stepdown::prepare::{End, Refusal, prepare};
use stepdown::source;
use stepdown_kernel::{host, trust};
use stepdown_serve::server::check_start;
use stepdown_serve::wanted;

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;
use stepdown::report;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let findings = if arguments.has(Name::Syntax) {
        if arguments.operands.is_empty() || arguments.has(Name::Config) {
            return Err(arguments.wrong("--syntax takes files as its operands, and no -c"));
        }
        arguments.operands.iter().flat_map(|file| source::syntax(&file.to_string_lossy())).collect()
    } else {
        if arguments.operands.len() > 1 {
            return Err(arguments.wrong("there is one program at most; a configuration is named with -c"));
        }
        findings(arguments)
    };
    let valid = !findings.iter().any(Finding::is_error);
    match format {
        Format::Text => {
            let mut text = report::text(&findings, output::colour_out());
            if valid {
                text.push_str("Configuration valid\n");
            } else if findings.iter().any(|finding| finding.code == "no-configuration") {
                text.push_str("No configuration found\n");
            } else {
                text.push_str(&format!("Configuration not valid: {}\n", report::summary(&findings)));
            }
            output::out(&text);
        }
        Format::Json => {
            output::out(&format!("{}\n", json!({ "valid": valid, "findings": report::value(&findings) })));
        }
    }
    Ok(u8::from(!valid))
}

fn findings(arguments: &Arguments) -> Vec<Finding> {
    let config = match source::load(arguments.value(Name::Config).map(Path::new)) {
        Ok(config) => config,
        Err(findings) => return findings,
    };
    let addressed = wanted::is_addressed(&config);
    // Nobody else can be told what a server that starts as root would find.
    if addressed && arguments.operands.is_empty() && trust::is_privileged() {
        return match check_start(&config) {
            Ok(findings) | Err(findings) => findings,
        };
    }
    let end = match arguments.operands.first() {
        Some(name) => End::Execute(name.as_bytes()),
        None => End::ExecuteSomething,
    };
    let mut findings = match prepare(&config, end, &[], &Environment::of_process()) {
        Ok(ready) => ready.findings,
        Err(Refusal::Findings(findings)) => findings,
        Err(Refusal::Program(error)) => vec![no_program(&error)],
    };
    if addressed {
        findings.extend(match wanted::read(&config, host::capability_count()) {
            Ok((_, findings)) | Err(findings) => findings,
        });
    }
    findings
}
