//! Histories of the shard. A shard that was restored from an older copy, or failed over with a loss, has other batches
//! at positions that were given before: a token or cursor from before counts only up to where the new era began.

use std::time::Duration;

use skep_protocol::{CellId, Epoch, Era, Lane, Pos};
use tokio::time::Instant;
use tokio_postgres::Client;

use super::connect::{Database, Purpose};
use super::error::StorageError;
use super::{decode, lease, schema};

/// How long a restore waits for a lease that is being let go.
const LOCK_WITHIN: Duration = Duration::from_secs(2);

/// More take-overs than there can have been since a backup: one a second for thirty years.
const EPOCHS_LOST: i64 = 1_000_000_000;

/// Where an era began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EraStart {
    pub era: Era,
    /// PostgreSQL's system and timeline at that time.
    pub timeline: String,
    /// Where each lane stood, mirror lane first.
    pub starts: Vec<Pos>,
}

/// How far a position that was given in `era` still means the same: to where the first later era began.
pub(super) fn holds_up_to(eras: &[EraStart], era: Era, lane: Lane, pos: Pos) -> Pos {
    let start = |e: &EraStart| e.starts.get(usize::from(lane.0)).copied().unwrap_or(Pos::ZERO);
    eras.iter().filter(|e| e.era > era).map(start).fold(pos, Pos::min)
}

/// The number of an era that begins now: seconds since 2020 by the database's clock. Counting would give the same
/// number to two histories when a shard is restored from the same copy twice.
pub(super) const NEXT_ERA: &str =
    "SELECT greatest(max(era) + 1, extract(epoch FROM now())::bigint::integer - 1577836800) FROM eras";

async fn next(tx: &tokio_postgres::Transaction<'_>, eras: &[EraStart]) -> Result<Era, StorageError> {
    if eras.is_empty() {
        return Ok(Era(1));
    }
    decode::era(&tx.query_one(NEXT_ERA, &[]).await?, 0)
}

/// The database's own name of its history: another after a restore, a promotion, or a move to a new installation.
pub(super) async fn timeline(client: &Client) -> Result<String, StorageError> {
    let sql = "SELECT system_identifier::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
               FROM pg_control_system()";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}

/// All eras; a new one begins when the timeline is not the last one's.
pub(super) async fn enter(
    client: &mut Client,
    epoch: Epoch,
    timeline: &str,
    positions: &[Pos],
) -> Result<Vec<EraStart>, StorageError> {
    let mut eras = all(client).await?;
    if eras.last().is_some_and(|last| last.timeline == timeline) {
        return Ok(eras);
    }
    let tx = client.transaction().await?;
    tx.execute("SELECT lease_check($1)", &[&(epoch.0 as i64)]).await?;
    let era = EraStart { era: next(&tx, &eras).await?, timeline: timeline.to_owned(), starts: positions.to_vec() };
    insert(&tx, &era).await?;
    tx.commit().await?;
    if !eras.is_empty() {
        tracing::warn!(era = %era.era, timeline, "the shard has a new history: a new era begins");
    }
    eras.push(era);
    Ok(eras)
}

/// For operators, after the shard was restored from a backup by hand and before its cell starts: begins a new era.
pub async fn mark_restored(conninfo: &str, cell: CellId) -> Result<Era, StorageError> {
    let database = Database::parse(conninfo, cell)?;
    let mut link = database.connect(Purpose::Upgrade, None).await?;
    schema::upgrade(&mut link.client).await?;
    // A cell that has just ended lets go of it in a moment.
    let given_up = Instant::now() + LOCK_WITHIN;
    while !lease::try_lock(&link.client).await? {
        if Instant::now() > given_up {
            return Err(StorageError::Mismatch("a cell is running on this shard: stop it first".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let timeline = timeline(&link.client).await?;
    let positions = positions(&link.client).await?;
    let eras = all(&link.client).await?;
    let tx = link.client.transaction().await?;
    let era = next(&tx, &eras).await?;
    insert(&tx, &EraStart { era, timeline, starts: positions }).await?;
    // Others remember epochs of processes that this copy has never heard of: its next ones are newer than all of them.
    tx.execute("UPDATE lease SET epoch = epoch + $1", &[&EPOCHS_LOST]).await?;
    tx.commit().await?;
    Ok(era)
}

/// Where each lane stands, mirror lane first.
pub(super) async fn positions(client: &Client) -> Result<Vec<Pos>, StorageError> {
    let rows = client.query(POSITIONS, &[]).await?;
    rows.iter().map(|row| decode::pos(row, 1)).collect()
}

/// One row a lane, in order.
pub(super) const POSITIONS: &str =
    "SELECT l.lane, coalesce((SELECT max(g.pos) FROM lane_log g WHERE g.lane = l.lane), 0)
     FROM lanes l ORDER BY l.lane";

async fn all(client: &Client) -> Result<Vec<EraStart>, StorageError> {
    let rows = client.query("SELECT era, timeline, starts FROM eras ORDER BY era", &[]).await?;
    let era = |row: &tokio_postgres::Row| {
        let starts: Vec<i64> = row.try_get(2)?;
        let starts = starts.into_iter().map(|pos| Pos(pos as u64)).collect();
        Ok(EraStart { era: decode::era(row, 0)?, timeline: row.try_get(1)?, starts })
    };
    rows.iter().map(era).collect()
}

/// For every new era: a home may have lost what it confirmed, or may have confirmed more than this shard knows. All of it
/// is told once more.
pub(super) const DOUBT_BLOCKS: &str = "UPDATE blocks SET confirmed = false WHERE confirmed";

async fn insert(tx: &tokio_postgres::Transaction<'_>, era: &EraStart) -> Result<(), StorageError> {
    let starts: Vec<i64> = era.starts.iter().map(|pos| pos.0 as i64).collect();
    let sql = "INSERT INTO eras (era, timeline, starts) VALUES ($1, $2, $3)";
    tx.execute(sql, &[&(era.era.0 as i32), &era.timeline, &starts]).await?;
    tx.execute(DOUBT_BLOCKS, &[]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_holds_unless_a_later_era_begins_below_it() {
        let era = |era, starts: [u64; 2]| EraStart {
            era: Era(era),
            timeline: String::new(),
            starts: starts.into_iter().map(Pos).collect(),
        };
        let eras = [era(1, [0, 0]), era(2, [10, 20]), era(3, [30, 15])];
        let holds = |era, lane, pos| holds_up_to(&eras, Era(era), Lane(lane), Pos(pos)) == Pos(pos);
        assert!(holds(1, 0, 10) && !holds(1, 0, 11));
        assert!(holds(1, 1, 15) && !holds(1, 1, 16), "the lowest later start counts");
        assert!(holds(2, 0, 30) && !holds(2, 0, 31));
        assert!(holds(3, 0, 1_000));
        let lost = [era(1, [0, 0]), era(9, [10, 20])];
        assert_eq!(holds_up_to(&lost, Era(5), Lane(0), Pos(11)), Pos(10), "an era that was itself lost");
        assert!(!holds(2, 7, 1) && holds(3, 7, 1), "a lane that is new");
    }
}
