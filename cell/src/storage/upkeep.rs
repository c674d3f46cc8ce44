//! What a shard need not keep: old batches of the lanes' logs, old outcomes.

use std::time::Duration;

use deadpool_postgres::Pool;
use skep_protocol::Epoch;
use tokio_util::sync::CancellationToken;

use super::error::StorageError;

const EVERY: Duration = Duration::from_secs(60);
/// Where a lane stands is its newest row; the rest is for people who look into what happened.
const LOG_KEPT: i64 = 10_000;

/// Once a minute until stopped. A failure is no matter: the next time does more.
pub(super) async fn run(pool: Pool, epoch: Epoch, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(e) = once(&pool, epoch).await {
            tracing::debug!(error = %e, "old rows stay for now");
        }
    }
}

pub(super) async fn once(pool: &Pool, epoch: Epoch) -> Result<(), StorageError> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    tx.execute("SELECT lease_check($1)", &[&(epoch.0 as i64)]).await?;
    let log = "DELETE FROM lane_log g USING lanes l
               WHERE g.lane = l.lane AND g.pos < (SELECT max(n.pos) FROM lane_log n WHERE n.lane = l.lane) - $1";
    tx.execute(log, &[&LOG_KEPT]).await?;
    let outcomes = "DELETE FROM outcomes WHERE request_id IN
                    (SELECT request_id FROM outcomes WHERE at < now() - interval '1 day' ORDER BY at LIMIT 10000)";
    tx.execute(outcomes, &[]).await?;
    tx.commit().await?;
    Ok(())
}
