//! A conversation as the cell of some of its members knows it.

use skep_protocol::{Conversation, ConversationId, Era, Kind, LeftReason, Pos, Role, Seq, UserId, limits};

use crate::{ConversationRow, Visibility};

/// A conversation with the people of this cell in it, as stored in this shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalConversation {
    pub row: ConversationRow,
    /// With the row's position: its version.
    pub home_era: Era,
    /// The newest stored seq.
    pub head: Seq,
    pub members: Vec<LocalMember>,
}

/// A person of this cell in a conversation: the membership row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalMember {
    pub user_id: UserId,
    pub role: Role,
    pub joined_seq: Seq,
    pub left_seq: Option<Seq>,
    pub left_reason: Option<LeftReason>,
    pub read_seq: Seq,
    pub hidden_seq: Option<Seq>,
    /// The home's era and position of the row: its version.
    pub home_era: Era,
    pub home_pos: Pos,
}

// === impl LocalMember ===

impl LocalMember {
    /// What they may see.
    pub fn visibility(&self, kind: Kind) -> Visibility {
        Visibility::of(kind, self.joined_seq, self.left_seq)
    }

    /// The head as shown to them, when `stored` is the newest stored seq.
    pub fn shown_head(&self, kind: Kind, stored: Seq) -> Seq {
        self.visibility(kind).last(stored).max(self.joined_seq).max(self.read_seq)
    }

    /// Whether it is hidden at this head.
    pub fn is_hidden(&self, head: Seq) -> bool {
        self.hidden_seq.is_some_and(|hidden| head <= hidden)
    }

    /// The conversation as they see it.
    pub fn view(&self, row: &ConversationRow, stored_head: Seq) -> Conversation {
        let kind = row.conversation_id.kind();
        let head_seq = self.shown_head(kind, stored_head);
        let others = row.seniors.iter().copied().filter(|u| *u != self.user_id);
        let untitled_group = kind == Kind::Group && row.title.is_none();
        Conversation {
            conversation_id: row.conversation_id,
            kind,
            title: row.title.as_deref().map(str::to_owned),
            topic: row.topic.as_deref().map(str::to_owned),
            created_at: row.created_at,
            created_by: row.created_by,
            member_count: row.member_count,
            head_seq,
            role: self.role,
            first_seq: self.visibility(kind).first(),
            read_seq: self.read_seq,
            unread: head_seq.0 - self.read_seq.0,
            peer_id: if kind == Kind::Direct { others.clone().next() } else { None },
            heroes: if untitled_group { others.take(limits::HEROES).collect() } else { Vec::new() },
        }
    }
}

impl LocalConversation {
    /// Its id.
    pub fn conversation_id(&self) -> ConversationId {
        self.row.conversation_id
    }
}
