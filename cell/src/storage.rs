//! The shard: a cell's PostgreSQL. Carries out what the core decides, and answers what it asks.
//!
//! - [`Shard::open`] waits for the lease on the shard, takes it, and brings the tables up to date.
//! - [`Shard::lane_writer`]: one per lane, commits its batches, one in flight.
//! - The reads of [`Shard`] go over pools whose waits are all bounded: one for lanes, one for everybody else.
//! - [`Shard::begin`]: a transaction of what is no lane's batch (accounts, sessions), behind a check of the lease.

mod connect;
mod decode;
mod eras;
mod error;
mod lease;
mod opening;
mod reads;
mod restored;
mod schema;
mod shard;
mod upkeep;
mod writer;

pub use eras::{EraStart, mark_restored};
pub use error::StorageError;
pub use lease::{Lease, LeaseState};
pub use opening::Opening;
pub use reads::{Activity, Edge, ListedConversation, Place, ReplayedMessages, ReplayedRows};
pub use restored::{SetAside, Standing};
pub use shard::{Connection, Shard, Transaction};
pub use writer::{Fenced, LaneWriter};
