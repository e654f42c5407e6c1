//! Asks the system's name service through getent(1), in a process of its own.
//!
//! The sources that nsswitch.conf(5) can name are shared libraries of whoever installed them. Loaded into this program
//! they would run as root in it, start threads, leave descriptors open, and crash a static binary; asked for from
//! outside they can do none of that. The price is the time of one more process, which is why what the source `files`
//! answers is read from the files themselves, see [`crate::accounts`].

use alloc::borrow::ToOwned;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Access, Mode, OFlags, access};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, waitid, waitpid,
};
use stepdown_security::errno;

use crate::sys::{self, now};

/// How long the name service may take to answer, in seconds.
pub(crate) const TIME_LIMIT: i64 = 10;

/// Why there is no answer, in words.
#[derive(Debug)]
pub(crate) enum Failed {
    /// None came within [`TIME_LIMIT`].
    Late(String),
    /// No getent, or a failure of its own.
    Otherwise(String),
}

impl Failed {
    pub(crate) fn reason(self) -> String {
        match self {
            Failed::Late(reason) | Failed::Otherwise(reason) => reason,
        }
    }
}

impl From<String> for Failed {
    fn from(reason: String) -> Failed {
        Failed::Otherwise(reason)
    }
}

/// What `getent DATABASE KEY` prints; `Ok(None)` where no source has the key.
///
/// # Errors
/// See [`Failed`].
pub(crate) fn ask(database: &str, key: &str) -> Result<Option<String>, Failed> {
    // A parent that ignores SIGCHLD would have the kernel throw the status away, and one with a handler may fetch it first.
    let signal = sys::hold_child_signal();
    let answer = ask_child(database, key);
    signal.restore();
    answer
}

/// Why there is no answer.
enum Failure {
    Late,
    TooLong,
    System(Errno),
}

fn ask_child(database: &str, key: &str) -> Result<Option<String>, Failed> {
    let Some(program) = PROGRAMS.into_iter().find(|path| access(*path, Access::EXISTS).is_ok()) else {
        return Err("it needs getent(1) to be asked, which is not installed (/usr/bin/getent, /bin/getent)"
            .to_owned()
            .into());
    };
    let name = program.to_string_lossy();
    let system = |error: Errno| format!("{name}: {}", errno::Errno(error.raw_os_error()));
    let word = |word: &str| CString::new(word).map_err(|_| format!("{name}: a key can't contain a NUL byte"));
    let (first, second) = (word(database)?, word(key)?);
    let nothing =
        rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(system)?;
    let (output, to) = pipe_with(PipeFlags::CLOEXEC).map_err(system)?;
    // Whoever is the user of what nsswitch.conf(5) names can look into the child: nothing of this process is its business.
    let child = sys::execute_in_child(program, &[program, &first, &second], to.as_fd(), nothing.as_fd())
        .map_err(|errno| format!("{name}: {errno}"))?;
    drop(to);
    let child = Pid::from_raw(child).ok_or_else(|| format!("{name}: no child was started"))?;
    let answer = read_answer(child, &output);
    if answer.is_err() {
        let _ = kill_process(child, Signal::KILL);
    }
    let status = loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => break status,
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(system(error).into()),
        }
    };
    let answer = answer.map_err(|failure| match failure {
        Failure::Late => {
            Failed::Late(format!("`{name} {database} {key}` did not answer within {TIME_LIMIT} seconds"))
        }
        Failure::TooLong => format!("{name}: the answer is too long").into(),
        Failure::System(error) => system(error).into(),
    })?;
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => {
            String::from_utf8(answer).map(Some).map_err(|_| format!("{name}: the answer is not UTF-8").into())
        }
        // getent(1): one or more keys could not be found.
        (Some(2), _) => Ok(None),
        (Some(status), _) => Err(format!("`{name} {database} {key}` ended with exit status {status}").into()),
        (None, signal) => {
            let signal = signal.map_or_else(|| "unknown".to_owned(), |signal| format!("{signal}"));
            Err(format!("`{name} {database} {key}` ended with signal {signal}").into())
        }
    }
}

/// Fixed, so that nobody's `PATH` decides what root executes.
const PROGRAMS: [&CStr; 3] = [c"/usr/bin/getent", c"/bin/getent", c"/run/current-system/sw/bin/getent"];

/// The longest answer, in bytes; a group with a hundred thousand members has less.
const SIZE_LIMIT: usize = 16 << 20;

/// Everything the child writes, and then its end, all within the time limit.
fn read_answer(child: Pid, output: &OwnedFd) -> Result<Vec<u8>, Failure> {
    let deadline = now() + TIME_LIMIT * 1_000_000_000;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        wait_for(output, deadline)?;
        match rustix::io::read(output, &mut buffer).map_err(Failure::System)? {
            0 => break,
            count if answer.len() + count <= SIZE_LIMIT => answer.extend_from_slice(&buffer[..count]),
            _ => return Err(Failure::TooLong),
        }
    }
    // The output may end before the process does. Where there is no descriptor for a process (Linux 5.3), or none is to be had,
    // it is looked at now and then.
    match pidfd_open(child, PidfdFlags::empty()) {
        Ok(process) => wait_for(&process, deadline)?,
        Err(_) => {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            while let Ok(None) | Err(Errno::INTR) = waitid(WaitId::Pid(child), options) {
                if now() >= deadline {
                    return Err(Failure::Late);
                }
                let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 5_000_000 }));
            }
        }
    }
    Ok(answer)
}

fn wait_for(descriptor: &impl AsFd, deadline: i64) -> Result<(), Failure> {
    loop {
        let left = (deadline - now()).max(0);
        let time = Timespec { tv_sec: left / 1_000_000_000, tv_nsec: left % 1_000_000_000 };
        let mut waited = [PollFd::new(descriptor, PollFlags::IN)];
        match poll(&mut waited, Some(&time)) {
            Ok(0) => return Err(Failure::Late),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::System(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_answered_and_what_is_not_is_none() {
        assert!(ask("passwd", "root").unwrap().unwrap().starts_with("root:"));
        assert_eq!(ask("passwd", "nobody-of-that-name").unwrap(), None);
        assert!(ask("no-such-database", "root").is_err());
    }
}
