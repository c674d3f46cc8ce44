//! A cell's database as the core's documents describe it: tables as maps, one transaction per batch.
//!
//! What a real shard does in SQL is said here in as few words as possible; both must mean the same.

mod commit;
mod eras;
mod read;
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_core::sync::At;
use skep_core::{Block, ConversationRow, Cursor, MemberRow, MembersDone, Membership};
use skep_protocol::{
    CellId, ClientMessageId, ConversationId, Era, Lane, Message, Pos, RequestId, Seq, SlotMap, UserId,
};

use eras::EraStart;

pub use commit::POISON;
pub use read::{HistoryPage, Version};

/// One cell's tables.
#[derive(Clone, Debug)]
pub struct Shard {
    pub cell: CellId,
    map: Arc<SlotMap>,
    home_lanes: u16,
    versions: Versions,
    /// Per lane, mirror lane first: who may write, and the highest position.
    lanes: Vec<LaneRow>,
    /// Oldest first.
    eras: Vec<EraStart>,
    conversations: BTreeMap<ConversationId, StoredConversation>,
    messages: BTreeMap<ConversationId, BTreeMap<Seq, Stored<Message>>>,
    ids: BTreeMap<(ConversationId, ClientMessageId), Seq>,
    members: BTreeMap<ConversationId, BTreeMap<UserId, MemberRow>>,
    memberships: BTreeMap<(UserId, ConversationId), StoredMembership>,
    blocks: BTreeMap<ConversationId, BTreeMap<UserId, Block>>,
    outcomes: BTreeMap<RequestId, Arc<MembersDone>>,
    cursors: BTreeMap<(CellId, Lane), Cursor>,
}

/// Whether a mirrored row is taken only when it is newer than the stored one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Versions {
    Compared,
    /// A mutant.
    Ignored,
}

#[derive(Clone, Debug, Default)]
struct LaneRow {
    writer: u64,
    pos: Pos,
}

/// A row and when this shard took it.
#[derive(Clone, Debug)]
struct Stored<T> {
    row: T,
    at: At,
}

#[derive(Clone, Debug)]
struct StoredConversation {
    row: ConversationRow,
    /// The row's version, with its position at home.
    home_era: Era,
    /// This shard's place of the last change that lists show.
    shown: At,
}

#[derive(Clone, Debug)]
struct StoredMembership {
    row: Membership,
    read_seq: Seq,
    hidden_seq: Option<Seq>,
    at: At,
}

impl Shard {
    /// An empty shard.
    pub fn new(cell: CellId, map: Arc<SlotMap>, home_lanes: u16, versions: Versions) -> Self {
        Self {
            cell,
            map,
            home_lanes,
            versions,
            lanes: vec![LaneRow::default(); usize::from(home_lanes) + 1],
            eras: vec![EraStart { era: Era(1), starts: vec![Pos::ZERO; usize::from(home_lanes) + 1] }],
            conversations: BTreeMap::new(),
            messages: BTreeMap::new(),
            ids: BTreeMap::new(),
            members: BTreeMap::new(),
            memberships: BTreeMap::new(),
            blocks: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            cursors: BTreeMap::new(),
        }
    }

    /// Makes the caller the writer of a lane: batches of former writers that are still under way change nothing.
    pub fn fence(&mut self, lane: Lane) -> (u64, Pos) {
        let row = &mut self.lanes[usize::from(lane.0)];
        row.writer += 1;
        (row.writer, row.pos)
    }

    /// The position of every lane, mirror lane first.
    pub fn positions(&self) -> Vec<Pos> {
        self.lanes.iter().map(|l| l.pos).collect()
    }

    /// The position of a lane.
    pub fn position(&self, lane: Lane) -> Pos {
        self.lanes[usize::from(lane.0)].pos
    }

    /// How far the peers' lanes have been taken.
    pub fn cursors(&self) -> Vec<Cursor> {
        self.cursors.values().copied().collect()
    }

    /// All messages of a conversation, by seq.
    pub fn log(&self, id: ConversationId) -> impl Iterator<Item = &Message> {
        self.messages.get(&id).into_iter().flat_map(|m| m.values().map(|s| &s.row))
    }

    /// The conversations of which messages are stored.
    pub fn conversations_with_messages(&self) -> impl Iterator<Item = ConversationId> {
        self.messages.keys().copied()
    }

    /// The lane of a conversation at its home.
    pub fn lane_of(&self, id: ConversationId) -> Lane {
        Lane::of_home(id.slot(), self.home_lanes)
    }

    /// Whether a conversation is homed here.
    pub fn is_home(&self, id: ConversationId) -> bool {
        self.map.owner(id.slot()) == Some(self.cell)
    }

    /// The newest stored seq.
    pub fn head(&self, id: ConversationId) -> Seq {
        let newest = self.messages.get(&id).and_then(BTreeMap::last_key_value);
        newest.map_or(Seq::ZERO, |(seq, _)| *seq)
    }
}
