//! Account rows.

use skep_protocol::{Millis, Profile, UserId};

use super::{Accounts, images::image};
use crate::{images::ImageName, storage::StorageError};

/// An account as stored.
#[derive(Clone, Debug)]
pub struct Account {
    pub profile: Profile,
    pub email: String,
    pub password_hash: String,
    pub is_disabled: bool,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub user_id: UserId,
    pub username: String,
    pub display_name: String,
    pub email: String,
    pub password_hash: String,
    /// In the store already.
    pub image: Option<ImageName>,
    pub created_at: Millis,
}

const COLUMNS: &str = "user_id, username, display_name, email, password_hash, disabled, image";

impl Accounts {
    /// The accounts of these people, of those who have one here.
    pub async fn find(&self, users: &[UserId]) -> Result<Vec<Account>, StorageError> {
        let client = self.shard.connection().await?;
        let ids: Vec<uuid::Uuid> = users.iter().map(|u| u.uuid()).collect();
        let statement = client
            .prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE user_id = any($1) AND state = 'account'"))
            .await?;
        client.query(&statement, &[&ids]).await?.iter().map(account).collect()
    }

    /// The account of exactly this name.
    pub async fn find_username(&self, canonical: &str) -> Result<Option<Account>, StorageError> {
        let client = self.shard.connection().await?;
        let statement = client
            .prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE username = $1 AND state = 'account'"))
            .await?;
        client.query_opt(&statement, &[&canonical]).await?.as_ref().map(account).transpose()
    }

    /// Changes the name that people see; search follows by itself.
    pub async fn rename(&self, user: UserId, display_name: &str) -> Result<(), StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "UPDATE users SET display_name = $2 WHERE user_id = $1 AND state = 'account'";
        tx.execute(sql, &[&user.uuid(), &display_name]).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn account(row: &tokio_postgres::Row) -> Result<Account, StorageError> {
    let user_id = UserId::from_uuid(row.try_get(0)?).map_err(|e| StorageError::Unreadable(e.to_string()))?;
    let image_url = image(row, 6)?.map(|name| name.url(user_id));
    let profile = Profile { user_id, username: row.try_get(1)?, display_name: row.try_get(2)?, image_url };
    Ok(Account { profile, email: row.try_get(3)?, password_hash: row.try_get(4)?, is_disabled: row.try_get(5)? })
}
