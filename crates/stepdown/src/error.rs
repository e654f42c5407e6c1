//! The error of the library: everything that is wrong, and whether anything has changed.

use alloc::format;
#[cfg(feature = "std")]
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use stepdown_conf::{Cause, Finding, shell_word};
use stepdown_kernel::program::ProgramError;

#[cfg(feature = "std")]
use crate::prepare::Refusal;

/// Why a process or a child did not step down.
#[derive(Debug)]
pub struct Error {
    findings: Vec<Finding>,
    unchanged: bool,
}

impl Error {
    /// All that was found, at least one of them an error; warnings and notes among them.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether this process still is as it was. If not, it has to exit: it is neither what it was nor what was asked for.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.unchanged
    }

    #[cfg(feature = "std")]
    pub(crate) fn refused(findings: Vec<Finding>) -> Error {
        Error { findings, unchanged: true }
    }

    #[cfg(feature = "std")]
    pub(crate) fn half_way(finding: Finding) -> Error {
        Error { findings: vec![finding], unchanged: false }
    }

    #[cfg(feature = "std")]
    pub(crate) fn from_refusal(refusal: Refusal) -> Error {
        Error::refused(match refusal {
            Refusal::Findings(findings) => findings,
            Refusal::Program(error) => vec![no_program(&error)],
        })
    }
}

/// What is wrong with a program that was looked for.
#[must_use]
pub fn no_program(error: &ProgramError) -> Finding {
    let path = &error.path;
    let subject = error.detail.as_ref().map_or_else(|| path.clone(), |detail| format!("{path}, {detail}"));
    let finding = Finding::error("no-program", Cause::Host, format!("{subject}: {}", error.errno));
    use stepdown_security::errno::Errno;
    match error.errno {
        _ if error.detail.is_some() => finding
            .because("a script is executed by the interpreter that its first line names, which is looked for in the new root directory if there is one; nothing has been changed")
            .hint(format!("see `head -n 1 {0} | cat -A`: a path that is not there, or a line that ends in ^M", shell_word(path))),
        Errno::NOENT | Errno::NOTDIR if path.as_bytes().contains(&b'/') => finding
            .because("there is no such file, in the new root directory if there is one; nothing has been changed")
            .hint(format!("see `namei -l {0}`", shell_word(path))),
        Errno::NOENT => finding
            .because("no directory of PATH has it, in the new root directory if there is one; nothing has been changed")
            .hint("name it by its whole path"),
        Errno::ACCES => finding
            .because("it is not an executable file; nothing has been changed")
            .hint(format!("see `ls -l {0}`", shell_word(path))),
        Errno(8) => finding
            .because("it is neither a binary of this machine nor a script that begins with #!; nothing has been changed")
            .hint("add a first line such as #!/bin/sh, or name its interpreter, and it as the interpreter's argument"),
        Errno::AGAIN => finding
            .because("somebody holds a lease on the file, or replaced it meanwhile, and what was not looked at is not executed")
            .hint(format!("try again; see `lsof {0}`", shell_word(path))),
        _ => finding.because("nothing has been changed").hint("see execve(2), section ERRORS"),
    }
}

/// Each error on a line of its own, with its reason and hint below.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for finding in self.findings.iter().filter(|finding| finding.is_error()) {
            write!(f, "{separator}{finding}")?;
            if let Some(why) = &finding.why {
                write!(f, "\n   why: {why}")?;
            }
            if let Some(hint) = &finding.hint {
                write!(f, "\n  hint: {hint}")?;
            }
            separator = "\n";
        }
        Ok(())
    }
}

impl core::error::Error for Error {}
