//! People who share a direct conversation with somebody of this cell: their copies are asked for when it begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use skep_protocol::{CellId, UserId, limits};
use uuid::Uuid;

use super::copies::{self, Copies, user};
use crate::{
    context::Context,
    storage::{Shard, StorageError},
};

const PAGE: i64 = limits::IDS_PER_CALL as i64;
const IDLE: Duration = Duration::from_millis(300);
/// While a cell does not answer: its people are not the only ones, but they are looked through each time.
const IDLE_AWAY: Duration = Duration::from_secs(3);

/// Somebody of this cell, and whom they have opened a conversation with.
struct Asked {
    user_id: Uuid,
    conversation_id: Uuid,
    /// `None`: the conversation's row is not here yet.
    other: Option<UserId>,
}

/// Asks for whom people of this cell have come to know, until the process stops.
pub async fn ask(context: Arc<Context>) {
    loop {
        let idle = match ask_all(&context).await {
            Ok(away) if away.is_empty() => IDLE,
            Ok(_) => IDLE_AWAY,
            Err(error) => {
                tracing::warn!(%error, "known people wait to be asked for");
                IDLE_AWAY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(idle) => {}
            () = context.hub.stopped() => return,
        }
    }
}

/// Once through all who are to be asked for. Gives the cells that did not answer.
async fn ask_all(context: &Context) -> Result<BTreeSet<CellId>, StorageError> {
    let (mut after, mut away) = ((Uuid::nil(), Uuid::nil()), BTreeSet::new());
    loop {
        let page = page(&context.shard, after).await?;
        let Some(last) = page.last() else { return Ok(away) };
        after = (last.user_id, last.conversation_id);
        let map = context.map.current();
        let mut by_cell: BTreeMap<CellId, BTreeSet<UserId>> = BTreeMap::new();
        for other in page.iter().filter_map(|asked| asked.other) {
            if let Some(owner) = map.owner(other.slot()).filter(|owner| !away.contains(owner)) {
                by_cell.entry(owner).or_default().insert(other);
            }
        }
        let calls = by_cell.into_iter().map(async |(cell, users)| {
            let users: Vec<UserId> = users.into_iter().collect();
            let answer = if cell == context.cell {
                copies::get(&context.shard, &users).await.ok()
            } else {
                context.peers.get_people(cell, &users).await.ok()
            };
            (cell, users, answer)
        });
        for (cell, users, answer) in join_all(calls).await {
            match answer {
                Some(copies) => {
                    copies::put(&context.shard, &copies).await?;
                    forget(&context.shard, &users, &copies).await?;
                }
                None => {
                    away.insert(cell);
                }
            }
        }
    }
}

/// A direct conversation names its two in its row.
async fn page(shard: &Shard, after: (Uuid, Uuid)) -> Result<Vec<Asked>, StorageError> {
    let sql = "SELECT k.user_id, k.conversation_id, o.id FROM known k
        LEFT JOIN conversations c ON c.conversation_id = k.conversation_id
        LEFT JOIN LATERAL (SELECT id FROM unnest(c.seniors) AS s (id) WHERE id <> k.user_id LIMIT 1) o ON true
        WHERE k.ask AND (k.user_id, k.conversation_id) > ($1, $2) ORDER BY k.user_id, k.conversation_id LIMIT $3";
    let client = shard.connection().await?;
    let rows = client.query(&client.prepare_cached(sql).await?, &[&after.0, &after.1, &PAGE]).await?;
    drop(client);
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        let other: Option<Uuid> = row.try_get(2)?;
        let other = other.map(user).transpose()?;
        page.push(Asked { user_id: row.try_get(0)?, conversation_id: row.try_get(1)?, other });
    }
    name(shard, &page).await?;
    Ok(page)
}

/// Notes who the others are, so that their copies find those who know them.
async fn name(shard: &Shard, page: &[Asked]) -> Result<(), StorageError> {
    let sql =
        "UPDATE known k SET other_id = u.other FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS u (id, c, other)
        WHERE k.user_id = u.id AND k.conversation_id = u.c AND k.other_id IS DISTINCT FROM u.other";
    let named: Vec<_> = page.iter().filter_map(|a| Some((a.user_id, a.conversation_id, a.other?.uuid()))).collect();
    if named.is_empty() {
        return Ok(());
    }
    let mut connection = shard.connection().await?;
    let tx = shard.begin(&mut connection).await?;
    let users: Vec<Uuid> = named.iter().map(|(user, ..)| *user).collect();
    let conversations: Vec<Uuid> = named.iter().map(|(_, conversation, _)| *conversation).collect();
    let others: Vec<Uuid> = named.iter().map(|(.., other)| *other).collect();
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&users, &conversations, &others]).await?;
    tx.commit().await?;
    Ok(())
}

/// Those whom their own cell does not know (any more) are nobody to be found.
async fn forget(shard: &Shard, asked: &[UserId], there: &Copies) -> Result<(), StorageError> {
    let there: BTreeSet<UserId> = there.people.iter().filter_map(|p| UserId::from_bytes(&p.user_id).ok()).collect();
    let gone: Vec<Uuid> = asked.iter().filter(|user| !there.contains(user)).map(|user| user.uuid()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut connection = shard.connection().await?;
    let tx = shard.begin(&mut connection).await?;
    tx.execute("DELETE FROM profiles WHERE user_id = ANY ($1)", &[&gone]).await?;
    tx.execute("DELETE FROM search_entries WHERE user_id = ANY ($1)", &[&gone]).await?;
    tx.execute("UPDATE known SET names = '', ask = false WHERE other_id = ANY ($1)", &[&gone]).await?;
    tx.commit().await?;
    Ok(())
}
