//! Delivery to connections: who is connected here, who of them is a member, what each connection gets.
//!
//! A [`Worker`] owns the connections of its share of a cell's people. Changes reach it in the order of their lanes; it
//! encodes a frame once and shares the bytes. An [`Outbox`] is what one connection has not taken yet.

mod backlog;
mod conversation;
mod frames;
mod local;
mod outbox;
mod pending;
mod worker;

pub use backlog::{Backlog, Queued};
pub use local::{LocalConversation, LocalMember};
pub use outbox::{Outbox, Phase};
pub use pending::ReplyTo;
pub use worker::{ConnectionId, Effect, Event, Options, Sessions, Source, Worker};
