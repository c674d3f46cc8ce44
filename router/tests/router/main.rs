//! A router between real connections: clients on one side, stand-ins for cells and the directory on the other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod cells;
mod client;
mod directory;
mod failures;
mod floods;
mod passing;
mod routing;
mod world;
