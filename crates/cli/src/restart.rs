//! `stepdown restart`: a fresh process for a running server, with its sockets.
//!
//! What it does is in crate `stepdown-serve`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use stepdown::report;
use stepdown_serve::restart::{Restarted, restart};

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;

/// How long a fresh server may take, in seconds, where nobody says otherwise.
const PATIENCE: u64 = 60;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let patience = match arguments.value(Name::Timeout) {
        None => PATIENCE,
        Some(value) => match value.to_str().and_then(|text| text.parse().ok()) {
            Some(seconds @ 1..=86_400) => seconds,
            _ => {
                return Err(arguments.wrong(&format!(
                    "--timeout takes seconds, 1 to 86400, not `{}`",
                    value.to_string_lossy().escape_debug()
                )));
            }
        },
    };
    let main = arguments.value(Name::Config).map(Path::new);
    Ok(match restart(main, &arguments.operands, Duration::from_secs(patience)) {
        Ok(Restarted { old, new, handed_over }) => {
            match format {
                Format::Text => output::out(&format!(
                    "process {new} serves, with {handed_over} descriptors of process {old}; no connection was refused\n"
                )),
                Format::Json => output::out(&format!(
                    "{}\n",
                    json!({ "restarted": true, "old": old, "new": new, "handed_over": handed_over })
                )),
            }
            0
        }
        Err(findings) => {
            match format {
                Format::Text => output::error(&report::text(&findings, output::colour_error())),
                Format::Json => output::out(&format!(
                    "{}\n",
                    json!({ "restarted": false, "findings": report::value(&findings) })
                )),
            }
            1
        }
    })
}
