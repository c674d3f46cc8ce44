//! The tables, and their upgrades. Each migration is a file in `migrations/`, applied once, never changed afterwards.

use tokio_postgres::Client;

use super::error::{StorageError, with_sources};

/// The advisory lock of whoever upgrades: "skep", 2. The upgrader itself takes none.
const LOCK: (i32, i32) = (super::lease::LOCK.0, 2);

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Brings the tables up to date. Several may try at once.
pub(super) async fn upgrade(client: &mut Client) -> Result<(), StorageError> {
    client.execute("SELECT pg_advisory_lock($1, $2)", &[&LOCK.0, &LOCK.1]).await?;
    let outcome = embedded::migrations::runner().run_async(client).await;
    client.execute("SELECT pg_advisory_unlock($1, $2)", &[&LOCK.0, &LOCK.1]).await?;
    let report = outcome.map_err(|e| {
        if client.is_closed() {
            StorageError::Unavailable(with_sources(&e))
        } else {
            StorageError::Mismatch(format!("the shard's tables cannot be upgraded: {}", with_sources(&e)))
        }
    })?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "the shard's tables were upgraded");
    }
    Ok(())
}

/// Whether there are any tables: nobody can hold the lease on a shard without.
pub(super) async fn is_fresh(client: &Client) -> Result<bool, StorageError> {
    Ok(client.query_one("SELECT to_regclass('lease') IS NULL", &[]).await?.try_get(0)?)
}
