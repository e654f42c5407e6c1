//! The end of a process that is neither what it was nor what it was to become: one line on standard error, then SIGABRT.
//!
//! Nothing here allocates, and standard error is not asked for its lock, which a held thread may have.

use std::fmt::{self, Write};

use crate::sys;

/// Ends this process, with a line on standard error, as a pass does that fails half-way.
pub fn stop_process(why: &str) -> ! {
    stop(format_args!("{why}"))
}

/// As [`stop_process`], put together without allocating.
pub(super) fn stop(why: fmt::Arguments<'_>) -> ! {
    let mut line = Line { bytes: [0; 1000], length: 0 };
    let _ = write!(line, "stepdown: {why}");
    // Whatever had to be left out, the end is said.
    line.length = line.length.min(line.bytes.len() - 40);
    let _ = writeln!(line, "; the process is stopped");
    sys::threads::stop_process(&line.bytes[..line.length])
}

/// A line; what is too long for it is left out.
struct Line {
    bytes: [u8; 1000],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}
