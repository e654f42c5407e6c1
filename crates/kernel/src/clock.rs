//! The clock that nobody can set: clock_gettime(2) `CLOCK_MONOTONIC`.
//!
//! For durations, the standard library's `Instant` is the same clock; a service manager wants its very number.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since some point in the past, as sd_notify(3) `MONOTONIC_USEC` has it.
#[must_use]
pub fn monotonic_micros() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000 + nanos / 1000
}
