//! What the audit found: listed with ids, bounded in memory, all counted.

use parking_lot::Mutex;
use serde::Serialize;

/// So many are kept in full.
const KEPT: usize = 1_000;

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// What kind of promise, in a word or two.
    pub kind: &'static str,
    /// Which ids, and what was seen.
    pub detail: String,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Violations {
    found: Mutex<(Vec<Violation>, u64)>,
}

impl Violations {
    /// Adds one.
    pub fn add(&self, kind: &'static str, detail: impl Into<String>) {
        let mut found = self.found.lock();
        found.1 += 1;
        if found.0.len() < KEPT {
            found.0.push(Violation { kind, detail: detail.into() });
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.found.lock().1
    }

    /// The first thousand.
    pub fn list(&self) -> Vec<Violation> {
        self.found.lock().0.clone()
    }
}
