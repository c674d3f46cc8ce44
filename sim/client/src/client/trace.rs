//! The last frames of a connection, for finding out how something came about that must not be.

use std::collections::VecDeque;

/// Bytes shown of a frame ...
const SHOWN: usize = 500;
/// ... and of a sync page, where it matters which conversations it lists.
const SHOWN_OF_SYNC: usize = 64 * 1024;

/// Which way a frame went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    In,
    Out,
}

/// Remembers so many frames; none unless asked for, since every frame costs a copy.
#[derive(Debug, Default)]
pub(super) struct Trace {
    limit: usize,
    lines: VecDeque<String>,
}

impl Trace {
    pub fn new(limit: usize) -> Self {
        Self { limit, lines: VecDeque::new() }
    }

    pub fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Adds a frame, and lets go of the oldest.
    pub fn add(&mut self, now_ms: u64, way: Way, frame: &[u8]) {
        if self.limit == 0 {
            return;
        }
        if self.lines.len() == self.limit {
            self.lines.pop_front();
        }
        let arrow = if way == Way::In { '<' } else { '>' };
        let limit = if frame.starts_with(br#"{"type":"sync""#) { SHOWN_OF_SYNC } else { SHOWN };
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(limit)]);
        self.lines.push_back(format!("{now_ms} ms {arrow} {shown}"));
    }

    /// Oldest first.
    pub fn lines(&self) -> &VecDeque<String> {
        &self.lines
    }
}
