//! What a lane hands to its storage: one batch, one transaction, one position.

use std::collections::BTreeSet;
use std::sync::Arc;

use skep_protocol::{CellId, ConversationId, Era, Lane, LeftReason, Message, Pos, RequestId, Role, Seq, UserId};

use crate::{Answer, Block, Change, ConversationRow, MemberRow, MembersDone};

/// All that one commit of a lane writes.
///
/// Home lanes: messages are inserted (a clash is an error), rows written as they are. Mirror lane: messages that are
/// there already are passed over; a row is taken only when its (era, pos at home) is higher than the stored one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    pub lane: Lane,
    pub pos: Pos,
    pub messages: Vec<Message>,
    /// With the era of their home.
    pub conversations: Vec<(Era, ConversationRow)>,
    /// The home's own list of members. Empty in the mirror lane.
    pub members: Vec<(ConversationId, MemberRow)>,
    /// The rows of people who live in this cell.
    pub memberships: Vec<Membership>,
    /// Written after everything else of the batch.
    pub marks: Vec<Mark>,
    /// Who blocks the other of a direct conversation, or no longer does.
    pub blocks: Vec<(ConversationId, UserId, Block)>,
    /// Member operations that changed something, with their outcome.
    pub outcomes: Vec<(RequestId, Arc<MembersDone>)>,
    /// Mirror lane only: how far the peers' lanes have been taken with this batch.
    pub cursors: Vec<Cursor>,
}

/// A person's place in a conversation, in the person's cell. Columns of the person's own (read and hidden marks) are
/// not touched, but `read_seq` is raised to `joined_seq`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    pub user_id: UserId,
    pub conversation_id: ConversationId,
    pub role: Role,
    pub joined_seq: Seq,
    pub left_seq: Option<Seq>,
    pub left_reason: Option<LeftReason>,
    /// The version: the home's era and position.
    pub home_era: Era,
    pub home_pos: Pos,
}

/// A change of a person's own marks. A batch may hold several of one row, in order: a shard writes the row once (the
/// highest read mark, the last word on hiding), and all of them are answered with the row as it then stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    pub user_id: UserId,
    pub conversation_id: ConversationId,
    pub kind: MarkKind,
    /// The asking request, whose answer waits for the stored result; `None` for the mark of an own message.
    pub request: Option<RequestId>,
}

/// What a mark does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkKind {
    /// Moves the read mark forward to `seq`, never back.
    Read { seq: Seq, clamp: Clamp },
    /// Sets `hidden_seq` to `seq`, or to the head as stored with this batch's messages where that is lower.
    Hide { seq: Seq },
    /// Clears `hidden_seq`.
    Unhide,
}

/// What bounds a read mark from above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clamp {
    /// Nothing more: the lane knows the head and has seen to it.
    Done,
    /// The head as stored in this shard, with this batch's messages.
    StoredHead,
}

/// A mark as it stands after the batch, for marks with a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarkResult {
    pub request: RequestId,
    pub user_id: UserId,
    pub conversation_id: ConversationId,
    /// The membership row's marks, or why there is no current row.
    pub row: Result<MarkedRow, NoPlace>,
}

/// Why somebody has no marks in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPlace {
    /// They are a member no longer.
    Left,
    /// They never were one: to them there is no such conversation.
    Never,
}

/// The marks of a membership row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarkedRow {
    pub read_seq: Seq,
    pub head: Seq,
    pub hidden_seq: Option<Seq>,
    /// Whether this batch changed it.
    pub moved: Moved,
}

/// Whether something changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    Yes,
    No,
    /// It is hidden now. Lanes say so; a shard says `Yes`.
    Hidden,
    /// It was hidden and is no longer. Lanes say so; a shard says `Yes`.
    Shown,
}

/// How far a peer's lane has been taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    pub peer: CellId,
    pub lane: Lane,
    pub era: Era,
    pub pos: Pos,
    /// The newest version of a row that was taken. A replay sends rows first: they may be beyond the position.
    pub rows: (Era, Pos),
}

/// What came of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Commit {
    /// Durable.
    Done(Vec<MarkResult>),
    /// Nothing was committed: a client_message_id is there already. Its rows are to be looked up.
    Duplicate,
    /// Nothing was committed, and the same again may succeed (serialisation, lock, timeout, resources, no connection).
    Again,
    /// Nothing was committed, and the same again would fail too.
    Rejected(String),
    /// The connection was lost after the first byte: there or not, nobody knows yet.
    Unknown,
    /// A newer writer has the lane, or the lease is another's; or memory and shard differ.
    Fenced(String),
}

// === impl MarkResult ===

impl MarkResult {
    /// What whoever asked is told.
    pub fn answer(&self) -> Answer {
        match self.row {
            Ok(row) => Answer::Read { read_seq: row.read_seq, unread: row.head.0.saturating_sub(row.read_seq.0) },
            Err(NoPlace::Left) => Answer::no_longer_a_member(),
            Err(NoPlace::Never) => Answer::no_such_conversation(),
        }
    }
}

// === impl Cursor ===

impl Cursor {
    /// Of a peer's lane of which nothing has been taken.
    pub fn start(peer: CellId, lane: Lane, era: Era) -> Self {
        Self { peer, lane, era, pos: Pos::ZERO, rows: (Era::default(), Pos::ZERO) }
    }

    /// The same, past a change. Rows alone do not move it, and while not all of a new era's rows have come it stays in
    /// the era before: all of them are still wanted.
    pub fn past(mut self, change: &Change) -> Self {
        if change.through > change.after {
            (self.era, self.pos) = (change.era, change.through);
        }
        for c in &change.conversations {
            let newest = c.members.iter().map(|m| m.pos).chain(c.row.as_ref().map(|row| row.pos)).max();
            self.rows = self.rows.max((change.era, newest.unwrap_or_default()));
        }
        self
    }
}

// === impl Batch ===

impl Batch {
    /// The results of its marks as fan-out wants them: it must know which conversations are shown again. Of marks that
    /// had to be asked `again` because their first results were lost it is not known whether they changed something:
    /// they count as if they had.
    pub(crate) fn results(&self, mut results: Vec<MarkResult>, again: &mut BTreeSet<RequestId>) -> Vec<MarkResult> {
        for result in &mut results {
            let was_lost = again.remove(&result.request);
            let Ok(row) = &mut result.row else { continue };
            if was_lost && row.moved == Moved::No {
                row.moved = Moved::Yes;
            }
            if row.moved == Moved::No {
                continue;
            }
            // Another mark of the same batch may have done the opposite after it.
            let kind = self.marks.iter().find(|m| m.request == Some(result.request)).map(|m| m.kind);
            match (kind, row.hidden_seq) {
                (Some(MarkKind::Unhide), None) => row.moved = Moved::Shown,
                (Some(MarkKind::Hide { .. }), Some(_)) => row.moved = Moved::Hidden,
                _ => {}
            }
        }
        results
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.conversations.is_empty()
            && self.members.is_empty()
            && self.memberships.is_empty()
            && self.marks.is_empty()
            && self.blocks.is_empty()
            && self.cursors.is_empty()
    }
}
