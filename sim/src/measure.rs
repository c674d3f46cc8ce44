//! Counts and latencies, written by many threads at once.

use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;

/// Up to two minutes in microseconds; what takes longer counts as two minutes.
const MOST_US: u64 = 120_000_000;
const SHARDS: usize = 8;

/// A distribution of microseconds.
#[derive(Debug)]
pub struct Latency {
    shards: Vec<Mutex<Histogram<u32>>>,
}

/// A distribution in a report, in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Default for Latency {
    fn default() -> Self {
        let histogram = || Histogram::new_with_bounds(1, MOST_US, 3).expect("constant bounds that are allowed");
        Self { shards: (0..SHARDS).map(|_| Mutex::new(histogram())).collect() }
    }
}

impl Latency {
    /// Adds one, on behalf of somebody.
    pub fn record(&self, who: usize, us: u64) {
        self.shards[who % SHARDS].lock().saturating_record(us.clamp(1, MOST_US));
    }

    /// All so far.
    pub fn summary(&self) -> Summary {
        self.fold(|shard| shard.clone())
    }

    /// All since the last time this was asked.
    pub fn take(&self) -> Summary {
        self.fold(|shard| {
            let taken = shard.clone();
            shard.reset();
            taken
        })
    }

    fn fold(&self, each: impl Fn(&mut Histogram<u32>) -> Histogram<u32>) -> Summary {
        let mut all = each(&mut self.shards[0].lock());
        for shard in &self.shards[1..] {
            all.add(each(&mut shard.lock())).expect("all have the same bounds");
        }
        let at = |q: f64| all.value_at_quantile(q) as f64 / 1_000.0;
        if all.is_empty() {
            return Summary::default();
        }
        Summary {
            count: all.len(),
            mean_ms: (all.mean() / 10.0).round() / 100.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: all.max() as f64 / 1_000.0,
        }
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened, and how often.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: Counter,)* }

        /// The counts of a report.
        #[derive(Clone, Debug, Default, Serialize)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            /// As they are now.
            pub fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }
        }

        impl Counts {
            /// What was added since an earlier moment.
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name - earlier.$name,)* }
            }
        }
    };
}

counters! {
    /// Messages given to a client to send.
    sent,
    /// Messages that were answered with their seq.
    acknowledged,
    /// Messages that were refused for good.
    refused,
    /// Messages sent later than intended because too many were unanswered.
    delayed,
    /// Messages sent over a millisecond later than intended because the load generator itself was late.
    late,
    /// Messages that went by HTTP.
    by_http,
    /// Messages that came as they happened.
    pushed,
    /// Messages that came in sync pages.
    synced,
    /// Messages that came by history, to fill a hole.
    fetched,
    /// Messages given once more where the contract allows it.
    replays,
    /// Requests of history to fill a hole.
    gap_fetches,
    /// Messages sent once more under their id.
    retries,
    /// Messages whose outcome was not known for a while: answered `unavailable` or `internal`, or not at all.
    unknown_outcomes,
    /// The same, because somebody went away by plan before the answer.
    unknown_by_plan,
    /// Times a server said `resync`.
    resyncs,
    /// Connections that ended without being asked to.
    disconnects,
    /// Connections that stood again after that.
    reconnects,
    /// Times a server said `moved`.
    moved,
    /// Times a server said `bye`.
    byes,
    /// Syncs that began from nothing though there was a token.
    full_resumes,
    /// People who went away by plan.
    departures,
    /// Joins, additions, leaves and removals that were answered.
    member_changes,
    /// Such changes whose outcome is not known.
    member_changes_unknown,
    /// Read marks sent.
    reads,
    /// New titles.
    renames,
}

/// One count.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
