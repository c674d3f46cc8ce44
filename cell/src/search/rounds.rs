//! Healing: all people of this cell are sent again, page by page, round after round. A round is slow, unless a cell is
//! known to have lost something: its shard, or this one, has begun a new era since it last got a whole round.
//!
//! What a cell has not been sent in a whole round is no longer so: it is swept at the round's end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use skep_protocol::{CellId, Era, wire};
use uuid::Uuid;

use super::copies::{OWN_COLUMNS, Own};
use super::outbox::{cells_that_know, send};
use crate::{
    context::Context,
    shell::now,
    storage::{Shard, StorageError},
};

const PAGE: i64 = 100;
/// A hundred people a second: a million in three hours, at less than a hundredth of a core.
const PACE: Duration = Duration::from_secs(1);
/// While something is known to be lost.
const HURRY: Duration = Duration::from_millis(5);
/// Between rounds, and while the shard is away.
const PAUSE: Duration = Duration::from_secs(30);
/// How soon somebody's call for a round is noticed.
const NOTICE: Duration = Duration::from_secs(1);
/// People swept in one statement.
const SWEEP: i64 = 1_000;

/// A round under way, or the last one.
struct Round {
    begun_ms: i64,
    era: Era,
    after: Uuid,
    hurried: bool,
}

/// How a round goes with a cell.
#[derive(Clone, Copy)]
struct Heard {
    /// Its era when it was first heard of.
    era: Option<Era>,
    missed: bool,
    /// Both eras, this shard's and its own, at the last round that it got whole.
    whole: Option<(Era, Era)>,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Page,
    Hurried,
    Finished,
}

/// Nobody's id comes after it: the round has come to its end.
const END: Uuid = Uuid::max();

/// The number of the round under way: copies carry it.
pub(super) async fn current(shard: &Shard) -> Result<i64, StorageError> {
    Ok(round(shard).await?.map_or(0, |round| round.begun_ms))
}

/// For operators: a round begins at once, and goes without pauses.
pub async fn hurry(shard: &Shard) -> Result<(), StorageError> {
    let mut connection = shard.connection().await?;
    let tx = shard.begin(&mut connection).await?;
    tx.execute("UPDATE search_round SET after = $1, hurried = true", &[&END]).await?;
    tx.commit().await?;
    Ok(())
}

/// Sends everybody again, until the process stops.
pub async fn send_all(context: Arc<Context>) {
    loop {
        let mut wait = match step(&context).await {
            Ok(Step::Page) => PACE,
            Ok(Step::Hurried) => HURRY,
            Ok(Step::Finished) => PAUSE,
            Err(error) => {
                tracing::warn!(%error, "people's names are not sent again for now");
                PAUSE
            }
        };
        while !wait.is_zero() {
            let nap = wait.min(NOTICE);
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = context.hub.stopped() => return,
            }
            let is_hurried = round(&context.shard).await.is_ok_and(|round| round.is_some_and(|round| round.hurried));
            wait = if is_hurried { Duration::ZERO } else { wait - nap };
        }
    }
}

async fn step(context: &Context) -> Result<Step, StorageError> {
    let round = match round(&context.shard).await? {
        Some(round) if round.era == context.shard.era() && round.after != END => round,
        before => return begin(context, before).await,
    };
    let people = page(&context.shard, round.after).await?;
    let Some(last) = people.last().map(|own| own.user_id().uuid()) else {
        finish(context, &round).await?;
        return Ok(Step::Finished);
    };
    let map = context.map.current();
    let know = cells_that_know(&context.shard, &map, people.iter().map(Own::user_id)).await?;
    let mut by_cell: BTreeMap<CellId, Vec<wire::Person>> = BTreeMap::new();
    for own in &people {
        let mut entries = own.entries(&map);
        let know: BTreeSet<CellId> = know.get(&own.user_id()).cloned().unwrap_or_default();
        let cells: BTreeSet<CellId> = entries.keys().copied().chain(know).collect();
        for cell in cells {
            let words = entries.remove(&cell).unwrap_or_default();
            by_cell.entry(cell).or_default().push(own.to_wire(Some(words)));
        }
    }
    let heard = heard(&context.shard).await?;
    // To whom this round is not whole anyway nothing more is sent in it.
    by_cell.retain(|cell, _| heard.get(cell).is_some_and(|heard| !heard.missed));
    let sent =
        by_cell.into_iter().map(async |(cell, people)| (cell, send(context, cell, round.begun_ms, people).await));
    let mut missed = Vec::new();
    for (cell, era) in join_all(sent).await {
        if era.is_none() {
            missed.push(cell.0 as i32);
        } else if heard.get(&cell).is_some_and(|heard| heard.era != era) {
            // Restored meanwhile: what it has been sent may be lost.
            return begin(context, Some(round)).await;
        }
    }
    let mut connection = context.shard.connection().await?;
    let tx = context.shard.begin(&mut connection).await?;
    let sql = "UPDATE search_round SET after = $1 WHERE begun_ms = $2 AND after <> $3";
    tx.execute(sql, &[&last, &round.begun_ms, &END]).await?;
    tx.execute("UPDATE search_round_cells SET missed = true WHERE cell_id = ANY ($1)", &[&missed]).await?;
    tx.commit().await?;
    Ok(if round.hurried { Step::Hurried } else { Step::Page })
}

/// Asks every cell for its era. The round is hurried where somebody called for it, or one that answers has had none
/// whole since its era, or this shard's, began.
async fn begin(context: &Context, before: Option<Round>) -> Result<Step, StorageError> {
    let begun_ms = before.as_ref().map_or(0, |before| before.begun_ms + 1).max(now().0);
    let (own, heard) = (context.shard.era(), heard(&context.shard).await?);
    let cells: Vec<CellId> = context.map.current().cells.keys().copied().collect();
    let eras = join_all(cells.iter().map(async |cell| send(context, *cell, begun_ms, Vec::new()).await)).await;
    let lost = |(cell, era): (&CellId, &Option<Era>)| {
        era.is_some_and(|era| heard.get(cell).is_none_or(|heard| heard.whole != Some((own, era))))
    };
    let was_asked = before.is_some_and(|before| before.after == END && before.hurried);
    let hurried = was_asked || cells.iter().zip(&eras).any(lost);
    let ids: Vec<i32> = cells.iter().map(|cell| cell.0 as i32).collect();
    let eras: Vec<Option<i32>> = eras.iter().map(|era| era.map(|era| era.0 as i32)).collect();

    let mut connection = context.shard.connection().await?;
    let tx = context.shard.begin(&mut connection).await?;
    let sql = "INSERT INTO search_round (begun_ms, era, after, hurried) VALUES ($1, $2, $3, $4)
        ON CONFLICT (one) DO UPDATE SET begun_ms = $1, era = $2, after = $3, hurried = $4";
    tx.execute(sql, &[&begun_ms, &(own.0 as i32), &Uuid::nil(), &hurried]).await?;
    let sql = "INSERT INTO search_round_cells (cell_id, era, missed)
        SELECT u.cell, u.era, u.era IS NULL FROM unnest($1::integer[], $2::integer[]) AS u (cell, era)
        ON CONFLICT (cell_id) DO UPDATE SET era = excluded.era, missed = excluded.missed";
    tx.execute(sql, &[&ids, &eras]).await?;
    tx.commit().await?;
    if hurried {
        tracing::info!(begun_ms, "all people's names are sent to the cells again");
    }
    Ok(if hurried { Step::Hurried } else { Step::Page })
}

/// Sweeps each cell that got the whole round, and notes that.
async fn finish(context: &Context, round: &Round) -> Result<(), StorageError> {
    let heard = heard(&context.shard).await?;
    let whole = heard.into_iter().filter_map(|(cell, heard)| Some((cell, heard.era.filter(|_| !heard.missed)?)));
    let swept = whole.map(async |(cell, era)| {
        let swept = if cell == context.cell {
            sweep(&context.shard, cell, round.begun_ms).await.is_ok()
        } else {
            context.peers.sweep_people(cell, context.cell, round.begun_ms).await.is_ok()
        };
        (cell, era, swept)
    });
    let swept: Vec<_> = join_all(swept).await.into_iter().filter(|(.., swept)| *swept).collect();
    let mut connection = context.shard.connection().await?;
    let tx = context.shard.begin(&mut connection).await?;
    for (cell, era, _) in swept {
        let sql = "UPDATE search_round_cells SET whole_own = $2, whole_theirs = $3 WHERE cell_id = $1";
        tx.execute(sql, &[&(cell.0 as i32), &(round.era.0 as i32), &(era.0 as i32)]).await?;
    }
    // Unless somebody has called for the next one meanwhile.
    let sql = "UPDATE search_round SET after = $1, hurried = false WHERE begun_ms = $2 AND after <> $1";
    tx.execute(sql, &[&END, &round.begun_ms]).await?;
    tx.commit().await?;
    Ok(())
}

/// At a cell that got a whole round of another (or its own): people of that one whom the round did not name are no
/// longer found here. Who knows them has them asked for.
pub async fn sweep(shard: &Shard, home: CellId, round_ms: i64) -> Result<(), StorageError> {
    let sql = "
        WITH stale AS (SELECT user_id FROM profiles WHERE home = $1 AND round_ms < $2
                       ORDER BY round_ms LIMIT $3 FOR UPDATE SKIP LOCKED),
            entries AS (DELETE FROM search_entries e USING stale s WHERE e.user_id = s.user_id),
            asked AS (UPDATE known k SET ask = true FROM stale s WHERE k.other_id = s.user_id),
            kept AS (UPDATE profiles p SET round_ms = $2 FROM stale s WHERE p.user_id = s.user_id
                     AND EXISTS (SELECT 1 FROM known k WHERE k.other_id = s.user_id)),
            dropped AS (DELETE FROM profiles p USING stale s WHERE p.user_id = s.user_id
                        AND NOT EXISTS (SELECT 1 FROM known k WHERE k.other_id = s.user_id))
        SELECT count(*) FROM stale";
    loop {
        let mut connection = shard.connection().await?;
        let tx = shard.begin(&mut connection).await?;
        let statement = tx.prepare_cached(sql).await?;
        let swept: i64 = tx.query_one(&statement, &[&(home.0 as i32), &round_ms, &SWEEP]).await?.try_get(0)?;
        tx.commit().await?;
        if swept < SWEEP {
            return Ok(());
        }
    }
}

async fn round(shard: &Shard) -> Result<Option<Round>, StorageError> {
    let client = shard.connection().await?;
    let statement = client.prepare_cached("SELECT begun_ms, era, after, hurried FROM search_round").await?;
    let row = client.query_opt(&statement, &[]).await?;
    let round = |row: tokio_postgres::Row| {
        let era = Era(row.try_get::<_, i32>(1)? as u32);
        Ok(Round { begun_ms: row.try_get(0)?, era, after: row.try_get(2)?, hurried: row.try_get(3)? })
    };
    row.map(round).transpose()
}

async fn heard(shard: &Shard) -> Result<BTreeMap<CellId, Heard>, StorageError> {
    let sql = "SELECT cell_id, era, missed, whole_own, whole_theirs FROM search_round_cells ORDER BY cell_id";
    let client = shard.connection().await?;
    let rows = client.query(&client.prepare_cached(sql).await?, &[]).await?;
    let era = |row: &tokio_postgres::Row, at: usize| -> Result<Option<Era>, StorageError> {
        Ok(row.try_get::<_, Option<i32>>(at)?.map(|era| Era(era as u32)))
    };
    let heard = |row: &tokio_postgres::Row| {
        let whole = era(row, 3)?.zip(era(row, 4)?);
        let heard = Heard { era: era(row, 1)?, missed: row.try_get(2)?, whole };
        Ok((CellId(row.try_get::<_, i32>(0)? as u32), heard))
    };
    rows.iter().map(heard).collect()
}

async fn page(shard: &Shard, after: Uuid) -> Result<Vec<Own>, StorageError> {
    let sql = format!(
        "SELECT {OWN_COLUMNS} FROM users u WHERE u.user_id > $1 AND u.state = 'account' ORDER BY u.user_id LIMIT $2"
    );
    let client = shard.connection().await?;
    let rows = client.query(&client.prepare_cached(&sql).await?, &[&after, &PAGE]).await?;
    rows.iter().map(|row| Own::of_row(row, 0)).collect()
}
