//! What is asked of a shard: by lanes, by fan-out, by people, by peers that catch up.

use deadpool_postgres::GenericClient;
use tokio_postgres::{Row, types::ToSql};

use super::error::StorageError;

mod imports;
mod lists;
mod loads;
mod pages;
mod replay;
mod snapshot;

pub use lists::{Activity, ListedConversation, Place};
pub use pages::Edge;
pub(super) use replay::bit_map;
pub use replay::{ReplayedMessages, ReplayedRows};

/// A constant statement, prepared once per connection.
pub(super) async fn rows(
    client: &impl GenericClient,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, StorageError> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, params).await?)
}
