//! Private PostgreSQL and Redis servers, as children of this process: under a folder of their own, on Unix sockets
//! only, nothing else on the machine touched. And ports held for servers of other kinds.

mod binaries;
mod folder;
mod leftover;
mod ports;
mod postgres;
mod process;
mod redis;

pub use leftover::{end as end_leftover, remember};
pub use ports::HeldPort;
pub use postgres::{Durability, Postgres};
pub use process::Child;
pub use redis::Redis;
