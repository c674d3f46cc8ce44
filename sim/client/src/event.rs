//! What a client tells its user, as it happens.

use std::collections::VecDeque;

use skep_protocol::{ClientMessageId, Code, Conversation, ConversationId, LeftReason, Millis, Seq};

use crate::{frame::MessageRef, state::Kept};

/// Something that happened to one client. Told in order, from within the client: whoever takes it must be quick and
/// must not call back into the same client.
#[derive(Debug)]
pub enum Event<'a> {
    /// The connection stands: `welcome` came.
    Connected,
    /// A sync is done. `resync`: it was asked for on a standing connection.
    Synced { full: bool, resync: bool },
    /// Nothing is missing, for the first time since the connection was begun or broke.
    Whole { after_ms: u64 },
    /// A message that was not there before.
    Message { message: &'a MessageRef<'a>, source: Source },
    /// A message that was there already, given once more where the contract allows it.
    Replayed { conversation_id: ConversationId, seq: Seq },
    /// An own message has its place.
    Acknowledged { conversation_id: ConversationId, client_message_id: ClientMessageId, seq: Seq, sent_at: Millis },
    /// An own message is refused for good.
    Refused { conversation_id: ConversationId, client_message_id: ClientMessageId, code: Code },
    /// An own message's outcome is not known: answered `unavailable` or `internal`, or not answered.
    Unknown { client_message_id: ClientMessageId },
    /// An own message is sent once more under its id.
    Retried { client_message_id: ClientMessageId },
    /// A hole is being fetched.
    Fetching { conversation_id: ConversationId, from: Seq, to: Seq },
    /// A conversation is new here, or something about it changed.
    Listed { conversation: &'a Conversation },
    /// A conversation is no longer listed.
    Left { conversation_id: ConversationId, left_seq: Seq, reason: LeftReason },
    /// What was kept of a conversation is dropped, in part or whole: joined anew, or no longer listed.
    Forgot { conversation_id: ConversationId, kept: &'a Kept },
    /// The read mark moved.
    Read { conversation_id: ConversationId, read_seq: Seq },
    /// The server says that something was missed.
    Resync,
    /// The person's cell is another now.
    Moved,
    /// The server closes.
    Bye { code: u16 },
    /// The connection is gone or did not come about, and will be made again.
    Disconnected { reason: &'a str },
    /// The connection is gone and cannot be made again as things are: the token is refused, or a close code of 41xx.
    Ended { reason: Ended },
    /// Something that the contract excludes.
    Wrong(Wrong),
    /// The client's last frames, oldest first, after something was wrong, where they are remembered.
    Trace { lines: &'a VecDeque<String> },
}

/// How a message came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// In `messages`, as it happened.
    Push,
    /// An own one, placed by `sent`.
    Sent,
    /// An own one that was sent more than once, placed by `sent`.
    SentAgain,
    /// In a sync page.
    Sync,
    /// Fetched to fill a hole.
    History,
}

/// Why a client does not come back by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Unauthenticated,
    Closed(u16),
}

/// A broken promise of the contract.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Wrong {
    #[error("{conversation_id} {seq:?} was pushed though {after:?} was the last before it: a hole in the stream")]
    Hole { conversation_id: ConversationId, after: Seq, seq: Seq },
    #[error("{conversation_id} {seq:?} was pushed after {after:?} on the same connection: twice or out of order")]
    Again { conversation_id: ConversationId, after: Seq, seq: Seq },
    #[error("{conversation_id} {seq:?} was pushed before its conversation was")]
    Unlisted { conversation_id: ConversationId, seq: Seq },
    #[error("{conversation_id} {seq:?} was pushed though left at {left_seq:?}")]
    AfterLeft { conversation_id: ConversationId, left_seq: Seq, seq: Seq },
    #[error("{conversation_id}: history does not fill the hole from {from:?} to {to:?}")]
    Unfilled { conversation_id: ConversationId, from: Seq, to: Seq },
    #[error("a frame that is not as documented: {0}")]
    Frame(String),
    #[error("a checkpoint while a sync was under way")]
    Checkpoint,
}

/// Takes the events of many clients. `who` is the number that the client was made with.
pub trait Observer: Send + Sync {
    fn event(&self, who: usize, event: Event<'_>);
}
