//! Listeners and connectors against one another, with certificates made here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod following;
mod inside;
mod lines;
mod public;
