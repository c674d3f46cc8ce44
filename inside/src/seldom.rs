//! Something that may happen many times a second, and is said once in a while.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often something happened since it was last said.
#[derive(Debug)]
pub struct Seldom {
    period: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    pub const fn new(period: Duration) -> Self {
        Self { period, state: Mutex::new((None, 0)) }
    }

    /// It has happened: how often, if it is time to say so. The first time is.
    pub fn happened(&self) -> Option<u64> {
        let mut state = self.state.lock();
        let (said, times) = &mut *state;
        *times += 1;
        if said.is_some_and(|at| at.elapsed() < self.period) {
            return None;
        }
        *said = Some(Instant::now());
        Some(std::mem::take(times))
    }
}
