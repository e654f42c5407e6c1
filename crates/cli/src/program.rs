//! What is said, and which exit status is given, when a program can't be executed.
//!
//! The numbers are those of env(1), nohup(1) and the shells: 126 for a program that can't be executed, 127 for
//! one that is not there.

use stepdown::conf::{Cause, Finding};
use stepdown::security::errno::Errno;
use stepdown_kernel::program::ProgramError;

use crate::REFUSED;

/// The exit status for what execve(2), or the look before it, answered. A call that claimed success and did nothing is
/// not the program's fault.
pub(crate) fn exit_status(errno: Option<Errno>) -> u8 {
    match errno {
        None => REFUSED,
        Some(Errno::NOENT | Errno::NOTDIR) => 127,
        Some(_) => 126,
    }
}

/// What is wrong with a program that was looked for.
pub(crate) fn not_found(error: &ProgramError) -> Finding {
    let path = &error.path;
    let subject = error.detail.as_ref().map_or_else(|| path.clone(), |detail| format!("{path}, {detail}"));
    let finding = Finding::error("no-program", Cause::Host, format!("{subject}: {}", error.errno));
    match error.errno {
        Errno::NOENT | Errno::NOTDIR if path.contains('/') => finding
            .because("there is no such file, in the new root directory if there is one; nothing has been changed")
            .hint(format!("see `namei -l {path}`")),
        Errno::NOENT => finding
            .because("no directory of PATH has it, in the new root directory if there is one; nothing has been changed")
            .hint("name it by its whole path"),
        Errno::ACCES => finding
            .because("it is not an executable file; nothing has been changed")
            .hint(format!("see `ls -l {path}`")),
        _ => finding.because("nothing has been changed").hint("see execve(2), section ERRORS"),
    }
}
