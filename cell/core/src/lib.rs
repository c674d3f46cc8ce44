//! The decisions of a cell, without any I/O: plain state machines from event to effects.
//!
//! No tokio, no clock, no randomness, no locks: time and ids are handed in, effects are carried out by the shells in
//! `skep-cell`, or by a simulated world. This is the only place where order, membership and durability are decided.
//!
//! - [`home`]: a home lane: queue, order, batch, idempotency, answer, publishing.
//! - [`mirror`]: what comes from other homes: order by cursor, plain append in merged batches, barriers.
//! - [`peers`]: what a home keeps for its subscribers, and what a cell remembers of what it forwarded.
//! - [`fanout`]: who is connected, who is a member, what each connection gets.
//! - [`sync`]: what a returning connection gets, and its token.

mod batch;
mod generations;
mod request;
mod rows;

pub mod fanout;
pub mod home;
pub mod mirror;
pub mod peers;
pub mod sync;

pub use batch::{Batch, Clamp, Commit, Cursor, Mark, MarkKind, MarkResult, MarkedRow, Membership, Moved, NoPlace};
pub use generations::Generations;
pub use request::{Answer, Block, Blocked, MembersDone, NotAdded, Op, Origin, Request, StreamId, TextChange};
pub use rows::{Change, ConversationChange, ConversationRow, MemberRow, Visibility};
