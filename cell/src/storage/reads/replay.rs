//! A home lane's past, for a peer that was away: rows and messages by position, in whole batches.

use std::collections::BTreeSet;

use futures_util::{TryStreamExt, pin_mut};
use skep_core::{ConversationRow, MemberRow};
use skep_protocol::{ConversationId, Lane, Message, Pos, Slot, limits};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::rows;
use crate::storage::decode::{self, CONVERSATION_COLUMNS, conversation_columns, member_columns, message_columns};
use crate::storage::{Shard, StorageError};

/// A page ends behind the batch that takes it past this.
const PAGE_BYTES: usize = limits::RELAY_FRAME_BYTES / 4;

/// Rows changed after a position, up to and with `through`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayedRows {
    pub conversations: Vec<ConversationRow>,
    pub members: Vec<(ConversationId, MemberRow)>,
    /// All rows up to here are in this page or an earlier one. What was asked for: there are no more.
    pub through: Pos,
}

/// Messages committed after a position, up to and with `through`, by position and then seq.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayedMessages {
    pub messages: Vec<(Pos, Message)>,
    /// All messages up to here are in this page or an earlier one. What was asked for: there are no more.
    pub through: Pos,
}

impl Shard {
    /// Where a lane stands, as committed. A replay reads it before all else.
    pub async fn replay_position(&self, lane: Lane) -> Result<Pos, StorageError> {
        let client = self.loader().await?;
        let sql = "SELECT coalesce(max(pos), 0) FROM lane_log WHERE lane = $1";
        let found = rows(&client, sql, &[&(lane.0 as i16)]).await?;
        found.first().map_or(Ok(Pos::ZERO), |row| decode::pos(row, 0))
    }

    /// Rows of a home lane with `after < pos <= upto`: about `limit` of each kind, more where a batch has more. A row
    /// that changed again since stands at its newest position, maybe in a later page.
    pub async fn replay_rows(
        &self,
        lane: Lane,
        after: Pos,
        upto: Pos,
        limit: usize,
    ) -> Result<ReplayedRows, StorageError> {
        const CONVERSATIONS: &str = concat!(
            "SELECT ",
            conversation_columns!(),
            ", c.pos FROM conversations c WHERE c.lane = $1 AND c.pos > $2 AND c.pos <= $3
              ORDER BY c.pos FETCH FIRST $4 ROWS WITH TIES"
        );
        const MEMBERS: &str = concat!(
            "SELECT m.conversation_id, ",
            member_columns!(),
            " FROM members m WHERE m.lane = $1 AND m.pos > $2 AND m.pos <= $3
              ORDER BY m.pos FETCH FIRST $4 ROWS WITH TIES"
        );
        let client = self.loader().await?;
        // Planned with these values in sight: a plan for any values might sort the whole lane first.
        let (lane, after, last, most) = (lane.0 as i16, after.0 as i64, upto.0 as i64, limit as i64);
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] =
            [(&lane, Type::INT2), (&after, Type::INT8), (&last, Type::INT8), (&most, Type::INT8)];
        let (conversations, members) =
            tokio::try_join!(client.query_typed(CONVERSATIONS, &params), client.query_typed(MEMBERS, &params))?;
        let conversation = |row| Ok((decode::pos(row, CONVERSATION_COLUMNS)?, decode::conversation(row, 0)?));
        let mut conversations: Vec<(Pos, ConversationRow)> =
            conversations.iter().map(conversation).collect::<Result<_, StorageError>>()?;
        let member = |row| Ok((decode::conversation_id(row, 0)?, decode::member(row, 1)?));
        let mut members: Vec<(ConversationId, MemberRow)> =
            members.iter().map(member).collect::<Result<_, StorageError>>()?;
        // What was cut off ends the page for both, at the end of a batch.
        let mut through = upto;
        if let Some((pos, _)) = conversations.last().filter(|_| conversations.len() >= limit) {
            through = through.min(*pos);
        }
        if let Some((_, row)) = members.last().filter(|_| members.len() >= limit) {
            through = through.min(row.pos);
        }
        conversations.retain(|(pos, _)| *pos <= through);
        members.retain(|(_, row)| row.pos <= through);
        Ok(ReplayedRows { conversations: conversations.into_iter().map(|(_, row)| row).collect(), members, through })
    }

    /// Messages of a home lane with `after < pos <= upto`: about `limit` or a megabyte, more where a batch has more.
    pub async fn replay_messages(
        &self,
        lane: Lane,
        after: Pos,
        upto: Pos,
        limit: usize,
    ) -> Result<ReplayedMessages, StorageError> {
        const SQL: &str = concat!(
            "SELECT m.pos, ",
            message_columns!(),
            " FROM messages m WHERE m.lane = $1 AND m.pos > $2 AND m.pos <= $3
              ORDER BY m.pos FETCH FIRST $4 ROWS WITH TIES"
        );
        let client = self.loader().await?;
        let (lane, after, last, most) = (lane.0 as i16, after.0 as i64, upto.0 as i64, limit as i64);
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] =
            [(&lane, Type::INT2), (&after, Type::INT8), (&last, Type::INT8), (&most, Type::INT8)];
        let stream = client.query_typed_raw(SQL, params).await?;
        pin_mut!(stream);
        let (mut messages, mut bytes) = (Vec::<(Pos, Message)>::new(), 0);
        let mut through = None;
        while let Some(row) = stream.try_next().await? {
            let pos = decode::pos(&row, 0)?;
            if bytes >= PAGE_BYTES && messages.last().is_some_and(|(last, _)| *last < pos) {
                through = messages.last().map(|(last, _)| *last);
                break;
            }
            let message = decode::message(&row, 1)?;
            bytes += message.text.len() + 96;
            messages.push((pos, message));
        }
        let is_cut = messages.len() >= limit;
        let through = through.or(messages.last().map(|(last, _)| *last).filter(|_| is_cut)).unwrap_or(upto);
        messages.sort_by_key(|(pos, m)| (*pos, m.conversation_id, m.seq));
        Ok(ReplayedMessages { messages, through })
    }

    /// Those of the conversations (homed here) in which a person of these slots is a member, or was until a change
    /// after `since`: the ones whose messages after `since` concern the cell that owns the slots.
    pub async fn conversations_with_members_in(
        &self,
        slots: &[Slot],
        conversations: &[ConversationId],
        since: Pos,
    ) -> Result<BTreeSet<ConversationId>, StorageError> {
        const SQL: &str = "SELECT u.id FROM unnest($1::uuid[]) AS u (id), LATERAL (
                SELECT 1 FROM members m WHERE m.conversation_id = u.id AND get_bit($2::bytea, m.slot) = 1
                    AND (m.left_seq IS NULL OR m.pos > $3) LIMIT 1) any_one";
        let client = self.loader().await?;
        let ids: Vec<Uuid> = conversations.iter().map(|id| id.uuid()).collect();
        let found = rows(&client, SQL, &[&ids, &bit_map(slots), &(since.0 as i64)]).await?;
        found.iter().map(|row| decode::conversation_id(row, 0)).collect()
    }

    /// The rows of these conversations.
    pub async fn conversation_rows(&self, ids: &[ConversationId]) -> Result<Vec<ConversationRow>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            conversation_columns!(),
            " FROM unnest($1::uuid[]) AS u (id) JOIN conversations c ON c.conversation_id = u.id"
        );
        let client = self.loader().await?;
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let found = rows(&client, SQL, &[&ids]).await?;
        found.iter().map(|row| decode::conversation(row, 0)).collect()
    }
}

/// All slots as bits in the order of PostgreSQL's `get_bit`: 8 KiB, where a list may have 65,536 entries.
pub(in crate::storage) fn bit_map(slots: &[Slot]) -> Vec<u8> {
    let mut bits = vec![0; skep_protocol::SLOTS / 8];
    for slot in slots {
        bits[slot.index() / 8] |= 1 << (slot.index() % 8);
    }
    bits
}
