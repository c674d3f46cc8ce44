//! What the cells do, for the table: read from their metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::up::{board::Board, logs, parts::PartId, plan::Plan, probe};

const EVERY: Duration = Duration::from_secs(2);

/// The newest reading of each cell.
#[derive(Clone, Default)]
pub(crate) struct Rates(Arc<Mutex<BTreeMap<u32, Reading>>>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub connections: f64,
    pub messages_per_s: f64,
    pub deliveries_per_s: f64,
}

impl Rates {
    pub fn of(&self, cell: u32) -> Option<Reading> {
        self.0.lock().get(&cell).copied()
    }
}

/// Reads from now on until everything stops. Bounds the logs on the way.
pub(crate) fn watch(plan: &Arc<Plan>, board: &Arc<Board>) -> Rates {
    let rates = Rates::default();
    let (plan, board, readings) = (Arc::clone(plan), Arc::clone(board), Arc::clone(&rates.0));
    std::thread::spawn(move || {
        let mut before: BTreeMap<u32, (Instant, Counts)> = BTreeMap::new();
        while !board.is_stopping() {
            logs::bound(&plan.folder.logs());
            for cell in plan.cells() {
                let port = plan.admin_port(PartId::Cell(cell)).unwrap_or_default();
                let Some(counts) = probe::metrics(port).map(|text| Counts::read(&text)) else {
                    readings.lock().remove(&cell);
                    before.remove(&cell);
                    continue;
                };
                let now = Instant::now();
                if let Some((then, old)) = before.insert(cell, (now, counts)) {
                    readings.lock().insert(cell, counts.since(old, now - then));
                }
            }
            // Detached, and harmless while the rest stops.
            std::thread::sleep(EVERY);
        }
    });
    rates
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    connections: f64,
    messages: f64,
    deliveries: f64,
}

impl Counts {
    fn read(text: &str) -> Self {
        Self {
            connections: sum(text, "skep_connections"),
            messages: sum(text, "skep_messages_committed_total"),
            deliveries: sum(text, "skep_deliveries_total"),
        }
    }

    /// Counters begin at nothing when a cell is started again.
    fn since(self, old: Self, time: Duration) -> Reading {
        let rate = |new: f64, old: f64| (new - old).max(0.0) / time.as_secs_f64().max(0.001);
        Reading {
            connections: self.connections,
            messages_per_s: rate(self.messages, old.messages),
            deliveries_per_s: rate(self.deliveries, old.deliveries),
        }
    }
}

/// A metric, summed over its labels.
fn sum(text: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    };
    text.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels_and_names_are_whole() {
        let text = "# TYPE a counter\na{lane=\"0\"} 2\na{lane=\"1\"} 3\na_total 9\n";
        assert_eq!(sum(text, "a"), 5.0);
        assert_eq!(sum(text, "a_total"), 9.0);
        assert_eq!(sum(text, "b"), 0.0);
    }
}
