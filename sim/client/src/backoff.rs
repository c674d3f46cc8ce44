//! Full-jitter back-off: 0.5 s to 30 s, so that those who were cut off together do not come back together.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);

/// How long to wait before the next try.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// All is well again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// After another failure: anything from nothing to twice the former bound.
    pub fn next(&mut self) -> Duration {
        let bound = Self::bound(self.failures);
        self.failures = self.failures.saturating_add(1);
        rand::rng().random_range(Duration::ZERO..=bound)
    }

    /// After a wish of the server: not sooner, and spread over as much again.
    pub fn asked(retry_after: Duration) -> Duration {
        let bounded = retry_after.min(MOST);
        bounded + rand::rng().random_range(Duration::ZERO..=bounded)
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn bound(failures: u32) -> Duration {
        FIRST.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_again_after_success() {
        let mut backoff = Backoff::default();
        for failures in 0..100 {
            let bound = Duration::from_millis(500 * (1 << failures.min(6))).min(MOST);
            assert_eq!(Backoff::bound(failures), bound);
            assert!(backoff.next() <= bound);
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
        let asked = Backoff::asked(Duration::from_secs(2));
        assert!(asked >= Duration::from_secs(2) && asked <= Duration::from_secs(4));
    }
}
