//! The newest changes of a lane, kept for peers. One bounded ring serves them all: a slow peer costs no memory.

use std::collections::VecDeque;
use std::sync::Arc;

use skep_protocol::Pos;

use crate::Change;

/// The newest changes of one lane, in order and without holes.
#[derive(Debug)]
pub struct Ring {
    changes: VecDeque<Arc<Change>>,
    bytes: usize,
    limit: usize,
    head: Pos,
}

impl Ring {
    /// An empty ring of a lane that stands at `head`. `limit` in bytes.
    pub fn new(head: Pos, limit: usize) -> Self {
        Self { changes: VecDeque::new(), bytes: 0, limit, head }
    }

    /// Puts the next change in, and drops the oldest ones past the limit.
    pub fn push(&mut self, change: Arc<Change>) {
        assert!(change.after == self.head, "changes are published in the order of their lane, none left out");
        self.head = change.through;
        self.bytes += change.bytes();
        self.changes.push_back(change);
        while self.bytes > self.limit && self.changes.len() > 1 {
            let oldest = self.changes.pop_front().expect("more than one");
            self.bytes -= oldest.bytes();
        }
    }

    /// Where the lane stands.
    pub fn head(&self) -> Pos {
        self.head
    }

    /// About what it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes after a position; `None` when the ring no longer reaches back to it.
    pub fn after(&self, pos: Pos) -> Option<impl Iterator<Item = &Arc<Change>>> {
        let first = self.changes.front().map_or(self.head, |c| c.after);
        if pos < first || pos > self.head {
            return None;
        }
        let skip = self.changes.partition_point(|c| c.through <= pos);
        Some(self.changes.iter().skip(skip))
    }
}
