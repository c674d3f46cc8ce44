//! Private PostgreSQL and Redis servers, as children of this process: under a folder of their own, on Unix sockets
//! only, nothing else on the machine touched.

mod binaries;
mod folder;
mod leftover;
mod postgres;
mod process;
mod redis;

pub use leftover::{end as end_leftover, remember};
pub use postgres::{Durability, Postgres};
pub use process::Child;
pub use redis::Redis;
