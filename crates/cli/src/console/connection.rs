//! A connection to a console: connect, ask, hear; and why not.

use std::fs::{self, Metadata};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use stepdown::conf::{Cause, Finding, shown_path};
use stepdown_kernel::sockets;
use stepdown_serve::console::wire::{Replies, Reply};

/// A session with a server.
pub(crate) struct Connection {
    endpoint: PathBuf,
    stream: UnixStream,
    replies: Replies,
}

/// The code of the finding that says that a request was not sent, since the session had ended before.
pub(crate) const NOT_SENT: &str = "session-ended";

impl Connection {
    /// Connects.
    pub(crate) fn open(endpoint: &Path) -> Result<Connection, Box<Finding>> {
        match sockets::connect(endpoint, None) {
            Ok(socket) => Ok(Connection {
                endpoint: endpoint.to_owned(),
                stream: UnixStream::from(socket),
                replies: Replies::default(),
            }),
            Err(error) => Err(Box::new(refused(endpoint, &error))),
        }
    }

    /// Where the server listens.
    pub(crate) fn endpoint(&self) -> &Path {
        &self.endpoint
    }

    /// Sends a line and waits for the reply, however long the server takes.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Reply, Box<Finding>> {
        // Sent without the signal that a closed pipe raises.
        let sent = sockets::send_descriptors(self.stream.as_fd(), format!("{line}\n").as_bytes(), &[]);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.replies.next() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(_) => {
                    let message = format!("what listens at {} is no console", self.shown());
                    let why = "its reply has another form than those of this version, or of any";
                    return Err(Box::new(Finding::error("no-console", Cause::Host, message).because(why)));
                }
            }
            let ended = match self.stream.read(&mut buffer) {
                Ok(0) => None,
                Ok(length) => {
                    self.replies.feed(&buffer[..length]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
                Err(error) => Some(error),
            };
            return Err(Box::new(match (ended, &sent) {
                (None, Err(_)) => {
                    let message = format!("the session with {} had ended; this was not sent", self.shown());
                    Finding::error(NOT_SENT, Cause::Host, message).because(
                        "the server was restarted, or ends sessions that are silent for `Timeout` seconds",
                    )
                }
                (None, Ok(())) => {
                    let message = format!("{} ended the session without a reply", self.shown());
                    Finding::error("no-reply", Cause::Host, message)
                        .because("the server ended, or had waited too long; whether it did this is not known")
                }
                (Some(error), _) => {
                    let message = format!("nothing can be read from {}: {error}", self.shown());
                    Finding::error("no-reply", Cause::Host, message)
                }
            }));
        }
    }

    fn shown(&self) -> String {
        shown(&self.endpoint)
    }
}

fn refused(endpoint: &Path, error: &std::io::Error) -> Finding {
    let place = shown(endpoint);
    let there = fs::metadata(endpoint);
    let finding = |message: String| Finding::error("no-connection", Cause::Host, message);
    match (error.kind(), &there) {
        (ErrorKind::NotFound, _) => finding(format!("no server listens at {place}: there is no such file"))
            .because("a server makes its console when it starts, and takes it away when it ends")
            .hint("`stepdown serve` starts one; Control_Listener says where, and -c names the file that says it"),
        (_, Ok(found)) if !found.file_type().is_socket() => {
            finding(format!("{place} is no socket")).hint("the console's is in Control_Listener: Listen \"/path\"")
        }
        (ErrorKind::ConnectionRefused, _) => finding(format!("no server listens at {place} any more"))
            .because("the socket was left behind by a server that was killed")
            .hint("the next `stepdown serve` clears it away"),
        (ErrorKind::PermissionDenied, Ok(found)) => finding(format!("{place} may not be used by this user"))
            .because(format!("it may be by {}", who(found)))
            .hint("File_Mode of the console's Listen, and Operators and Observers of Control_Listener, say who may"),
        (ErrorKind::PermissionDenied, Err(_)) => finding(format!("{place} can't be reached by this user"))
            .because("a directory on the way may not be searched by it"),
        (ErrorKind::WouldBlock, _) => finding(format!("the server at {place} is not accepting connections"))
            .because("as many wait already as may; it is busy, or stopped"),
        _ => finding(format!("{place} can't be connected to: {error}")),
    }
}

/// Who may write to a file, which is what connecting takes.
fn who(file: &Metadata) -> String {
    let mut who = vec!["root".to_owned()];
    let mode = file.mode();
    if mode & 0o200 != 0 && file.uid() != 0 {
        who.push(format!("user {}", file.uid()));
    }
    if mode & 0o020 != 0 {
        who.push(format!("group {}", file.gid()));
    }
    if mode & 0o002 != 0 {
        who.push("others".to_owned());
    }
    format!("{} (mode {:04o})", who.join(", "), mode & 0o7777)
}

fn shown(path: &Path) -> String {
    shown_path(&path.to_string_lossy()).to_string()
}
