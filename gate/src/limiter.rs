//! How often a key may do something.

use std::hash::Hash;
use std::time::Duration;

use governor::{
    RateLimiter,
    clock::{Clock, MonotonicClock, Reference},
    middleware::StateInformationMiddleware,
};
use skep_protocol::{Code, Refusal};

use crate::{Rate, Standing, kept::Kept};

/// A bucket for each key. Its memory is bounded; `tidy` gives back what is not needed any more.
pub struct Limiter<K: Hash + Eq + Clone, C: Clock = MonotonicClock> {
    rate: Rate,
    buckets: Kept<K>,
    limiter: RateLimiter<K, Kept<K>, C, StateInformationMiddleware>,
    start: C::Instant,
}

/// A refusal: nothing was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limited {
    pub standing: Standing,
    /// Until the next one would be let through.
    pub wait: Duration,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// With room for so many keys that are not full.
    pub fn new(rate: Rate, keys: usize) -> Self {
        Self::with_clock(rate, keys, MonotonicClock)
    }
}

impl<K: Hash + Eq + Clone, C: Clock> Limiter<K, C> {
    /// The same by another clock.
    pub fn with_clock(rate: Rate, keys: usize, clock: C) -> Self {
        let (buckets, start) = (Kept::new(keys), clock.now());
        let limiter = RateLimiter::new(rate.quota(), buckets.clone(), clock);
        Self { rate, buckets, start, limiter }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one from the key's bucket, if there is one.
    pub fn take(&self, key: &K) -> Result<Standing, Limited> {
        match self.limiter.check_key(key) {
            Ok(state) => Ok(self.standing(state.remaining_burst_capacity())),
            Err(until) => {
                let wait = until.wait_time_from(self.limiter.clock().now());
                Err(Limited { standing: self.standing(0), wait })
            }
        }
    }

    /// What is left in the key's bucket; nothing is taken.
    pub fn look(&self, key: &K) -> Result<Standing, Limited> {
        let now = self.limiter.clock().now().duration_since(self.start);
        let missing = self.buckets.full_at(key).map_or(0, |full_at| full_at.as_u64().saturating_sub(now.as_u64()));
        let every = self.rate.every_ns();
        let taken = u32::try_from(missing.div_ceil(every)).unwrap_or(u32::MAX);
        let left = self.rate.burst().saturating_sub(taken);
        let standing = self.standing(left);
        if left > 0 {
            return Ok(standing);
        }
        let wait = missing.saturating_sub(u64::from(self.rate.burst() - 1) * every);
        Err(Limited { standing, wait: Duration::from_nanos(wait) })
    }

    /// Forgets full buckets. To be called from time to time.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }

    /// Buckets in memory.
    pub fn len(&self) -> usize {
        self.limiter.len()
    }

    pub fn is_empty(&self) -> bool {
        self.limiter.is_empty()
    }

    fn standing(&self, remaining: u32) -> Standing {
        let limit = self.rate.burst();
        let missing_ns = u64::from(limit - remaining.min(limit)) * self.rate.every_ns();
        Standing { limit, remaining, reset_s: missing_ns.div_ceil(1_000_000_000) }
    }
}

// === impl Limited ===

impl Limited {
    /// The refusal that says when to try again; `what` there were too many of.
    pub fn refusal(&self, what: &str) -> Refusal {
        let wait_ms = u32::try_from(self.wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1);
        let seconds = wait_ms.div_ceil(1_000);
        Refusal::new(Code::RateLimited, format!("too many {what}: nothing was done, try again in {seconds} s"))
            .after(wait_ms)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(rate: &str) -> (Limiter<u8, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        // Not at zero: what is kept is told from the start.
        clock.advance(Duration::from_secs(1_000));
        (Limiter::with_clock(rate.parse().unwrap(), 1_000, clock.clone()), clock)
    }

    #[test]
    fn a_burst_then_a_steady_refill() {
        let (limiter, clock) = limiter("3 then 1/2s");
        for remaining in [2, 1, 0] {
            let standing = limiter.take(&1).unwrap();
            assert_eq!(standing, Standing { limit: 3, remaining, reset_s: u64::from(3 - remaining) * 2 });
            assert_eq!(limiter.look(&1).unwrap_or_else(|l| l.standing), standing, "looking takes nothing");
        }
        for refused in [limiter.take(&1), limiter.look(&1), limiter.take(&1)] {
            let refused = refused.unwrap_err();
            assert_eq!((refused.standing.remaining, refused.wait), (0, Duration::from_secs(2)));
        }
        assert_eq!(limiter.take(&2).unwrap().remaining, 2, "another has a bucket of their own");
        clock.advance(Duration::from_millis(1_500));
        let refused = limiter.take(&1).unwrap_err();
        assert_eq!(refused.wait, Duration::from_millis(500));
        let refusal = refused.refusal("messages");
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(500)));
        clock.advance(Duration::from_millis(500));
        assert_eq!(limiter.take(&1).unwrap().remaining, 0, "a refused one has taken nothing");
        clock.advance(Duration::from_secs(60));
        assert_eq!(limiter.look(&1).unwrap(), Standing { limit: 3, remaining: 3, reset_s: 0 });
        limiter.tidy();
        assert!(limiter.is_empty(), "what is full is forgotten");
    }

    proptest::proptest! {
        /// Whatever the pauses between them: never more than the burst and what has refilled, and waiting as long as a
        /// refusal says is enough.
        #[test]
        fn never_more_than_burst_and_refill(burst in 1_u32..20, every_ms in 1_u64..5_000, pauses: Vec<u16>) {
            let (limiter, clock) = limiter(&format!("{burst} then 1/{every_ms}ms"));
            let (mut let_through, mut elapsed_ms) = (0_u64, 0_u64);
            for pause in pauses {
                clock.advance(Duration::from_millis(pause.into()));
                elapsed_ms += u64::from(pause);
                match limiter.take(&1) {
                    Ok(_) => let_through += 1,
                    Err(refused) => {
                        clock.advance(refused.wait);
                        elapsed_ms += u64::try_from(refused.wait.as_millis()).unwrap();
                        proptest::prop_assert!(limiter.take(&1).is_ok());
                        let_through += 1;
                    }
                }
                proptest::prop_assert!(let_through <= u64::from(burst) + elapsed_ms / every_ms);
            }
        }
    }
}
