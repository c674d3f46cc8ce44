//! The run's own time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since the run began, never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// Microseconds from an earlier time to this one.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Micros {
        Micros(self.origin.elapsed().as_micros() as u64 + 1)
    }
}

/// Milliseconds since 1970, for ids and reports.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
