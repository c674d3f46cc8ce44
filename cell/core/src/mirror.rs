//! The mirror lane: durable copies of conversations homed elsewhere, for the members who live here.
//!
//! A plain append: what arrives in the order of a peer's lane is pushed to connections at once (it is durable at its
//! home) and written in merged batches, cursors in the same transaction. Nobody waits for it but barriers.

mod lane;
mod queue;

pub use lane::{BarrierId, Effect, Event, MirrorLane, Options};
