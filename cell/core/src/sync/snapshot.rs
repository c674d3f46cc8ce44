//! What a shard answers to "what is new for this person since that token".

use skep_protocol::{Lane, LeftConversation, Pos, Seq};

use super::Token;
use crate::{ConversationRow, fanout::LocalMember};

/// A place in the order of the cell's own lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    pub lane: Lane,
    pub pos: Pos,
}

/// One consistent look at the shard. `token` is where it stood: at or beyond the one that `synced` gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub token: Token,
    /// Most recently active first.
    pub listed: Vec<Listed>,
    pub left: Vec<LeftConversation>,
}

/// A conversation of which something is new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    pub row: ConversationRow,
    /// The newest stored seq that the person may see (zero: none).
    pub head: Seq,
    pub member: LocalMember,
    /// Messages above this seq are beyond the token; the newest 50 of them are sent.
    pub news_above: Seq,
}

impl At {
    /// Whether it is newer than the token; everything is newer than none.
    pub fn is_news(self, since: Option<&Token>) -> bool {
        since.is_none_or(|token| self.pos > token.position(self.lane))
    }
}
