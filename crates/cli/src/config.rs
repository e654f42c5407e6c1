//! `stepdown config`: the console's questions, asked of the files.
//!
//! What is answered, in words and as JSON, is decided in `stepdown::console`, which a running server's console asks as
//! well; here are the arguments.

use std::path::Path;

use stepdown::conf::{nearest, shown};
use stepdown::console::{Misunderstood, QUESTIONS, Question, Reply};
use stepdown::source;

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    let words: Vec<String> =
        arguments.operands.iter().map(|operand| operand.to_string_lossy().into_owned()).collect();
    let question = Question::new(&words).map_err(|wrong| usage(arguments, wrong))?;
    let reply = match source::load(arguments.value(Name::Config).map(Path::new)) {
        Ok(config) => question.ask(&config, arguments.has(Name::Origin)),
        Err(findings) => Reply::refused(findings),
    };
    match format {
        Format::Text => {
            output::out(&reply.words());
            output::error(&reply.remarks(output::colour_error()));
        }
        Format::Json => output::out(&reply.machine()),
    }
    Ok(reply.status)
}

fn usage(arguments: &Arguments, wrong: Misunderstood<'_>) -> UsageError {
    let name = match wrong {
        Misunderstood::Missing => {
            return arguments.wrong(&format!("one of {} is needed", QUESTIONS.join(", ")));
        }
        Misunderstood::Locate => {
            return arguments.wrong("locate takes a name, and a regular expression if any");
        }
        Misunderstood::Unknown(name) => name,
    };
    let mut error = arguments.wrong(&format!("`{}` is no question about a configuration", shown(name)));
    error.hint = Some(match nearest(name, QUESTIONS.into_iter()) {
        Some(near) => format!("did you mean `stepdown config {near}`?"),
        None => format!("there are {}", QUESTIONS.join(", ")),
    });
    error
}
