//! `stepdown caps`: capability text as libcap reads and writes it.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;

use serde_json::json;
use stepdown::security::text::{canonical, parse_bytes};
use stepdown_kernel::host;

use crate::arguments::{Arguments, Format, UsageError};
use crate::flags::Name;
use crate::output;

pub(crate) fn run(arguments: &Arguments) -> Result<u8, UsageError> {
    let format = arguments.format()?;
    if !arguments.has(Name::Canonical) || arguments.operands.is_empty() {
        return Err(arguments.wrong("--canonical and a text, or - for lines of standard input, are needed"));
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
