//! What changed about people of this cell, on its way to the cells that have a use for it: at least once, until each of
//! them has confirmed it. What is sent is how the person is now, so lines may come in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use skep_protocol::{CellId, SlotMap, UserId, wire};
use tokio::time::Instant;
use uuid::Uuid;

use super::copies::{self, Copies, OWN_COLUMNS, Own, by_cell};
use super::{rounds, words};
use crate::{
    context::Context,
    storage::{Shard, StorageError},
};

const BATCH: i64 = 200;
const IDLE: Duration = Duration::from_millis(300);
/// What a cell has not confirmed is sent again so often; meanwhile only new lines are looked at.
const AGAIN: Duration = Duration::from_secs(2);

/// Which lines are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Fresh,
    All,
}

/// A line, with the person as they are now.
struct Line {
    id: i64,
    own: Own,
    /// The names before, while they are still to be looked at.
    before: Option<(String, String)>,
    /// Who has not confirmed it yet; `None`: nobody was sent it.
    cells: Option<BTreeSet<CellId>>,
}

/// Empties the outbox until the process stops.
pub async fn deliver(context: Arc<Context>) {
    let mut all_at = Instant::now();
    loop {
        let lines = if Instant::now() >= all_at { Lines::All } else { Lines::Fresh };
        if lines == Lines::All {
            all_at = Instant::now() + AGAIN;
        }
        if let Err(error) = deliver_all(&context, lines).await {
            tracing::warn!(%error, "changes of names wait");
        }
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            () = context.hub.stopped() => return,
        }
    }
}

/// Once through. A cell that does not answer is left out from then on.
async fn deliver_all(context: &Context, wanted: Lines) -> Result<(), StorageError> {
    let (mut after, mut away) = (0, BTreeSet::new());
    loop {
        let lines = lines(&context.shard, wanted, after).await?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.id;
        let targets = targets(&context.shard, &context.map.current(), &lines).await?;
        let mut by_cell: BTreeMap<CellId, BTreeMap<UserId, wire::Person>> = BTreeMap::new();
        for (line, cells) in lines.iter().zip(&targets) {
            let mut entries = line.own.entries(&context.map.current());
            for cell in cells.iter().filter(|cell| !away.contains(*cell)) {
                let words = entries.remove(cell).unwrap_or_default();
                by_cell.entry(*cell).or_default().insert(line.own.user_id(), line.own.to_wire(Some(words)));
            }
        }
        let round_ms = rounds::current(&context.shard).await?;
        let puts = by_cell.into_iter().map(async |(cell, people)| {
            let people = people.into_values().collect();
            (cell, send(context, cell, round_ms, people).await.is_some())
        });
        away.extend(join_all(puts).await.into_iter().filter(|(_, put)| !put).map(|(cell, _)| cell));
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for (line, cells) in lines.iter().zip(&targets) {
            let rest: Vec<i32> = cells.intersection(&away).map(|cell| cell.0 as i32).collect();
            if rest.is_empty() { done.push(line.id) } else { left.push((line.id, rest)) }
        }
        settle(&context.shard, &done, &left).await?;
    }
}

/// Sends copies to a cell, which may be this one. Its era, when it has them.
pub(super) async fn send(
    context: &Context,
    cell: CellId,
    round_ms: i64,
    people: Vec<wire::Person>,
) -> Option<skep_protocol::Era> {
    let copies = Copies { home: context.cell, era: context.shard.era(), round_ms, people };
    if cell == context.cell {
        return copies::put(&context.shard, &copies).await.ok().map(|()| context.shard.era());
    }
    context.peers.put_people(cell, copies).await.ok()
}

/// The cells of people who know these ones.
pub(super) async fn cells_that_know(
    shard: &Shard,
    map: &SlotMap,
    users: impl Iterator<Item = UserId>,
) -> Result<BTreeMap<UserId, BTreeSet<CellId>>, StorageError> {
    let sql = "SELECT u.id, o.others FROM unnest($1::uuid[]) AS u (id)
        CROSS JOIN LATERAL (SELECT array_agg(DISTINCT k.other_id) AS others FROM known k
                            WHERE k.user_id = u.id AND k.other_id IS NOT NULL) o";
    let ids: Vec<Uuid> = users.map(|user| user.uuid()).collect();
    let client = shard.connection().await?;
    let rows = client.query(&client.prepare_cached(sql).await?, &[&ids]).await?;
    let cells = |row: &tokio_postgres::Row| {
        let others: Option<Vec<Uuid>> = row.try_get(1)?;
        let others = others.into_iter().flatten().filter_map(|other| UserId::from_uuid(other).ok());
        Ok((copies::user(row.try_get(0)?)?, others.filter_map(|other| map.owner(other.slot())).collect()))
    };
    rows.iter().map(cells).collect()
}

/// Where each line must go.
async fn targets(shard: &Shard, map: &SlotMap, lines: &[Line]) -> Result<Vec<BTreeSet<CellId>>, StorageError> {
    let fresh = lines.iter().filter(|line| line.cells.is_none()).map(|line| line.own.user_id());
    let known = cells_that_know(shard, map, fresh).await?;
    let targets = lines.iter().map(|line| match &line.cells {
        Some(cells) => cells.clone(),
        None => {
            let before = line.before.iter().flat_map(|(username, name)| by_cell(map, words::entries(username, name)));
            let now = line.own.entries(map);
            let know = known.get(&line.own.user_id()).into_iter().flatten().copied();
            before.chain(now).map(|(cell, _)| cell).chain(know).collect()
        }
    });
    Ok(targets.collect())
}

async fn lines(shard: &Shard, wanted: Lines, after: i64) -> Result<Vec<Line>, StorageError> {
    let which = if wanted == Lines::Fresh { "AND o.cells IS NULL" } else { "" };
    let sql = format!(
        "SELECT o.entry_id, o.username, o.display_name, o.cells, {OWN_COLUMNS}
         FROM search_outbox o JOIN users u ON u.user_id = o.user_id
         WHERE o.entry_id > $1 {which} ORDER BY o.entry_id LIMIT $2"
    );
    let client = shard.connection().await?;
    let rows = client.query(&client.prepare_cached(&sql).await?, &[&after, &BATCH]).await?;
    let line = |row: &tokio_postgres::Row| -> Result<Line, StorageError> {
        let names: (Option<String>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
        let cells: Option<Vec<i32>> = row.try_get(3)?;
        Ok(Line {
            id: row.try_get(0)?,
            own: Own::of_row(row, 4)?,
            before: names.0.zip(names.1),
            cells: cells.map(|cells| cells.into_iter().map(|cell| CellId(cell as u32)).collect()),
        })
    };
    rows.iter().map(line).collect()
}

async fn settle(shard: &Shard, done: &[i64], left: &[(i64, Vec<i32>)]) -> Result<(), StorageError> {
    let mut connection = shard.connection().await?;
    let tx = shard.begin(&mut connection).await?;
    tx.execute("DELETE FROM search_outbox WHERE entry_id = ANY ($1)", &[&done]).await?;
    for (line, cells) in left {
        tx.execute("UPDATE search_outbox SET cells = $2 WHERE entry_id = $1", &[line, cells]).await?;
    }
    tx.commit().await?;
    Ok(())
}
