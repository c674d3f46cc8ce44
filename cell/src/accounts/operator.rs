//! What an operator sees of an account.

use skep_protocol::{Millis, UserId};

use super::Accounts;
use crate::storage::StorageError;

/// What an operator sees of an account, beside the account itself.
#[derive(Clone, Debug)]
pub struct Dossier {
    pub created_at: Millis,
    /// Conversations that they are in.
    pub conversations: u64,
    /// People whom they block.
    pub blocks: u64,
}

impl Accounts {
    /// `None`: there is no such account here.
    pub async fn dossier(&self, user: UserId) -> Result<Option<Dossier>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT created_at_ms, \
             (SELECT count(*) FROM memberships m WHERE m.user_id = u.user_id AND m.left_seq IS NULL), \
             (SELECT count(*) FROM blocks b WHERE b.user_id = u.user_id AND b.blocked) \
             FROM users u WHERE u.user_id = $1 AND u.state = 'account'";
        let statement = client.prepare_cached(sql).await?;
        let row = client.query_opt(&statement, &[&user.uuid()]).await?;
        let dossier = |row: tokio_postgres::Row| {
            Ok(Dossier {
                created_at: Millis(row.try_get(0)?),
                conversations: row.try_get::<_, i64>(1)?.unsigned_abs(),
                blocks: row.try_get::<_, i64>(2)?.unsigned_abs(),
            })
        };
        row.map(dossier).transpose()
    }
}
