//! From columns to the core's types. Each list of columns is read by the function beside it, at an offset.

use std::sync::Arc;

use skep_core::{ConversationRow, MemberRow, fanout::LocalMember};
use skep_protocol::{ConversationId, Era, LeftReason, Message, Millis, Pos, Role, Seq, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::error::StorageError;

type Read<T> = Result<T, StorageError>;

/// Columns of a message `m`: six.
macro_rules! message_columns {
    () => {
        "m.conversation_id, m.seq, m.sender_id, m.client_message_id, m.sent_at_ms, m.text"
    };
}
/// Columns of a conversation `c`: eleven.
macro_rules! conversation_columns {
    () => {
        "c.conversation_id, c.title, c.topic, c.created_at_ms, c.created_by, c.member_count, c.seniors, c.code, \
         c.home_pos, c.home_shown_pos, c.home_era"
    };
}
/// Columns of a home's member `m`: seven.
macro_rules! member_columns {
    () => {
        "m.user_id, m.pos, m.role, m.joined_seq, m.left_seq, m.left_reason, m.joined_at_ms"
    };
}
/// Columns of a membership `p`: nine.
macro_rules! membership_columns {
    () => {
        "p.user_id, p.role, p.joined_seq, p.left_seq, p.left_reason, p.read_seq, p.hidden_seq, p.home_pos, \
         p.home_era"
    };
}
pub(super) use {conversation_columns, member_columns, membership_columns, message_columns};

/// How many columns a conversation has.
pub(super) const CONVERSATION_COLUMNS: usize = 11;
/// How many columns a membership has.
pub(super) const MEMBERSHIP_COLUMNS: usize = 9;

pub(super) fn message(row: &Row, at: usize) -> Read<Message> {
    Ok(Message {
        conversation_id: conversation_id(row, at)?,
        seq: seq(row, at + 1)?,
        sender_id: user_id(row, at + 2)?,
        client_message_id: row.try_get(at + 3)?,
        sent_at: millis(row, at + 4)?,
        text: Arc::from(row.try_get::<_, &str>(at + 5)?),
    })
}

pub(super) fn conversation(row: &Row, at: usize) -> Read<ConversationRow> {
    let seniors: Vec<Uuid> = row.try_get(at + 6)?;
    Ok(ConversationRow {
        conversation_id: conversation_id(row, at)?,
        title: text(row, at + 1)?,
        topic: text(row, at + 2)?,
        created_at: millis(row, at + 3)?,
        created_by: row.try_get::<_, Option<Uuid>>(at + 4)?.map(user).transpose()?,
        member_count: row.try_get::<_, i32>(at + 5)? as u32,
        seniors: seniors.into_iter().map(user).collect::<Read<_>>()?,
        code: text(row, at + 7)?,
        pos: pos(row, at + 8)?,
        shown_pos: pos(row, at + 9)?,
    })
}

/// The era of a conversation's version.
pub(super) fn conversation_era(row: &Row, at: usize) -> Read<Era> {
    era(row, at + 10)
}

pub(super) fn member(row: &Row, at: usize) -> Read<MemberRow> {
    Ok(MemberRow {
        user_id: user_id(row, at)?,
        pos: pos(row, at + 1)?,
        role: role(row, at + 2)?,
        joined_seq: seq(row, at + 3)?,
        left_seq: optional_seq(row, at + 4)?,
        left_reason: left_reason(row, at + 5)?,
        joined_at: millis(row, at + 6)?,
    })
}

pub(super) fn membership(row: &Row, at: usize) -> Read<LocalMember> {
    Ok(LocalMember {
        user_id: user_id(row, at)?,
        role: role(row, at + 1)?,
        joined_seq: seq(row, at + 2)?,
        left_seq: optional_seq(row, at + 3)?,
        left_reason: left_reason(row, at + 4)?,
        read_seq: seq(row, at + 5)?,
        hidden_seq: optional_seq(row, at + 6)?,
        home_pos: pos(row, at + 7)?,
        home_era: era(row, at + 8)?,
    })
}

pub(super) fn conversation_id(row: &Row, at: usize) -> Read<ConversationId> {
    ConversationId::from_uuid(row.try_get(at)?).map_err(unreadable)
}

pub(super) fn user_id(row: &Row, at: usize) -> Read<UserId> {
    user(row.try_get(at)?)
}

pub(super) fn seq(row: &Row, at: usize) -> Read<Seq> {
    Ok(Seq(row.try_get::<_, i64>(at)? as u64))
}

pub(super) fn optional_seq(row: &Row, at: usize) -> Read<Option<Seq>> {
    Ok(row.try_get::<_, Option<i64>>(at)?.map(|seq| Seq(seq as u64)))
}

pub(super) fn pos(row: &Row, at: usize) -> Read<Pos> {
    Ok(Pos(row.try_get::<_, i64>(at)? as u64))
}

pub(super) fn era(row: &Row, at: usize) -> Read<Era> {
    Ok(Era(row.try_get::<_, i32>(at)? as u32))
}

pub(super) fn millis(row: &Row, at: usize) -> Read<Millis> {
    Ok(Millis(row.try_get(at)?))
}

fn text(row: &Row, at: usize) -> Read<Option<Arc<str>>> {
    Ok(row.try_get::<_, Option<&str>>(at)?.map(Arc::from))
}

fn role(row: &Row, at: usize) -> Read<Role> {
    Ok(Role::from_number(row.try_get::<_, i16>(at)? as u32))
}

fn left_reason(row: &Row, at: usize) -> Read<Option<LeftReason>> {
    Ok(row.try_get::<_, Option<i16>>(at)?.map(|number| LeftReason::from_number(number as u32)))
}

fn user(uuid: Uuid) -> Read<UserId> {
    UserId::from_uuid(uuid).map_err(unreadable)
}

fn unreadable(e: skep_protocol::IdError) -> StorageError {
    StorageError::Unreadable(e.to_string())
}
