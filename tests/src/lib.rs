//! Whole deployments for tests: one line gives a directory, cells, and people who talk to them over the public contract.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod deployment;
mod door;
mod hive;
mod http;
mod person;
mod proxy;
mod socket;

pub use deployment::{CellParts, Deployment, PAGE, SECRET, eventually, inside};
pub use door::Door;
pub use hive::{Hive, signal};
pub use http::Reply;
pub use person::{PASSWORD, Person};
pub use proxy::Proxy;
pub use skep_authority::Authority;
pub use socket::{Received, Socket, masked};
