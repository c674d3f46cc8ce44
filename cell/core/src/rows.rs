//! Rows that people see, and the changes of them that travel from a home to mirrors and to connections.

use std::sync::Arc;

use skep_protocol::{CellId, ConversationId, Era, Kind, Lane, LeftReason, Message, Millis, Pos, Role, Seq, UserId};

/// What all members share of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConversationRow {
    pub conversation_id: ConversationId,
    /// The home's position of its last change: a row with a higher one is newer.
    pub pos: Pos,
    /// The home's position of the last change that lists show (title, topic, heroes, small member counts).
    pub shown_pos: Pos,
    pub title: Option<Arc<str>>,
    pub topic: Option<Arc<str>>,
    pub created_at: Millis,
    pub created_by: Option<UserId>,
    /// Current members.
    pub member_count: u32,
    /// The longest-standing current members, at most [`skep_protocol::limits::SENIORS`].
    pub seniors: Vec<UserId>,
    /// A channel's join code.
    pub code: Option<Arc<str>>,
}

/// A person's place in a conversation, as its home decides it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberRow {
    pub user_id: UserId,
    /// The home's position of its last change.
    pub pos: Pos,
    pub role: Role,
    /// The head when they joined (last).
    pub joined_seq: Seq,
    /// The head when they left; `None` while a member.
    pub left_seq: Option<Seq>,
    pub left_reason: Option<LeftReason>,
    pub joined_at: Millis,
}

/// What a home batch changed, in the order of its lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub lane: Lane,
    pub era: Era,
    /// Where the lane stood before; equals `through` of the change before.
    pub after: Pos,
    pub through: Pos,
    pub conversations: Vec<ConversationChange>,
}

/// What a batch changed of one conversation. Rows come before messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConversationChange {
    pub conversation_id: ConversationId,
    pub row: Option<ConversationRow>,
    pub members: Vec<MemberRow>,
    /// In the order of seq.
    pub messages: Vec<Message>,
    /// The cells that host a member before, during or after the batch (known at the home only; empty in a mirror).
    pub cells: Arc<[CellId]>,
}

/// Which messages of a conversation a person may see: one function for live, sync and history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visibility {
    kind: Kind,
    joined_seq: Seq,
    left_seq: Option<Seq>,
}

// === impl ConversationChange ===

impl ConversationChange {
    /// Nothing yet.
    pub fn new(conversation_id: ConversationId) -> Self {
        Self { conversation_id, row: None, members: Vec::new(), messages: Vec::new(), cells: Arc::from([]) }
    }

    /// About what it takes in memory and on the wire.
    pub fn bytes(&self) -> usize {
        let texts: usize = self.messages.iter().map(|m| m.text.len() + 96).sum();
        64 + texts + self.members.len() * 64 + if self.row.is_some() { 512 } else { 0 }
    }
}

// === impl Change ===

impl Change {
    /// About what it takes in memory and on the wire.
    pub fn bytes(&self) -> usize {
        64 + self.conversations.iter().map(ConversationChange::bytes).sum::<usize>()
    }
}

// === impl MemberRow ===

impl MemberRow {
    /// Whether they are a member now.
    pub fn is_current(&self) -> bool {
        self.left_seq.is_none()
    }
}

// === impl Visibility ===

impl Visibility {
    /// Of a person whose place is this.
    pub fn of(kind: Kind, joined_seq: Seq, left_seq: Option<Seq>) -> Self {
        Self { kind, joined_seq, left_seq }
    }

    /// The lowest seq they may read.
    pub fn first(&self) -> Seq {
        match self.kind {
            Kind::Group => self.joined_seq.next(),
            Kind::Direct | Kind::Channel => Seq(1),
        }
    }

    /// The highest seq they may read of a conversation that stands at `head`.
    pub fn last(&self, head: Seq) -> Seq {
        self.left_seq.map_or(head, |left| left.min(head))
    }

    /// Whether they may read this message.
    pub fn sees(&self, seq: Seq) -> bool {
        seq >= self.first() && self.left_seq.is_none_or(|left| seq <= left)
    }
}
