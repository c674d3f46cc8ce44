//! Replay: a peer whose cursor the ring does not reach is sent what the shard has, rows first.

use std::collections::BTreeMap;

use skep_core::{Change, ConversationChange, ConversationRow, MemberRow, peers::Subscription};
use skep_protocol::{CellId, ConversationId, Era, Lane, Message, Pos, SlotMap, wire};

use super::{convert, serve::Frames};
use crate::storage::{Shard, StorageError};

/// Rows and messages read at once.
const PAGE: usize = 1_000;
/// Beyond every position: PostgreSQL's largest bigint.
const NEWEST: Pos = Pos(i64::MAX as u64);

/// A replay of one lane to one peer.
pub(super) struct Replay<'a> {
    pub shard: &'a Shard,
    pub peer: CellId,
    pub era: Era,
    pub map: &'a SlotMap,
    pub frames: &'a Frames,
    /// Rows beyond this are sent: the subscription's position, or zero where all are wanted anew.
    pub rows_after: Pos,
}

impl Replay<'_> {
    /// Sends everything up to the position found at the beginning, and moves the subscription there. `false`: the peer
    /// is gone.
    pub async fn run(&self, subscription: &mut Subscription) -> Result<bool, StorageError> {
        let (lane, cursor) = (subscription.lane, subscription.pos);
        let through = self.shard.replay_position(lane).await?;
        let slots = self.map.slots_of(self.peer);
        // Rows do not move the cursor: they are sent again if the stream breaks among them.
        // Up to the very newest: a row that moves meanwhile stands behind what has been read.
        let mut after = self.rows_after;
        while after < NEWEST {
            let page = self.shard.replay_rows(lane, after, NEWEST, PAGE).await?;
            after = page.through;
            let rows = self.rows(page.conversations, page.members, self.rows_after, &slots).await?;
            if !rows.is_empty() && !self.send(lane, cursor, cursor, rows).await {
                return Ok(false);
            }
        }
        while subscription.pos < through {
            let page = self.shard.replay_messages(lane, subscription.pos, through, PAGE).await?;
            let messages = self.messages(page.messages, cursor, &slots).await?;
            if !self.send(lane, subscription.pos, page.through, messages).await {
                return Ok(false);
            }
            subscription.pos = page.through;
        }
        Ok(true)
    }

    async fn send(&self, lane: Lane, after: Pos, through: Pos, conversations: Vec<ConversationChange>) -> bool {
        let change = Change { lane, era: self.era, after, through, conversations };
        let frame = wire::from_home::Frame::Changes(convert::changes_to_wire(change));
        self.frames.send(Ok(wire::FromHome { frame: Some(frame) })).await.is_ok()
    }

    /// The peer's own people, and the conversations that it hosts; those into which its people came, whatever their
    /// own position.
    async fn rows(
        &self,
        conversations: Vec<ConversationRow>,
        members: Vec<(ConversationId, MemberRow)>,
        cursor: Pos,
        slots: &[skep_protocol::Slot],
    ) -> Result<Vec<ConversationChange>, StorageError> {
        let mut changes: BTreeMap<ConversationId, ConversationChange> = BTreeMap::new();
        let change_of = |id| ConversationChange::new(id);
        for (id, row) in members {
            if self.map.owner(row.user_id.slot()) == Some(self.peer) {
                changes.entry(id).or_insert_with(|| change_of(id)).members.push(row);
            }
        }
        let ids: Vec<ConversationId> = conversations.iter().map(|c| c.conversation_id).collect();
        let hosted = self.shard.conversations_with_members_in(slots, &ids, cursor).await?;
        for row in conversations {
            let id = row.conversation_id;
            if hosted.contains(&id) || changes.contains_key(&id) {
                changes.entry(id).or_insert_with(|| change_of(id)).row = Some(row);
            }
        }
        let bare: Vec<ConversationId> =
            changes.values().filter(|c| c.row.is_none()).map(|c| c.conversation_id).collect();
        for row in self.shard.conversation_rows(&bare).await? {
            if let Some(change) = changes.get_mut(&row.conversation_id) {
                change.row = Some(row);
            }
        }
        Ok(changes.into_values().collect())
    }

    async fn messages(
        &self,
        messages: Vec<(Pos, Message)>,
        cursor: Pos,
        slots: &[skep_protocol::Slot],
    ) -> Result<Vec<ConversationChange>, StorageError> {
        let mut ids: Vec<ConversationId> = messages.iter().map(|(_, m)| m.conversation_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let hosted = self.shard.conversations_with_members_in(slots, &ids, cursor).await?;
        let mut changes: BTreeMap<ConversationId, ConversationChange> = BTreeMap::new();
        for (_, message) in messages.into_iter().filter(|(_, m)| hosted.contains(&m.conversation_id)) {
            let id = message.conversation_id;
            changes.entry(id).or_insert_with(|| ConversationChange::new(id)).messages.push(message);
        }
        Ok(changes.into_values().collect())
    }
}
