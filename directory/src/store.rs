//! The map in the directory's own database.

use skep_protocol::{CellEntry, CellId, Epoch, Slot, SlotMap};
use tokio_postgres::{Client, NoTls};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Why the map could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the directory's database cannot be used: {0}")]
    Database(#[from] tokio_postgres::Error),
    #[error("the directory's schema could not be brought up to date: {0}")]
    Migration(#[from] refinery::Error),
    #[error("the map was changed by another process")]
    Changed,
}

/// A connection to the directory's database.
pub(crate) struct Store(Client);

impl Store {
    /// Connects and brings the schema up to date, one process at a time.
    pub async fn open(database: &str) -> Result<Self, StoreError> {
        let (mut client, connection) = tokio_postgres::connect(database, NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "the database connection ended");
            }
        });
        client.execute("select pg_advisory_lock(1)", &[]).await?;
        let migrated = embedded::migrations::runner().run_async(&mut client).await;
        client.execute("select pg_advisory_unlock(1)", &[]).await?;
        migrated?;
        Ok(Self(client))
    }

    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    pub async fn read(&self) -> Result<SlotMap, StoreError> {
        let mut map = SlotMap::default();
        map.epoch = Epoch(self.0.query_one("select epoch from map", &[]).await?.try_get::<_, i64>(0)?.unsigned_abs());
        let cells = "select cell_id, relay_address, http_address, socket_url, process_epoch from cells";
        for row in self.0.query(cells, &[]).await? {
            let cell_id = CellId(row.try_get::<_, i32>(0)?.unsigned_abs());
            let entry = CellEntry {
                cell_id,
                relay_address: row.try_get(1)?,
                http_address: row.try_get(2)?,
                socket_url: row.try_get(3)?,
                process_epoch: Epoch(row.try_get::<_, i64>(4)?.unsigned_abs()),
            };
            map.cells.insert(cell_id, entry);
        }
        for row in self.0.query("select slot, cell_id from slots", &[]).await? {
            let slot = Slot(u16::try_from(row.try_get::<_, i32>(0)?).unwrap_or_default());
            map.assign(slot, CellId(row.try_get::<_, i32>(1)?.unsigned_abs()));
        }
        Ok(map)
    }

    /// Writes what is different in `new`, whose epoch is one above `old`'s, in one transaction.
    pub async fn write(&mut self, old: &SlotMap, new: &SlotMap) -> Result<(), StoreError> {
        let diff = new.diff_from(old);
        let transaction = self.0.transaction().await?;
        let (to, from) = (new.epoch.0 as i64, old.epoch.0 as i64);
        let moved = transaction.execute("update map set epoch = $1 where epoch = $2", &[&to, &from]).await?;
        if moved == 0 {
            return Err(StoreError::Changed);
        }
        for cell in &diff.cells {
            transaction
                .execute(
                    "insert into cells (cell_id, relay_address, http_address, socket_url, process_epoch) \
                     values ($1, $2, $3, $4, $5) on conflict (cell_id) do update set relay_address = excluded.relay_address, \
                     http_address = excluded.http_address, socket_url = excluded.socket_url, \
                     process_epoch = excluded.process_epoch",
                    &[
                        &(cell.cell_id as i32),
                        &cell.relay_address,
                        &cell.http_address,
                        &cell.socket_url,
                        &(cell.process_epoch as i64),
                    ],
                )
                .await?;
        }
        let runs =
            diff.slots.iter().flat_map(|r| (r.first..r.first + r.count).map(|slot| (slot as i32, r.cell_id as i32)));
        let (slots, owners): (Vec<i32>, Vec<i32>) = runs.unzip();
        transaction
            .execute(
                "insert into slots (slot, cell_id) select * from unnest($1::int4[], $2::int4[]) \
                 on conflict (slot) do update set cell_id = excluded.cell_id",
                &[&slots, &owners],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
