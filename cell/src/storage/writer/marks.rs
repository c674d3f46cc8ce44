//! Read and hidden marks with answers: several marks of one row in a batch become one update of it.

use std::collections::BTreeMap;

use skep_core::{Batch, Clamp, MarkKind, MarkResult, MarkedRow, Moved, NoPlace};
use skep_protocol::{ConversationId, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::storage::{decode, error::StorageError};

type Key = (UserId, ConversationId);

/// What a batch asks of the marks, a column each, a row at most once.
#[derive(Default)]
pub(super) struct Marks {
    pub user_id: Vec<Uuid>,
    pub conversation_id: Vec<Uuid>,
    /// The read mark asked for; zero for none.
    pub read: Vec<i64>,
    /// The same, but bounded by the stored head.
    pub read_clamped: Vec<i64>,
    /// 1 hides, -1 shows, 0 leaves.
    pub hide: Vec<i16>,
    /// Where it is hidden, at most at the stored head.
    pub hide_at: Vec<i64>,
}

#[derive(Default)]
struct Wanted {
    read: i64,
    read_clamped: i64,
    hide: i16,
    hide_at: i64,
}

impl Marks {
    pub fn of(batch: &Batch) -> Self {
        let mut wanted: BTreeMap<Key, Wanted> = BTreeMap::new();
        for mark in &batch.marks {
            let wanted = wanted.entry((mark.user_id, mark.conversation_id)).or_default();
            match mark.kind {
                MarkKind::Read { seq, clamp: Clamp::Done } => wanted.read = wanted.read.max(seq.0 as i64),
                // A client may name any seq: what is beyond the width of the column is beyond any head.
                MarkKind::Read { seq, clamp: Clamp::StoredHead } => {
                    wanted.read_clamped = wanted.read_clamped.max(i64::try_from(seq.0).unwrap_or(i64::MAX));
                }
                MarkKind::Hide { seq } => {
                    (wanted.hide, wanted.hide_at) = (1, i64::try_from(seq.0).unwrap_or(i64::MAX));
                }
                MarkKind::Unhide => wanted.hide = -1,
            }
        }
        let mut marks = Self::default();
        for ((user, id), Wanted { read, read_clamped, hide, hide_at }) in wanted {
            marks.user_id.push(user.uuid());
            marks.conversation_id.push(id.uuid());
            marks.read.push(read);
            marks.read_clamped.push(read_clamped);
            marks.hide.push(hide);
            marks.hide_at.push(hide_at);
        }
        marks
    }
}

/// The answers to the marks that were asked for, from the rows as they stand.
pub(super) fn results(batch: &Batch, rows: &[Row]) -> Result<Vec<MarkResult>, StorageError> {
    let mut stand: BTreeMap<Key, Result<MarkedRow, NoPlace>> = BTreeMap::new();
    for row in rows {
        let key = (decode::user_id(row, 0)?, decode::conversation_id(row, 1)?);
        if row.try_get(6)? {
            stand.insert(key, Err(NoPlace::Left));
            continue;
        }
        let moved = if row.try_get(5)? { Moved::Yes } else { Moved::No };
        let marked = MarkedRow {
            read_seq: decode::seq(row, 2)?,
            head: decode::seq(row, 3)?,
            hidden_seq: decode::optional_seq(row, 4)?,
            moved,
        };
        stand.insert(key, Ok(marked));
    }
    let asked = batch.marks.iter().filter_map(|mark| {
        let (user_id, conversation_id) = (mark.user_id, mark.conversation_id);
        let row = stand.get(&(user_id, conversation_id)).copied().unwrap_or(Err(NoPlace::Never));
        mark.request.map(|request| MarkResult { request, user_id, conversation_id, row })
    });
    Ok(asked.collect())
}
