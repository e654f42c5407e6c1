//! The terminal that standard output leads to, ioctl_tty(2) `TIOCGWINSZ`.
//!
//! Only its size; whether to colour what is written to it is for whoever writes.

/// How many columns the terminal on standard output has; `None` where there is no terminal, or one that does not know.
#[must_use]
pub fn columns_of_output() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}
