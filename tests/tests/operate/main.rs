//! What operators do with the `skep` program, as people feel it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod import;
mod tls;
mod tool;
mod verbs;

/// The program under test.
const SKEP: &str = env!("CARGO_BIN_EXE_skep-tested");
