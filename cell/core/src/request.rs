//! What can be asked of a lane, and its answers.

use std::sync::Arc;

use skep_protocol::{
    CellId, ClientMessageId, Code, ConversationId, Message, Refusal, RequestId, Role, Seq, UserId,
    answers::NotAddedCode,
};

/// Something asked of the lane of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Chosen by the asking cell; the same for every retry of a member operation.
    pub request_id: RequestId,
    pub origin: Origin,
    pub conversation_id: ConversationId,
    /// Who asks: known from the session, by the actor's own cell.
    pub actor: UserId,
    pub op: Op,
}

/// Where the answer goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// Somebody in this cell.
    Local,
    /// A peer, on this stream. Its answer goes down that stream or nowhere: what is asked again on a newer stream is
    /// judged again, and only the answer to that counts.
    Peer(CellId, StreamId),
}

/// A peer's stream, unique in a process's life.
pub type StreamId = u64;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    Send {
        client_message_id: ClientMessageId,
        text: Arc<str>,
    },
    /// Makes a group or a channel. The people were found to exist; the creator is not among them.
    Create {
        title: Option<Arc<str>>,
        topic: Option<Arc<str>>,
        users: Vec<UserId>,
        /// Those who were named and cannot be in it, as the creator's cell found: kept with what was made.
        not_added: Vec<NotAdded>,
        /// A channel's join code.
        code: Option<Arc<str>>,
    },
    /// Opens the direct conversation with somebody.
    Open {
        peer: UserId,
    },
    Add {
        users: Vec<UserId>,
        /// Those who were named and cannot be added, as the asker's cell found: who is a member already counts as added.
        not_added: Vec<NotAdded>,
    },
    /// Joins a channel by its link.
    Join {
        code: Arc<str>,
    },
    Leave,
    Remove {
        user: UserId,
    },
    SetRole {
        user: UserId,
        role: Role,
    },
    Edit {
        title: Option<TextChange>,
        topic: Option<TextChange>,
    },
    RenewLink {
        code: Arc<str>,
    },
    /// Says of the other of a direct conversation whether they are blocked. No conversation is made for it.
    Block {
        peer: UserId,
        block: Block,
    },
    /// Moves one's read mark forward. Asked of the lane that holds one's membership row.
    Read {
        seq: Seq,
    },
    /// Hides a direct conversation on one's own devices until its next message. Asked like `Read`.
    Hide,
    /// Shows it again. Asked like `Read`.
    Unhide,
}

/// Whether one person blocks another. Of two, the one with the higher version stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    pub version: u64,
    pub blocked: Blocked,
}

/// Whether somebody is blocked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocked {
    Yes,
    No,
}

/// A new text, or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextChange(pub Option<Arc<str>>);

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The message as it stands. In words only for repeats: else the change itself is the answer.
    Sent(Message),
    Members(MembersDone),
    /// What stands now: what was asked, or what is newer.
    Block(Block),
    Read {
        read_seq: Seq,
        unread: u64,
    },
    Refused(Refusal),
}

/// What came of a member operation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MembersDone {
    /// Whether the conversation was made by it.
    pub created: bool,
    pub added: Vec<UserId>,
    pub not_added: Vec<NotAdded>,
    /// The join code, where it is about a channel's link or making.
    pub code: Option<Arc<str>>,
}

/// Somebody who could not be added, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAdded {
    pub user_id: UserId,
    pub code: NotAddedCode,
}

// === impl Request ===

impl Request {
    /// About what it takes in a queue.
    pub fn bytes(&self) -> usize {
        128 + match &self.op {
            Op::Send { text, .. } => text.len(),
            Op::Create { users, not_added, .. } | Op::Add { users, not_added } => 16 * (users.len() + not_added.len()),
            _ => 0,
        }
    }
}

// === impl Op ===

impl Op {
    /// Whether it only concerns the actor's own row, which lives in the actor's cell.
    pub fn is_own_mark(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Hide | Self::Unhide)
    }
}

// === impl Block ===

impl Block {
    /// The version of the first word that one person says of another.
    pub const FIRST: u64 = 1;
}

// === impl Answer ===

impl Answer {
    /// To who never was a member it is as if nothing were there.
    pub fn no_such_conversation() -> Self {
        Self::refused(Code::NotFound, "there is no such conversation")
    }

    /// To who was a member once.
    pub fn no_longer_a_member() -> Self {
        Self::refused(Code::NotAllowed, "you are no longer a member of this conversation")
    }

    /// A refusal with a sentence.
    pub fn refused(code: Code, detail: &str) -> Self {
        Self::Refused(Refusal::new(code, detail))
    }
}
