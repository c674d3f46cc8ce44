//! What a lane asks before it judges, and fan-out before it delivers. Over connections of their own.

use std::sync::Arc;

use prost::Message as _;
use skep_core::fanout::LocalConversation;
use skep_core::home::{Header, Load, Loaded, Wanted};
use skep_core::{Block, Blocked, ConversationRow, Cursor, MemberRow, MembersDone, NotAdded};
use skep_protocol::{
    CellId, ClientMessageId, ConversationId, Era, Kind, Lane, Message, Millis, RequestId, Seq, Slot, UserId,
    answers::NotAddedCode, limits, wire,
};
use uuid::Uuid;

use super::rows;
use crate::storage::decode::{self, conversation_columns, member_columns, membership_columns, message_columns};
use crate::storage::{Connection, Shard, StorageError};

impl Shard {
    /// What a home lane needs of one conversation, as committed.
    pub async fn load(&self, load: &Load) -> Result<Loaded, StorageError> {
        let client = self.loader().await?;
        let id = load.conversation_id;
        // Polled together, so sent together.
        let (header, blocks, members, outcomes) = tokio::try_join!(
            header(&client, id, load.header),
            blocks(&client, id, load.header),
            members(&client, id, &load.users),
            outcomes(&client, &load.requests),
        )?;
        Ok(Loaded { conversation_id: id, header, blocks, members, outcomes })
    }

    /// The stored messages of these client ids; ids without one are left out.
    pub async fn lookup(&self, ids: &[(ClientMessageId, ConversationId)]) -> Result<Vec<Message>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            message_columns!(),
            " FROM unnest($1::uuid[], $2::uuid[]) AS u (id, c)
              JOIN messages m ON m.client_message_id = u.id AND m.conversation_id = u.c"
        );
        let client = self.loader().await?;
        let (ids, conversations): (Vec<Uuid>, Vec<Uuid>) = ids.iter().map(|(id, c)| (*id, c.uuid())).unzip();
        let rows = rows(&client, SQL, &[&ids, &conversations]).await?;
        rows.iter().map(|row| decode::message(row, 0)).collect()
    }

    /// A conversation with the people of this cell in it; `None` while this shard knows nothing of it.
    pub async fn local(&self, id: ConversationId) -> Result<Option<LocalConversation>, StorageError> {
        const MEMBERS: &str =
            concat!("SELECT ", membership_columns!(), " FROM memberships p WHERE p.conversation_id = $1");
        let client = self.loader().await?;
        let uuid = id.uuid();
        let key: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&uuid];
        let (row, newest, members) =
            tokio::try_join!(versioned(&client, id), newest(&client, id), rows(&client, MEMBERS, &key))?;
        let Some((home_era, row)) = row else { return Ok(None) };
        let members = members.iter().map(|row| decode::membership(row, 0)).collect::<Result<_, _>>()?;
        Ok(Some(LocalConversation { row, home_era, head: newest.0, members }))
    }

    /// How far the peers' lanes have been taken into the mirror.
    pub async fn cursors(&self) -> Result<Vec<Cursor>, StorageError> {
        let client = self.loader().await?;
        let rows =
            rows(&client, "SELECT peer, lane, era, pos, rows_era, rows_pos FROM cursors ORDER BY peer, lane", &[])
                .await?;
        let cursor = |row: &tokio_postgres::Row| {
            Ok(Cursor {
                peer: CellId(row.try_get::<_, i32>(0)? as u32),
                lane: Lane(row.try_get::<_, i16>(1)? as u16),
                era: decode::era(row, 2)?,
                pos: decode::pos(row, 3)?,
                rows: (decode::era(row, 4)?, decode::pos(row, 5)?),
            })
        };
        rows.iter().map(cursor).collect()
    }
}

async fn header(client: &Connection, id: ConversationId, wanted: Wanted) -> Result<Option<Header>, StorageError> {
    const ADMINS: &str = "SELECT count(*) FROM members WHERE conversation_id = $1 AND left_seq IS NULL AND role = 2";
    const SLOTS: &str =
        "SELECT slot, count(*) FROM members WHERE conversation_id = $1 AND left_seq IS NULL GROUP BY slot";
    if wanted == Wanted::No {
        return Ok(None);
    }
    let uuid = id.uuid();
    let key: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&uuid];
    let (row, (head, last_sent_at), admins, slots) = tokio::try_join!(
        conversation(client, id),
        newest(client, id),
        rows(client, ADMINS, &key),
        rows(client, SLOTS, &key),
    )?;
    let Some(mut row) = row else { return Ok(None) };
    if id.kind() != Kind::Direct && row.seniors.len() < limits::SENIORS.min(row.member_count as usize) {
        fill_seniors(client, &mut row).await?;
    }
    let admins = admins.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0))? as u32;
    let slot =
        |row: &tokio_postgres::Row| Ok((Slot(row.try_get::<_, i32>(0)? as u16), row.try_get::<_, i64>(1)? as u32));
    let slots = slots.iter().map(slot).collect::<Result<_, StorageError>>()?;
    Ok(Some(Header { row, head, last_sent_at, admins, slots }))
}

/// What each of the two of a direct conversation says of the other.
async fn blocks(client: &Connection, id: ConversationId, wanted: Wanted) -> Result<Vec<(UserId, Block)>, StorageError> {
    if wanted == Wanted::No || id.kind() != Kind::Direct {
        return Ok(Vec::new());
    }
    let sql = "SELECT side, version, blocked FROM direct_blocks WHERE conversation_id = $1";
    let found = rows(client, sql, &[&id.uuid()]).await?;
    let block = |row: &tokio_postgres::Row| {
        let blocked = if row.try_get(2)? { Blocked::Yes } else { Blocked::No };
        Ok((decode::user_id(row, 0)?, Block { version: row.try_get::<_, i64>(1)? as u64, blocked }))
    };
    found.iter().map(block).collect()
}

/// Leavers thin the stored ones out: the next longest-standing follow behind them.
async fn fill_seniors(client: &Connection, row: &mut ConversationRow) -> Result<(), StorageError> {
    const SQL: &str = "SELECT user_id FROM members WHERE conversation_id = $1 AND left_seq IS NULL
                       ORDER BY joined_at_ms, user_id LIMIT 32";
    const _: () = assert!(limits::SENIORS * 2 == 32, "also when all the stored ones are among those read");
    let found = rows(client, SQL, &[&row.conversation_id.uuid()]).await?;
    for user in found.iter().map(|row| decode::user_id(row, 0)) {
        let user = user?;
        if row.seniors.len() < limits::SENIORS && !row.seniors.contains(&user) {
            row.seniors.push(user);
        }
    }
    Ok(())
}

async fn members(
    client: &Connection,
    id: ConversationId,
    users: &[UserId],
) -> Result<Vec<(UserId, Option<MemberRow>)>, StorageError> {
    const SQL: &str = concat!(
        "SELECT ",
        member_columns!(),
        " FROM unnest($2::uuid[]) AS u (id) JOIN members m ON m.conversation_id = $1 AND m.user_id = u.id"
    );
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let uuids: Vec<Uuid> = users.iter().map(|u| u.uuid()).collect();
    let found = rows(client, SQL, &[&id.uuid(), &uuids]).await?;
    let found: Vec<MemberRow> = found.iter().map(|row| decode::member(row, 0)).collect::<Result<_, _>>()?;
    let mut found: std::collections::BTreeMap<UserId, MemberRow> = found.into_iter().map(|m| (m.user_id, m)).collect();
    Ok(users.iter().map(|user| (*user, found.remove(user))).collect())
}

async fn outcomes(client: &Connection, requests: &[RequestId]) -> Result<Vec<(RequestId, MembersDone)>, StorageError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT request_id, outcome FROM outcomes WHERE request_id = ANY ($1)";
    let found = rows(client, sql, &[&requests]).await?;
    let outcome = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, decode_outcome(row.try_get(1)?)?));
    found.iter().map(outcome).collect()
}

fn decode_outcome(bytes: &[u8]) -> Result<MembersDone, StorageError> {
    let unreadable = |e: &dyn std::fmt::Display| StorageError::Unreadable(e.to_string());
    let done = wire::MembersDone::decode(bytes).map_err(|e| unreadable(&e))?;
    let user = |bytes: &[u8]| UserId::from_bytes(bytes).map_err(|e| unreadable(&e));
    let not_added = done.not_added.iter();
    let not_added =
        not_added.map(|n| Ok(NotAdded { user_id: user(&n.user_id)?, code: NotAddedCode::from_number(n.code) }));
    Ok(MembersDone {
        created: done.created,
        added: done.added.iter().map(|u| user(u)).collect::<Result<_, _>>()?,
        not_added: not_added.collect::<Result<_, StorageError>>()?,
        code: (!done.code.is_empty()).then(|| Arc::from(done.code)),
    })
}

pub(super) async fn conversation(
    client: &Connection,
    id: ConversationId,
) -> Result<Option<ConversationRow>, StorageError> {
    Ok(versioned(client, id).await?.map(|(_, row)| row))
}

/// With the era of its home that gave the row its position.
async fn versioned(client: &Connection, id: ConversationId) -> Result<Option<(Era, ConversationRow)>, StorageError> {
    const SQL: &str = concat!("SELECT ", conversation_columns!(), " FROM conversations c WHERE c.conversation_id = $1");
    let found = rows(client, SQL, &[&id.uuid()]).await?;
    found.first().map(|row| Ok((decode::conversation_era(row, 0)?, decode::conversation(row, 0)?))).transpose()
}

/// The newest stored seq and when it was sent; zeros when there is none.
pub(super) async fn newest(client: &Connection, id: ConversationId) -> Result<(Seq, Millis), StorageError> {
    let sql = "SELECT seq, sent_at_ms FROM messages WHERE conversation_id = $1 ORDER BY seq DESC LIMIT 1";
    let found = rows(client, sql, &[&id.uuid()]).await?;
    let Some(row) = found.first() else { return Ok((Seq::ZERO, Millis(0))) };
    Ok((decode::seq(row, 0)?, decode::millis(row, 1)?))
}
