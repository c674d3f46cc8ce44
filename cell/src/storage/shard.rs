//! An open shard: its pools, its lease, its eras.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use skep_core::{Cursor, sync::Token};
use skep_protocol::{CellId, Epoch, Era, Lane, Pos};
use tokio_postgres::NoTls;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connect::{Database, Purpose};
use super::eras::{self, EraStart};
use super::error::StorageError;
use super::lease::Lease;
use super::writer::LaneWriter;

/// Connections for people's reads and account transactions. PostgreSQL allows 100 in all unless told otherwise.
const READERS: usize = 16;
/// Connections for what lanes load: theirs alone, so that a crowd of readers does not stop messages.
const LOADERS: usize = 6;
const POOL_WAIT: Duration = Duration::from_secs(4);
const POOL_CREATE: Duration = Duration::from_secs(4);
const POOL_RECYCLE: Duration = Duration::from_secs(2);

/// A pooled connection. Statements through `prepare_cached` with constant texts only.
pub type Connection = deadpool_postgres::Client;
/// A transaction on a pooled connection; rolled back when dropped.
pub type Transaction<'a> = deadpool_postgres::Transaction<'a>;

/// A cell's PostgreSQL, held by this process's lease.
#[derive(Debug)]
pub struct Shard {
    pub(super) database: Database,
    pub(super) home_lanes: u16,
    pub(super) lease: Lease,
    pub(super) eras: Vec<EraStart>,
    pub(super) readers: Pool,
    pub(super) loaders: Pool,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Shard {
    /// The cell whose shard it is.
    pub fn cell(&self) -> CellId {
        self.database.cell
    }

    /// How many home lanes it was made with.
    pub fn home_lanes(&self) -> u16 {
        self.home_lanes
    }

    /// The lease epoch of this process.
    pub fn epoch(&self) -> Epoch {
        self.lease.epoch()
    }

    /// The current era.
    pub fn era(&self) -> Era {
        self.eras.last().expect("opening a shard begins an era").era
    }

    /// All eras, oldest first.
    pub fn eras(&self) -> &[EraStart] {
        &self.eras
    }

    /// The lease, to be looked at before every answer.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// How far a position of a home lane, given in `era`, still means the same batches. (Eras that were themselves lost
    /// are not known here: whatever was before them and before this one's start is.)
    pub fn holds_up_to(&self, era: Era, lane: Lane, pos: Pos) -> Pos {
        eras::holds_up_to(&self.eras, era, lane, pos)
    }

    /// Whether all that a peer has taken of a home lane is still there.
    pub fn cursor_holds(&self, cursor: &Cursor) -> bool {
        let (era, rows) = cursor.rows;
        self.holds_up_to(cursor.era, cursor.lane, cursor.pos) == cursor.pos
            && self.holds_up_to(era, cursor.lane, rows) == rows
    }

    /// Whether a person's sync can go on from this token; if not it is a full one. Not from one of an earlier era,
    /// however low it stands: what the client has been pushed beyond it may be lost.
    pub fn token_holds(&self, token: &Token) -> bool {
        token.cell == self.cell() && token.era == self.era()
    }

    /// The one writer of a lane: an earlier one of the same lane is fenced off.
    pub async fn lane_writer(&self, lane: Lane) -> Result<LaneWriter, StorageError> {
        LaneWriter::open(self, lane).await
    }

    /// A pooled connection for reads and account transactions. Waits at most a few seconds.
    pub async fn connection(&self) -> Result<Connection, StorageError> {
        Ok(self.readers.get().await?)
    }

    /// A pooled connection for what a lane or fan-out loads.
    pub(super) async fn loader(&self) -> Result<Connection, StorageError> {
        Ok(self.loaders.get().await?)
    }

    /// Begins a transaction that is no lane's batch, behind a check that this process still holds the lease. What it
    /// writes is committed when every statement and `commit()` succeeded.
    pub async fn begin<'a>(&self, connection: &'a mut Connection) -> Result<Transaction<'a>, StorageError> {
        let tx = connection.transaction().await?;
        let check = tx.prepare_cached("SELECT lease_check($1)").await?;
        tx.execute(&check, &[&(self.epoch().0 as i64)]).await?;
        Ok(tx)
    }

    /// Lets go of the lease, so that the next process need not wait. Lane writers must be idle by now.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.readers.close();
        self.loaders.close();
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The two pools: readers, loaders.
pub(super) fn pools(database: &Database, epoch: Epoch) -> Result<(Pool, Pool), StorageError> {
    let pool = |size| {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(database.config(Purpose::Pool, Some(epoch)), NoTls, recycling);
        Pool::builder(manager)
            .max_size(size)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(POOL_CREATE))
            .recycle_timeout(Some(POOL_RECYCLE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| StorageError::Mismatch(e.to_string()))
    };
    Ok((pool(READERS)?, pool(LOADERS)?))
}
