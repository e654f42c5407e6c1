//! A restart of a running server in which no connection is refused: its sockets are held while it ends and a fresh process, which is
//! root again, starts.
//!
//! The new configuration is looked at first, as the fresh process would: while it is refused, nothing is touched. Who starts the
//! fresh process is whoever started the old one (a service manager that starts again what has ended), or a command. Not
//! for: starting it here, in the foreground of a terminal, which is `stepdown serve --replace`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stepdown::source;
use stepdown_conf::{Cause, Finding, shown_path};
use stepdown_kernel::trust;

use crate::server::{Holder, Predecessor, check_start, endpoint, meeting_point, take};

/// A restart that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The process of the old server.
    pub old: u32,
    /// That of the new one.
    pub new: u32,
    /// How many descriptors were handed over: the listening sockets, and the pid file.
    pub handed_over: usize,
}

/// Restarts the server of a configuration: `main`, or the one along the search path. With `command`, that command has to end the old
/// server and start the new one, as `systemctl restart` does; without one, the old server is told to end, and whoever started
/// it starts it again. The new one has to serve within `patience`.
///
/// # Errors
/// Everything that stands in the way. As long as the fresh process would be refused, nothing has changed.
pub fn restart(
    main: Option<&Path>,
    command: &[OsString],
    patience: Duration,
) -> Result<Restarted, Vec<Finding>> {
    if !trust::is_privileged() {
        return Err(vec![
            Finding::error("not-root", Cause::Host, "this process is not root")
                .because(
                    "a fresh server has to start as root, and only root is given the sockets of the old one",
                )
                .hint(
                    "run it as root; `stepdown console config reload` takes over all that needs no restart",
                ),
        ]);
    }
    let config = source::load(main)?;
    check_start(&config)?;
    let Some(endpoint) = endpoint(&config) else {
        return Err(vec![
            Finding::error("no-console", Cause::Text, "the configuration has no Control_Listener")
                .because("the running server is asked for its sockets at its console")
                .hint("add Control_Listener { Listen \"/run/stepdown/console\" { } }, and start the server anew this once"),
        ]);
    };
    let path = Path::new(&endpoint);
    let taken = take(path, false).map_err(|finding| vec![*finding])?;
    let Some((sockets, mut old)) = taken else {
        return Err(vec![
            Finding::error(
                "not-running",
                Cause::Host,
                format!("no server listens at {}", shown_path(&endpoint)),
            )
            .because("there is nothing to take sockets from")
            .hint("start it: stepdown serve"),
        ]);
    };
    let handed_over = sockets.len();
    let holder = Holder::new(&endpoint, sockets, old.uid).map_err(|finding| vec![*finding])?;
    let mut child = match command.split_first() {
        None => {
            old.yield_now()
                .map_err(|error| vec![lost(&format!("the old server could not be told to end: {error}"))])?;
            None
        }
        Some((program, arguments)) => Some(begin(program, arguments)?),
    };
    // A command that fails while the old server is there has not even ended it: nobody is going to come.
    let is_hopeless = |child: &mut Option<Child>, old: &mut Predecessor| {
        let failed = child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(Some(status)) if !status.success()));
        failed && !old.has_ended()
    };
    let new = match holder.wait(patience, || is_hopeless(&mut child, &mut old)) {
        Ok(Some(new)) => new,
        Ok(None) => {
            let goes_on = child.is_some() && !old.has_ended();
            return Err(vec![nobody_came(patience, child.as_mut(), &endpoint, goes_on)]);
        }
        Err(error) => return Err(vec![lost(&format!("waiting for the fresh server failed: {error}"))]),
    };
    // A command such as `systemctl restart` ends when it has seen that the server is up.
    if let Some(mut child) = child {
        let _ = child.wait();
    }
    Ok(Restarted { old: old.pid, new, handed_over })
}

fn begin(program: &OsString, arguments: &[OsString]) -> Result<Child, Vec<Finding>> {
    Command::new(program).args(arguments).stdin(Stdio::null()).spawn().map_err(|error| {
        vec![
            Finding::error(
                "not-executed",
                Cause::Host,
                format!("{} was not started: {error}", shown_path(&program.to_string_lossy())),
            )
            .because("it has to end the old server and start the new one")
            .hint("the old server goes on; name a command such as systemctl restart UNIT"),
        ]
    })
}

fn nobody_came(patience: Duration, child: Option<&mut Child>, endpoint: &str, goes_on: bool) -> Finding {
    let status = child.map(|child| child.try_wait());
    let message = match (&status, patience.as_secs()) {
        (Some(Ok(Some(status))), _) if goes_on && !status.success() => "the command failed".to_owned(),
        (_, 1) => "no fresh server served within 1 second".to_owned(),
        (_, seconds) => format!("no fresh server served within {seconds} seconds"),
    };
    let finding = Finding::error("nobody-came", Cause::Host, message);
    let finding = match status {
        Some(Ok(Some(status))) => finding.because(format!("the command has ended: {status}")),
        Some(_) => finding.because("the command has not started one, or what it started was refused: see its messages"),
        None => finding.because(
            "whoever started the old server did not start it again, or what it started was refused: see its messages",
        ),
    };
    finding.hint(match goes_on {
        true => "the old server goes on, which the command has to end: stepdown restart -- systemctl restart UNIT".to_owned(),
        false => format!(
            "the sockets are closed now; start the server, and for the next time name a command that does: stepdown restart -- systemctl restart UNIT (it was waited for at {})",
            meeting_point(endpoint).display()
        ),
    })
}

fn lost(words: &str) -> Finding {
    Finding::error("restart-failed", Cause::Host, words.to_owned())
        .because("so the kernel has it")
        .hint("see whether a server runs: stepdown console status")
}
