//! How a process comes to hold a shard: wait for the lease, take it, fence the former holder off.

use std::sync::Arc;
use std::time::Duration;

use skep_core::Cursor;
use skep_protocol::{CellId, Epoch, Pos, limits};
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connect::{Database, Link, Purpose};
use super::error::StorageError;
use super::lease::{self, Keeper, LOCK, Lease};
use super::shard::{Shard, pools};
use super::{eras, schema, upkeep};

/// A lock that has been free for so long is nobody's: a holder that lost its session is back sooner.
const FREE_FOR: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const SAY_EVERY: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A shard that this process holds, and where it stands.
#[derive(Debug)]
pub struct Opening {
    pub shard: Arc<Shard>,
    /// Of all lanes, mirror lane first.
    pub positions: Vec<Pos>,
    /// How far the peers' lanes have been taken.
    pub cursors: Vec<Cursor>,
}

impl Shard {
    /// Waits for the lease on a shard for as long as it takes, and takes it. `conninfo` is a connection string as libpq
    /// takes it; `home_lanes` is how many a new shard is made with; `holder` tells operators who has the lease. Fails
    /// only where waiting cannot help: another cell's shard, tables that cannot be upgraded. May be dropped at any
    /// time.
    pub async fn open(conninfo: &str, cell: CellId, home_lanes: u16, holder: String) -> Result<Opening, StorageError> {
        let database = Database::parse(conninfo, cell)?;
        let mut wait = RETRY;
        loop {
            match attempt(&database, home_lanes, &holder).await {
                Ok(opening) => return Ok(opening),
                Err(StorageError::Unavailable(why)) => {
                    tracing::warn!(%cell, why, retry_ms = wait.as_millis() as u64, "the shard cannot be opened yet");
                }
                Err(StorageError::Superseded) => tracing::warn!(%cell, "another process took the lease meanwhile"),
                Err(e) => return Err(e),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }
}

async fn attempt(database: &Database, home_lanes: u16, holder: &str) -> Result<Opening, StorageError> {
    let link = database.connect(Purpose::Lease, None).await?;
    check_durability(&link.client).await?;
    if schema::is_fresh(&link.client).await? {
        let mut upgrade = database.connect(Purpose::Upgrade, None).await?;
        schema::upgrade(&mut upgrade.client).await?;
    }
    let home_lanes = check_identity(&link.client, database.cell, home_lanes).await?;
    let (epoch, sent_ms) = take(&link.client, database, holder).await?;
    let name = database.application_name(Purpose::Lease, Some(epoch));
    link.client.execute("SELECT set_config('application_name', $1, false)", &[&name]).await?;
    tracing::info!(cell = %database.cell, %epoch, "the lease on the shard is taken");

    let lease = Lease::taken(epoch, sent_ms);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let letting_go = stop.clone().drop_guard();
    tasks.spawn(Keeper::new(lease.clone(), database.clone()).run(link, stop.clone()));

    let mut upgrade = database.connect(Purpose::Upgrade, Some(epoch)).await?;
    fence(&mut upgrade, epoch).await?;
    schema::upgrade(&mut upgrade.client).await?;
    let positions = eras::positions(&upgrade.client).await?;
    let timeline = eras::timeline(&upgrade.client).await?;
    let eras = eras::enter(&mut upgrade.client, epoch, &timeline, &positions).await?;
    let (readers, loaders) = pools(database, epoch)?;
    letting_go.disarm();
    let database = database.clone();
    let shard = Arc::new(Shard { database, home_lanes, lease, eras, readers, loaders, stop, tasks });
    shard.tasks.spawn(upkeep::run(shard.readers.clone(), epoch, shard.stop.clone()));
    let cursors = shard.cursors().await?;
    Ok(Opening { shard, positions, cursors })
}

/// An acknowledged message must survive a crash of the machine. Test databases say `-c skep.fsync=any` in `options=`.
async fn check_durability(client: &Client) -> Result<(), StorageError> {
    let sql = "SELECT current_setting('fsync') = 'on' OR current_setting('skep.fsync', true) = 'any'";
    let is_durable: bool = client.query_one(sql, &[]).await?.try_get(0)?;
    if is_durable {
        return Ok(());
    }
    Err(StorageError::Mismatch("this PostgreSQL has fsync off: it would lose acknowledged messages".to_owned()))
}

/// A shard belongs to one cell for life, and has the lanes that it was made with: its conversations are spread over
/// them. Gives their number.
async fn check_identity(client: &Client, cell: CellId, home_lanes: u16) -> Result<u16, StorageError> {
    let made = "INSERT INTO shard (cell_id, home_lanes) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    client.execute(made, &[&(cell.0 as i32), &(home_lanes as i16)]).await?;
    let row = client.query_one("SELECT cell_id, home_lanes FROM shard", &[]).await?;
    let (stored_cell, stored_lanes): (i32, i16) = (row.try_get(0)?, row.try_get(1)?);
    if stored_cell != cell.0 as i32 {
        return Err(StorageError::Mismatch(format!("this is the shard of cell {stored_cell}, not of cell {cell}")));
    }
    if stored_lanes != home_lanes as i16 {
        tracing::warn!(stored_lanes, home_lanes, "the shard keeps the home lanes that it was made with");
    }
    let lanes = "INSERT INTO lanes (lane, writer) SELECT l, 0 FROM generate_series(0, $1::smallint) l
                 ON CONFLICT DO NOTHING";
    client.execute(lanes, &[&stored_lanes]).await?;
    Ok(stored_lanes as u16)
}

/// Waits for its turn and moves the epoch. Gives the new epoch, and when the statement was sent that began it.
async fn take(client: &Client, database: &Database, holder: &str) -> Result<(Epoch, i64), StorageError> {
    loop {
        let seen = wait_for_turn(client).await?;
        end_connections(client, database, seen).await?;
        if !lock_soon(client).await? {
            continue;
        }
        let sent_ms = lease::uptime_ms();
        let sql = "UPDATE lease SET epoch = epoch + 1, holder = $2, expires_at = now() + $3 * interval '1 millisecond'
                   WHERE epoch = $1 RETURNING epoch";
        let taken = client.query_opt(sql, &[&(seen.0 as i64), &holder, &(limits::LEASE_MS as f64)]).await;
        match taken.map_err(StorageError::from) {
            Ok(Some(row)) => return Ok((Epoch(row.try_get::<_, i64>(0)? as u64), sent_ms)),
            Ok(None) => {}
            // A transaction of the former holder is still there: its connection is ended again.
            Err(StorageError::Unavailable(why)) if !client.is_closed() => tracing::debug!(why, "the lease is busy"),
            Err(e) => return Err(e),
        }
        client.execute("SELECT pg_advisory_unlock($1, $2)", &[&LOCK.0, &LOCK.1]).await?;
    }
}

/// Until the lock has been free for a second, or the lease has run out.
async fn wait_for_turn(client: &Client) -> Result<Epoch, StorageError> {
    let sql = "SELECT epoch, holder, expires_at <= now(), NOT EXISTS (
                   SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
                   AND classid = $1::integer::oid AND objid = $2::integer::oid
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
               FROM lease";
    let mut free_since: Option<Instant> = None;
    let mut said: Option<Instant> = None;
    loop {
        let row = client.query_one(sql, &[&LOCK.0, &LOCK.1]).await?;
        let (epoch, holder): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let (has_run_out, is_free): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
        free_since = is_free.then(|| free_since.unwrap_or_else(Instant::now));
        if has_run_out || free_since.is_some_and(|since| since.elapsed() >= FREE_FOR) {
            return Ok(Epoch(epoch as u64));
        }
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            tracing::info!(epoch, holder, "waiting for the lease on the shard");
            said = Some(Instant::now());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Ends what the former holder still has open: a frozen process, or one cut off from here, does not do it itself.
async fn end_connections(client: &Client, database: &Database, epoch: Epoch) -> Result<(), StorageError> {
    let name = format!("skep/{}/{epoch}/%", database.cell);
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE $1";
    let ended = client.query(sql, &[&name]).await?.len();
    if ended > 0 {
        tracing::info!(%epoch, ended, "connections of the former holder were ended");
    }
    Ok(())
}

/// The lock, as soon as the ended session has let go of it.
async fn lock_soon(client: &Client) -> Result<bool, StorageError> {
    let since = Instant::now();
    while since.elapsed() < FREE_FOR {
        if lease::try_lock(client).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_EVERY / 10).await;
    }
    Ok(false)
}

/// After this no batch of a former holder can take effect, and where the lanes stand is settled.
async fn fence(link: &mut Link, epoch: Epoch) -> Result<(), StorageError> {
    let lanes = link.client.query("SELECT lane FROM lanes ORDER BY lane", &[]).await?;
    for row in lanes {
        let lane: i16 = row.try_get(0)?;
        let tx = link.client.transaction().await?;
        tx.execute("SELECT lease_check($1)", &[&(epoch.0 as i64)]).await?;
        tx.execute("UPDATE lanes SET writer = writer + 1 WHERE lane = $1", &[&lane]).await?;
        tx.commit().await?;
    }
    Ok(())
}
