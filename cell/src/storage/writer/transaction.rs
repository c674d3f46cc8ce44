//! A batch with rows or with marks to be answered: one transaction, all its statements sent at once.

use std::future::Future;

use prost::Message as _;
use skep_core::{Batch, Commit, MembersDone};
use skep_protocol::{Lane, wire};
use tokio_postgres::{Error, Row, types::ToSql};
use uuid::Uuid;

use super::columns::{Blocks, Conversations, Cursors, Members, Memberships, Messages};
use super::marks::{self, Marks};
use super::{LaneLink, outcome};

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(super) async fn run(link: &LaneLink, writer: i64, batch: &Batch) -> Commit {
    let (client, s) = (&link.client, &link.statements);
    let (lane, pos, is_home) = (batch.lane.0 as i16, batch.pos.0 as i64, batch.lane != Lane::MIRROR);
    let c = Conversations::of(&batch.conversations);
    let b = Members::of(&batch.members);
    let p = Memberships::of(&batch.memberships);
    let m = Messages::of(&batch.messages);
    let k = Marks::of(batch);
    let (requests, outcomes): (Vec<Uuid>, Vec<Vec<u8>>) =
        batch.outcomes.iter().map(|(request, done)| (*request, encode(done))).unzip();
    let at = Cursors::of(batch);

    let fence: Params<'_> = &[&lane, &writer, &pos];
    #[rustfmt::skip]
    let conversations: Params<'_> = &[
        &lane, &pos, &is_home, &c.conversation_id, &c.title, &c.topic, &c.created_at_ms, &c.created_by,
        &c.member_count, &c.seniors, &c.code, &c.home_era, &c.home_pos, &c.home_shown_pos,
    ];
    #[rustfmt::skip]
    let members: Params<'_> = &[
        &lane, &pos, &b.conversation_id, &b.user_id, &b.slot, &b.role, &b.joined_seq, &b.left_seq, &b.left_reason,
        &b.joined_at_ms,
    ];
    #[rustfmt::skip]
    let memberships: Params<'_> = &[
        &lane, &pos, &is_home, &p.user_id, &p.conversation_id, &p.role, &p.joined_seq, &p.left_seq, &p.left_reason,
        &p.home_era, &p.home_pos,
    ];
    #[rustfmt::skip]
    let messages: Params<'_> = &[
        &lane, &pos, &m.conversation_id, &m.seq, &m.sender_id, &m.client_message_id, &m.sent_at_ms, &m.text,
    ];
    let marks: Params<'_> =
        &[&lane, &pos, &k.user_id, &k.conversation_id, &k.read, &k.read_clamped, &k.hide, &k.hide_at];
    let outcomes: Params<'_> = &[&requests, &outcomes];
    let cursors: Params<'_> = &[&at.peer, &at.lane, &at.era, &at.pos, &at.rows_era, &at.rows_pos];
    let d = Blocks::of(batch);
    let blocks: Params<'_> = &[&d.conversation_id, &d.side, &d.version, &d.blocked];

    // Polled, and so sent, in this order. The fence raises: what stands behind it then fails too, and the commit
    // rolls back without an error, which is why no result may go unseen.
    let (begun, fence, conversations, members, memberships, messages, marked, outcomes, cursors, blocks, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        client.execute(&s.fence, fence),
        unless(batch.conversations.is_empty(), client.execute(&s.conversations, conversations)),
        unless(batch.members.is_empty(), client.execute(&s.members, members)),
        unless(batch.memberships.is_empty(), client.execute(&s.memberships, memberships)),
        unless(batch.messages.is_empty(), client.execute(&s.messages, messages)),
        unless(batch.marks.is_empty(), client.query(&s.marks, marks)),
        unless(batch.outcomes.is_empty(), client.execute(&s.outcomes, outcomes)),
        unless(batch.cursors.is_empty(), client.execute(&s.cursors, cursors)),
        unless(batch.blocks.is_empty(), client.execute(&s.blocks, blocks)),
        client.batch_execute("COMMIT"),
    );
    let mut rows: Vec<Row> = Vec::new();
    let results = [
        begun,
        fence.map(drop),
        conversations.map(drop),
        members.map(drop),
        memberships.map(drop),
        messages.map(drop),
        marked.map(|marked| rows = marked.unwrap_or_default()),
        outcomes.map(drop),
        cursors.map(drop),
        blocks.map(drop),
        committed,
    ];
    if let Some(first) = results.into_iter().find_map(Result::err) {
        return outcome::of(&first);
    }
    match marks::results(batch, &rows) {
        Ok(results) => Commit::Done(results),
        // It is committed, but its answers cannot be read: they are asked again.
        Err(_) => Commit::Unknown,
    }
}

/// A statement of which the batch has rows.
async fn unless<T>(is_empty: bool, statement: impl Future<Output = Result<T, Error>>) -> Result<Option<T>, Error> {
    if is_empty { Ok(None) } else { statement.await.map(Some) }
}

/// As between cells: an old outcome is read by a newer version.
fn encode(done: &MembersDone) -> Vec<u8> {
    let not_added = done.not_added.iter();
    let not_added =
        not_added.map(|n| wire::NotAdded { user_id: n.user_id.to_bytes().to_vec().into(), code: n.code as u32 });
    wire::MembersDone {
        created: done.created,
        added: done.added.iter().map(|u| u.to_bytes().to_vec().into()).collect(),
        not_added: not_added.collect(),
        code: done.code.as_deref().unwrap_or("").to_owned(),
    }
    .encode_to_vec()
}
