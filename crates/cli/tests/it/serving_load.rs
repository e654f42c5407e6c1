//! Clients that connect all the time to a server in a node, and a service that counts on being replaced: `load.c`.
//!
//! What becomes of every single connection is counted. Not for: how fast.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use crate::faults::compile;
use crate::serving::{signal, until};
use crate::support::{Node, done, have};

/// A node with the program `load` in its directory, and a `/run` of its own.
pub fn node() -> Option<(Node, PathBuf)> {
    if !have("cc") {
        return None;
    }
    let node = Node::new()?;
    let mounted = done(node.command("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]));
    assert_eq!(mounted.status, 0, "{mounted:?}");
    let load = node.dir.join("load");
    compile("load.c", &load, &[]);
    Some((node, load))
}

/// Clients that connect.
pub struct Clients {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that got everything.
    pub done: u64,
    /// Those that could not connect.
    pub refused: u64,
    /// Those that ended before they got everything.
    pub cut: u64,
    /// Those that failed otherwise.
    pub failed: u64,
    /// How many processes answered.
    pub processes: u64,
}

impl Clients {
    /// `count` connections, so many at a time, each of which is kept for this long, to a port or to the path of a Unix socket;
    /// with 0 as many as there can be until [`Clients::end`].
    pub fn start(node: &Node, at: &str, count: u32, at_a_time: u32, millis: u32) -> Clients {
        let numbers = [count, at_a_time, millis].map(|number| number.to_string());
        let mut command = node.command(node.dir.join("load"));
        let mut child = command.args(["ask", at]).args(numbers).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "asking\n");
        Clients { child, out }
    }

    /// Whether the last one has got its answer.
    pub fn have_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until all have connected, and says what became of them.
    #[track_caller]
    pub fn wait(mut self) -> Counts {
        until("the last client", || self.have_ended());
        self.counts()
    }

    /// Lets no more connect, waits for those that have, and says what became of all.
    #[track_caller]
    pub fn end(self) -> Counts {
        signal(self.child.id(), "TERM");
        self.wait()
    }

    #[track_caller]
    fn counts(&mut self) -> Counts {
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        let number = |name: &str| {
            let word = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            word.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        };
        Counts {
            done: number("done"),
            refused: number("refused"),
            cut: number("cut"),
            failed: number("failed"),
            processes: number("processes"),
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Counts {
    /// Asserts that at least this many were served, and that not one of all was lost.
    #[track_caller]
    pub fn none_lost(&self, at_least: u64) {
        let Counts { done, refused, cut, failed, .. } = *self;
        assert_eq!((refused, cut, failed), (0, 0, 0), "{self:?}");
        assert!(done >= at_least, "{self:?}");
    }
}
