//! Asks the system's name service through getent(1), in a process of its own.
//!
//! The sources that nsswitch.conf(5) can name are shared libraries of whoever installed them. Loaded into this program
//! they would run as root in it, start threads, leave descriptors open, and crash a static binary; asked for from
//! outside they can do none of that. The price is the time of one more process, which is why what the source `files`
//! answers is read from the files themselves, see [`crate::accounts`].

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sys;

/// How long the name service may take to answer.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What `getent DATABASE KEY` prints; `Ok(None)` where no source has the key.
///
/// # Errors
/// In words: no getent, no answer within [`TIME_LIMIT`], or a failure of its own.
pub(crate) fn ask(database: &str, key: &str) -> Result<Option<String>, String> {
    // A parent that ignores SIGCHLD would have the kernel throw the status away, and one with a handler may fetch it first.
    let signal = sys::hold_child_signal();
    let answer = ask_child(database, key);
    signal.restore();
    answer
}

fn ask_child(database: &str, key: &str) -> Result<Option<String>, String> {
    let Some(program) = PROGRAMS.iter().find(|path| Path::new(path).exists()) else {
        return Err(format!(
            "it needs getent(1) to be asked, which is not installed ({})",
            PROGRAMS.join(", ")
        ));
    };
    let mut command = Command::new(program);
    command
        .args([database, key])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // It loads what nsswitch.conf(5) names, and whoever its user is can look into it: nothing of this process is its business.
    sys::before_exec(&mut command, || sys::close_on_exec_range(3, u32::MAX));
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let answer = read_answer(&mut child);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("{program}: {error}"))?;
    let answer = answer.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            format!("`{program} {database} {key}` did not answer within {} seconds", TIME_LIMIT.as_secs())
        }
        _ => format!("{program}: {error}"),
    })?;
    match status.code() {
        Some(0) => {
            String::from_utf8(answer).map(Some).map_err(|_| format!("{program}: the answer is not UTF-8"))
        }
        // getent(1): one or more keys could not be found.
        Some(2) => Ok(None),
        _ => Err(format!("`{program} {database} {key}` ended with {status}")),
    }
}

/// Fixed, so that nobody's `PATH` decides what root executes.
const PROGRAMS: [&str; 3] = ["/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"];

/// The longest answer, in bytes; a group with a hundred thousand members has less.
const SIZE_LIMIT: usize = 16 << 20;

/// Everything the child writes, and then its end, all within the time limit.
fn read_answer(child: &mut Child) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + TIME_LIMIT;
    let mut answer = Vec::new();
    if let Some(output) = &child.stdout {
        let mut buffer = [0; 4096];
        loop {
            wait_for(output, deadline)?;
            match rustix::io::read(output, &mut buffer)? {
                0 => break,
                count if answer.len() + count <= SIZE_LIMIT => answer.extend_from_slice(&buffer[..count]),
                _ => return Err(io::Error::other("the answer is too long")),
            }
        }
    }
    // The output may end before the process does.
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(process) = id.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok()) {
        wait_for(&process, deadline)?;
    }
    Ok(answer)
}

fn wait_for(descriptor: &impl AsFd, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let mut waited = [PollFd::new(descriptor, PollFlags::IN)];
        match poll(&mut waited, Some(&time)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
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
