//! What a home lane asks its shard for before it can judge a request.

use skep_protocol::{ConversationId, Millis, RequestId, Seq, Slot, UserId};

use crate::{Block, ConversationRow, MemberRow, MembersDone};

/// A question about one conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Load {
    pub conversation_id: ConversationId,
    /// Whether the conversation itself is asked for, or only people's rows in it.
    pub header: Wanted,
    /// The people whose rows are needed.
    pub users: Vec<UserId>,
    /// Member operations that may have been carried out before.
    pub requests: Vec<RequestId>,
}

/// Whether a part of an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    Yes,
    No,
}

/// The answer, as committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    pub conversation_id: ConversationId,
    /// `None` when it was not asked for, or nothing is there.
    pub header: Option<Header>,
    /// With the header of a direct conversation, also where nothing is there: who of the two has said what of the other.
    pub blocks: Vec<(UserId, Block)>,
    /// For each person asked for.
    pub members: Vec<(UserId, Option<MemberRow>)>,
    /// The outcomes of those requests that were carried out.
    pub outcomes: Vec<(RequestId, MembersDone)>,
}

/// A conversation as its lane keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    pub row: ConversationRow,
    pub head: Seq,
    /// `sent_at` of the newest message.
    pub last_sent_at: Millis,
    /// Current admins.
    pub admins: u32,
    /// Current members per slot.
    pub slots: Vec<(Slot, u32)>,
}
