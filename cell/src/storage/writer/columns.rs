//! A batch's rows as arrays, a column each, for `unnest`.

use skep_core::{Batch, Blocked, ConversationRow, Cursor, MemberRow, Membership};
use skep_protocol::{ConversationId, Era, Message};
use uuid::Uuid;

pub(super) struct Messages<'a> {
    pub conversation_id: Vec<Uuid>,
    pub seq: Vec<i64>,
    pub sender_id: Vec<Uuid>,
    pub client_message_id: Vec<Uuid>,
    pub sent_at_ms: Vec<i64>,
    pub text: Vec<&'a str>,
}

pub(super) struct Conversations<'a> {
    pub conversation_id: Vec<Uuid>,
    pub title: Vec<Option<&'a str>>,
    pub topic: Vec<Option<&'a str>>,
    pub created_at_ms: Vec<i64>,
    pub created_by: Vec<Option<Uuid>>,
    pub member_count: Vec<i32>,
    /// Each as the text of an array: arrays of arrays must be rectangular.
    pub seniors: Vec<String>,
    pub code: Vec<Option<&'a str>>,
    pub home_era: Vec<i32>,
    pub home_pos: Vec<i64>,
    pub home_shown_pos: Vec<i64>,
}

pub(super) struct Members {
    pub conversation_id: Vec<Uuid>,
    pub user_id: Vec<Uuid>,
    pub slot: Vec<i32>,
    pub role: Vec<i16>,
    pub joined_seq: Vec<i64>,
    pub left_seq: Vec<Option<i64>>,
    pub left_reason: Vec<Option<i16>>,
    pub joined_at_ms: Vec<i64>,
}

pub(super) struct Memberships {
    pub user_id: Vec<Uuid>,
    pub conversation_id: Vec<Uuid>,
    pub role: Vec<i16>,
    pub joined_seq: Vec<i64>,
    pub left_seq: Vec<Option<i64>>,
    pub left_reason: Vec<Option<i16>>,
    pub home_era: Vec<i32>,
    pub home_pos: Vec<i64>,
}

pub(super) struct Cursors {
    pub peer: Vec<i32>,
    pub lane: Vec<i16>,
    pub era: Vec<i32>,
    pub pos: Vec<i64>,
    pub rows_era: Vec<i32>,
    pub rows_pos: Vec<i64>,
}

fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

impl<'a> Messages<'a> {
    pub fn of(rows: &'a [Message]) -> Self {
        Self {
            conversation_id: column(rows, |m| m.conversation_id.uuid()),
            seq: column(rows, |m| m.seq.0 as i64),
            sender_id: column(rows, |m| m.sender_id.uuid()),
            client_message_id: column(rows, |m| m.client_message_id),
            sent_at_ms: column(rows, |m| m.sent_at.0),
            text: column(rows, |m| &*m.text),
        }
    }
}

impl<'a> Conversations<'a> {
    pub fn of(rows: &'a [(Era, ConversationRow)]) -> Self {
        Self {
            conversation_id: column(rows, |(_, c)| c.conversation_id.uuid()),
            title: column(rows, |(_, c)| c.title.as_deref()),
            topic: column(rows, |(_, c)| c.topic.as_deref()),
            created_at_ms: column(rows, |(_, c)| c.created_at.0),
            created_by: column(rows, |(_, c)| c.created_by.map(|u| u.uuid())),
            member_count: column(rows, |(_, c)| c.member_count as i32),
            seniors: column(rows, |(_, c)| {
                let seniors: Vec<String> = c.seniors.iter().map(|u| u.uuid().to_string()).collect();
                format!("{{{}}}", seniors.join(","))
            }),
            code: column(rows, |(_, c)| c.code.as_deref()),
            home_era: column(rows, |(era, _)| era.0 as i32),
            home_pos: column(rows, |(_, c)| c.pos.0 as i64),
            home_shown_pos: column(rows, |(_, c)| c.shown_pos.0 as i64),
        }
    }
}

impl Members {
    pub fn of(rows: &[(ConversationId, MemberRow)]) -> Self {
        Self {
            conversation_id: column(rows, |(id, _)| id.uuid()),
            user_id: column(rows, |(_, m)| m.user_id.uuid()),
            slot: column(rows, |(_, m)| i32::from(m.user_id.slot().0)),
            role: column(rows, |(_, m)| m.role as i16),
            joined_seq: column(rows, |(_, m)| m.joined_seq.0 as i64),
            left_seq: column(rows, |(_, m)| m.left_seq.map(|seq| seq.0 as i64)),
            left_reason: column(rows, |(_, m)| m.left_reason.map(|reason| reason as i16)),
            joined_at_ms: column(rows, |(_, m)| m.joined_at.0),
        }
    }
}

impl Memberships {
    pub fn of(rows: &[Membership]) -> Self {
        Self {
            user_id: column(rows, |m| m.user_id.uuid()),
            conversation_id: column(rows, |m| m.conversation_id.uuid()),
            role: column(rows, |m| m.role as i16),
            joined_seq: column(rows, |m| m.joined_seq.0 as i64),
            left_seq: column(rows, |m| m.left_seq.map(|seq| seq.0 as i64)),
            left_reason: column(rows, |m| m.left_reason.map(|reason| reason as i16)),
            home_era: column(rows, |m| m.home_era.0 as i32),
            home_pos: column(rows, |m| m.home_pos.0 as i64),
        }
    }
}

impl Cursors {
    pub fn of(batch: &Batch) -> Self {
        let rows: &[Cursor] = &batch.cursors;
        Self {
            peer: column(rows, |c| c.peer.0 as i32),
            lane: column(rows, |c| c.lane.0 as i16),
            era: column(rows, |c| c.era.0 as i32),
            pos: column(rows, |c| c.pos.0 as i64),
            rows_era: column(rows, |c| c.rows.0.0 as i32),
            rows_pos: column(rows, |c| c.rows.1.0 as i64),
        }
    }
}

pub(super) struct Blocks {
    pub conversation_id: Vec<Uuid>,
    pub side: Vec<Uuid>,
    pub version: Vec<i64>,
    pub blocked: Vec<bool>,
}

impl Blocks {
    pub fn of(batch: &Batch) -> Self {
        let rows = &batch.blocks;
        Self {
            conversation_id: column(rows, |(id, ..)| id.uuid()),
            side: column(rows, |(_, user, _)| user.uuid()),
            version: column(rows, |(.., block)| block.version as i64),
            blocked: column(rows, |(.., block)| block.blocked == Blocked::Yes),
        }
    }
}
