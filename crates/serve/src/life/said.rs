//! What a service says of itself. Follows sd_notify(3).

use super::Millis;

/// One thing that a service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// `READY=1`: it is ready, or has reloaded.
    Ready,
    /// `RELOADING=1`.
    Reloading,
    /// `STOPPING=1`.
    Stopping,
    /// `STATUS=...`: what it does, in its own words.
    Status(String),
    /// `EXTEND_TIMEOUT_USEC=...`: that long from now it wants to be waited for.
    Extend(Millis),
    /// `WATCHDOG=1`: it is alive.
    Watchdog,
}

/// The longest status that is kept, in characters.
const MAX_STATUS: usize = 200;

impl Notification {
    /// Reads a message: lines of `NAME=value`, those that are not known left out.
    #[must_use]
    pub fn read(message: &str) -> Vec<Notification> {
        message.lines().filter_map(Notification::line).collect()
    }

    fn line(line: &str) -> Option<Notification> {
        let (name, value) = line.split_once('=')?;
        match (name, value) {
            ("READY", "1") => Some(Notification::Ready),
            ("RELOADING", "1") => Some(Notification::Reloading),
            ("STOPPING", "1") => Some(Notification::Stopping),
            ("WATCHDOG", "1") => Some(Notification::Watchdog),
            ("STATUS", text) => Some(Notification::Status(text.chars().take(MAX_STATUS).collect())),
            ("EXTEND_TIMEOUT_USEC", time) if time.bytes().all(|byte| byte.is_ascii_digit()) => {
                time.parse::<u64>().ok().map(|micros| Notification::Extend(micros.div_ceil(1000)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Notification as N;

    #[test]
    fn lines_are_read_and_others_left_out() {
        assert_eq!(
            N::read("READY=1\nSTATUS=a=b c\nMAINPID=1\nEXTEND_TIMEOUT_USEC=1500001\nBARRIER=1\n"),
            [N::Ready, N::Status("a=b c".into()), N::Extend(1501)]
        );
        assert_eq!(N::read("RELOADING=1\nSTOPPING=1\nWATCHDOG=1"), [N::Reloading, N::Stopping, N::Watchdog]);
        for odd in [
            "",
            "READY",
            "READY=0",
            "READY=",
            "=1",
            "EXTEND_TIMEOUT_USEC=-1",
            "EXTEND_TIMEOUT_USEC=",
            "WATCHDOG=trigger",
        ] {
            assert_eq!(N::read(odd), [], "{odd}");
        }
        assert_eq!(N::read(&format!("STATUS={}", "é".repeat(1000))), [N::Status("é".repeat(200))]);
    }
}
