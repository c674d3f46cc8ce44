//! Real processes that are killed, frozen and started again, under a load whose every message is audited.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache;
mod deaths;
mod load;
mod restore;
mod standby;

/// The program under test.
const SKEP: &str = env!("CARGO_BIN_EXE_skep-tested");
