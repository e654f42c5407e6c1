//! Which exit status is given when a program can't be executed.
//!
//! The numbers are those of env(1), nohup(1) and the shells: 126 for a program that can't be executed, 127 for
//! one that is not there.

use stepdown::security::errno::Errno;

use crate::REFUSED;

/// The exit status for what execve(2), or the look before it, answered. A call that claimed success and did nothing is
/// not the program's fault.
pub(crate) fn of(errno: Option<Errno>) -> u8 {
    match errno {
        None => REFUSED,
        Some(Errno::NOENT | Errno::NOTDIR) => 127,
        Some(_) => 126,
    }
}
