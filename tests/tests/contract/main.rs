//! The public contract, call by call and frame by frame, over two cells.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod any_input;
mod bad_input;
mod blocks;
mod conversations;
mod documents;
mod doors;
mod history;
mod images;
mod inside;
mod limits;
mod members;
mod messages;
mod plans;
mod roles;
mod search;
mod sessions;
mod sign_up;
mod sync;
mod tls;
