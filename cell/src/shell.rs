//! The shells of the core: tasks that carry its effects out. Data flows one way: socket, lane, storage, lane, fan-out.

mod connection;
mod fanout;
mod home;
mod hub;
mod mirror;
mod writer;

pub use connection::Connection;
pub use hub::{AnsweredBy, Hub, MirrorCommand, Running, WorkerCommand, now};
