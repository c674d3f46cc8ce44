//! The shard over a real PostgreSQL, one scratch server a test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod append;
mod blocks;
mod claims;
mod eras;
mod fixture;
mod lease;
mod loads;
mod marks;
mod mirror;
mod outcome;
mod proxy;
mod replay;
mod sessions;
mod snapshot;
