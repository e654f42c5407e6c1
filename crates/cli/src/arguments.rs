//! What was typed, in the types of the standard library. It is read by crate `stepdown-launcher`.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use stepdown_launcher::arguments::{self, Typed};
pub(crate) use stepdown_launcher::arguments::{Format, UsageError};

use crate::flags::{COMMANDS, Name};

/// What was typed behind the name of a command.
#[derive(Debug)]
pub(crate) struct Arguments {
    typed: arguments::Arguments,
    /// What stands behind the flags.
    pub(crate) operands: Vec<OsString>,
}

impl From<arguments::Arguments> for Arguments {
    fn from(typed: arguments::Arguments) -> Arguments {
        let operands = typed.operands.iter().map(|operand| os(operand).to_owned()).collect();
        Arguments { typed, operands }
    }
}

impl Arguments {
    /// The value of a flag, the last one typed.
    pub(crate) fn value(&self, name: Name) -> Option<&OsStr> {
        self.typed.value(name).map(os)
    }

    /// Whether a flag was typed.
    pub(crate) fn has(&self, name: Name) -> bool {
        self.typed.has(name)
    }

    /// The value of `--format`.
    pub(crate) fn format(&self) -> Result<Format, UsageError> {
        self.typed.format()
    }

    /// An error about this command line.
    pub(crate) fn wrong(&self, message: &str) -> UsageError {
        self.typed.wrong(message)
    }
}

/// Reads the arguments of this process.
pub(crate) fn parse() -> Result<Typed, UsageError> {
    // They are kept for as long as the process lives, as those are that execve(2) gave.
    let keep = |word: OsString| -> &'static CStr {
        Box::leak(CString::new(word.into_vec()).unwrap_or_default().into())
    };
    arguments::parse(std::env::args_os().skip(1).map(keep), COMMANDS, None)
}

fn os(word: &CStr) -> &OsStr {
    OsStr::from_bytes(word.to_bytes())
}
