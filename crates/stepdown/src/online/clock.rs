//! A time of day in words. Coordinated universal time: no database of time zones is read by a server.

use std::time::{SystemTime, UNIX_EPOCH};

/// `18:04:05 UTC`.
pub(super) fn utc(when: SystemTime) -> String {
    let seconds = when.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02} UTC", seconds % 60)
}
