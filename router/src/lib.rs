//! The router: the public HTTP door. It finds the slot that a call is about in the token, the path or the body, looks
//! up its owner in the map, and proxies the call to that cell. It bounds what clients may take: connections, headers,
//! bodies, time, calls and how often. No business logic and no database; a router that dies is replaced by any other.

mod admin;
mod answer;
mod body;
mod calls;
mod config;
mod connections;
mod door;
mod entrance;
mod forward;
mod headers;
mod limits;
mod metrics;
mod multipart;
mod options;
mod own;
mod owner;
mod policy;
mod run;
mod stream;
mod web;

pub use config::Config;
pub use limits::{Patience, Room};
pub use options::Options;
pub use run::{Ports, run, serve};
