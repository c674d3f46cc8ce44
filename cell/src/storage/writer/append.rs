//! The common batch: messages with their senders' own read marks (and a mirror's cursors), in one statement that checks
//! the lane's fence itself. One round trip, and no dearer than without the check (measured).

use std::collections::BTreeMap;

use skep_core::{Batch, Commit, MarkKind};
use skep_protocol::Lane;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::columns::{Cursors, Messages};
use super::{LaneLink, outcome};

/// Whether the batch holds nothing but what the one statement writes.
pub(super) fn is_enough(batch: &Batch) -> bool {
    let rows = batch.conversations.len()
        + batch.members.len()
        + batch.memberships.len()
        + batch.outcomes.len()
        + batch.blocks.len();
    rows == 0 && batch.marks.iter().all(|m| m.request.is_none() && matches!(m.kind, MarkKind::Read { .. }))
}

pub(super) async fn run(link: &LaneLink, writer: i64, batch: &Batch) -> Commit {
    let (lane, pos) = (batch.lane.0 as i16, batch.pos.0 as i64);
    let m = Messages::of(&batch.messages);
    let (users, conversations, read) = own_marks(batch);
    let c = Cursors::of(batch);
    #[rustfmt::skip]
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![
        &lane, &writer, &pos,
        &m.conversation_id, &m.seq, &m.sender_id, &m.client_message_id, &m.sent_at_ms, &m.text,
        &users, &conversations, &read,
    ];
    if batch.lane == Lane::MIRROR {
        params.extend_from_slice(&[&c.peer, &c.lane, &c.era, &c.pos, &c.rows_era, &c.rows_pos]);
    }
    let outcome = link.client.query(&link.statements.append, &params).await;
    match outcome {
        // The row stands for the fence: without it nothing was written.
        Ok(rows) if rows.is_empty() => Commit::Fenced(format!("lane {} has a newer writer than {writer}", batch.lane)),
        Ok(_) => Commit::Done(Vec::new()),
        Err(e) => outcome::of(&e),
    }
}

/// One mark a row: of two, the statement would write either.
fn own_marks(batch: &Batch) -> (Vec<Uuid>, Vec<Uuid>, Vec<i64>) {
    let mut marks = BTreeMap::new();
    for mark in &batch.marks {
        if let MarkKind::Read { seq, .. } = mark.kind {
            let newest = marks.entry((mark.user_id, mark.conversation_id)).or_insert(seq);
            *newest = seq.max(*newest);
        }
    }
    let rows = marks.into_iter().map(|((user, id), seq)| (user.uuid(), id.uuid(), seq.0 as i64));
    let (mut users, mut ids, mut seqs) = (Vec::new(), Vec::new(), Vec::new());
    for (user, id, seq) in rows {
        users.push(user);
        ids.push(id);
        seqs.push(seq);
    }
    (users, ids, seqs)
}
