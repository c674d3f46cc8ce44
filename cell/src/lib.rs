//! A cell: the sockets, conversations and accounts of its share of all slots, over a PostgreSQL and a Redis of its own.
//!
//! Data flows one way: socket, core, storage, core, fan-out. What is decided is decided in `skep-core`; this crate
//! carries it out.

pub mod accounts;
mod admin;
mod cache;
mod clock;
mod config;
mod context;
mod history;
mod http;
mod images;
mod metrics;
mod operator;
mod peer;
mod rates;
mod relay;
mod run;
mod search;
mod shell;
mod socket;
pub mod storage;
mod trace;

pub use accounts::{check_new_password, hash_password};
pub use config::{Config, Secret};
pub use images::IMAGE_THREAD;
pub use run::{restored, run};
