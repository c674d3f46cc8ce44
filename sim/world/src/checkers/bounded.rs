//! I8: everything is bounded.

use skep_core::fanout::Outbox;
use skep_core::home::HomeLane;
use skep_core::peers::Ring;
use skep_protocol::limits;

use super::{Found, Violation};

/// A backlog, what a sync holds back, and one page.
pub fn outbox_is_bounded(outbox: &Outbox, limit: usize, largest_page: usize) -> Found {
    // Any of them may be passed by one frame, which is at most a page.
    let most = 3 * limit + 2 * largest_page + 100_000;
    if outbox.bytes() <= most {
        return Ok(());
    }
    Err(Violation::of("I8", format!("an outbox holds {} bytes, at most {most} were expected", outbox.bytes())))
}

/// A lane's queue.
pub fn queues_are_bounded(lane: &HomeLane) -> Found {
    if lane.queued() <= limits::LANE_QUEUE_REQUESTS {
        return Ok(());
    }
    Err(Violation::of("I8", format!("{} requests are queued", lane.queued())))
}

/// A ring: its limit, or one change that alone is larger.
pub fn ring_is_bounded(ring: &Ring, limit: usize) -> Found {
    if ring.bytes() <= limit || ring.len() <= 1 {
        return Ok(());
    }
    Err(Violation::of("I8", format!("a ring of {limit} bytes holds {}", ring.bytes())))
}
