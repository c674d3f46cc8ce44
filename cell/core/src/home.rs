//! A home lane: the conversations homed here whose slot falls to it.
//!
//! It takes requests in order, judges them against membership, numbers them, commits them in batches (one in flight),
//! answers after the commit, and publishes the change.

mod build;
mod conversation;
mod judge;
mod lane;
mod load;

pub use lane::{Effect, Event, HomeLane, Options};
pub use load::{Header, Load, Loaded, Wanted};
