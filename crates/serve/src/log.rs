//! What the server says while it runs: one line after another on standard error, never waiting for whoever reads them.
//!
//! A library does not choose words' form: each [`Entry`] is handed to the [`Printer`] of the program. What can't be written
//! at once waits here, up to [`WAITING_LIMIT`] bytes; beyond it lines are counted instead of kept, and the count is said.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};

use stepdown_conf::Finding;
use stepdown_kernel::output::StandardError;

/// The most that waits for a reader, in bytes.
pub const WAITING_LIMIT: usize = 256 << 10;

/// One thing that is said.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Something happened, to a service if one is named.
    Event {
        /// Whether somebody should look at it.
        level: Level,
        /// The name of the service.
        service: Option<&'a str>,
        /// In words, one line.
        text: &'a str,
    },
    /// Something was found when a configuration was read.
    Finding(&'a Finding),
    /// A line that a service wrote, without its line feed.
    Output {
        /// The name of the service.
        service: &'a str,
        /// The line.
        line: &'a [u8],
    },
}

/// How much an event asks for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is as it should be.
    Info,
    /// Somebody should know.
    Warning,
    /// Something does not work.
    Error,
}

/// Gives entries the form in which they are read.
pub trait Printer {
    /// The entry in bytes, with the line feed at its end.
    fn print(&self, entry: &Entry<'_>) -> Vec<u8>;
}

/// The lines that are on their way.
pub struct Log {
    printer: Box<dyn Printer>,
    to: StandardError,
    waiting: VecDeque<u8>,
    lost: u64,
}

impl Log {
    /// A log in the form of `printer`.
    #[must_use]
    pub fn new(printer: Box<dyn Printer>) -> Log {
        Log { printer, to: StandardError::as_it_is(), waiting: VecDeque::new(), lost: 0 }
    }

    /// From here on writes without ever waiting: while standard error can still be opened, before the step-down.
    pub fn open(&mut self) {
        self.to = StandardError::open();
    }

    /// What is written to, to wait for room in it.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.to.as_fd()
    }

    /// Says something.
    pub fn say(&mut self, entry: &Entry<'_>) {
        if self.waiting.len() >= WAITING_LIMIT {
            self.lost += 1;
            return;
        }
        self.waiting.extend(self.printer.print(entry));
        self.flush();
    }

    /// Says what happened.
    pub fn event(&mut self, level: Level, service: Option<&str>, text: &str) {
        self.say(&Entry::Event { level, service, text });
    }

    /// Says what was found.
    pub fn findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            self.say(&Entry::Finding(finding));
        }
    }

    /// Writes what can be written now. Whether nothing is left.
    pub fn flush(&mut self) -> bool {
        loop {
            if self.waiting.is_empty() {
                if self.lost == 0 {
                    return true;
                }
                let text =
                    format!("{} lines were lost, since nobody read them", std::mem::take(&mut self.lost));
                let entry = Entry::Event { level: Level::Warning, service: None, text: &text };
                self.waiting.extend(self.printer.print(&entry));
            }
            let (piece, _) = self.waiting.as_slices();
            match self.to.write(piece) {
                Ok(0) => return false,
                Ok(count) => {
                    self.waiting.drain(..count);
                }
                // Nobody will ever read it, and there is nobody to tell.
                Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Whether lines wait for a reader: then no more should be read from those who write them.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }
}
