//! Accounts by the hundred: the steps of a sign-up (claim, account with its search entries, claim made active), each of
//! them for all at once. What may be left half done by a death is what a sign-up may leave, and is settled the same way.

use std::collections::{HashMap, HashSet};

use skep_protocol::{Millis, UserId};
use uuid::Uuid;

use super::{Accounts, NewAccount, NewSession, sessions};
use crate::{shell::now, storage::StorageError};

/// An account as an import brings it, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportAccount {
    pub username: String,
    pub display_name: String,
    pub email: String,
    pub password_hash: String,
    pub created_at: Option<Millis>,
}

/// How the claim of an address stands, asked for somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimStand {
    /// It is theirs.
    Theirs,
    Taken,
    /// Somebody else's pending claim is in the way.
    Pending,
}

/// Accounts that were made, with their first sessions if they were asked for.
pub type Imported = HashMap<UserId, Option<NewSession>>;

impl Accounts {
    /// Of these usernames, those that have an account here: who, and by which address.
    pub async fn standing(&self, usernames: &[&str]) -> Result<HashMap<String, (UserId, String)>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT username, user_id, email FROM users WHERE username = any($1) AND state = 'account'";
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&usernames]).await?;
        let one = |row: &tokio_postgres::Row| {
            let user = UserId::from_uuid(row.try_get(1)?).map_err(|e| StorageError::Unreadable(e.to_string()))?;
            Ok((row.try_get(0)?, (user, row.try_get(2)?)))
        };
        rows.iter().map(one).collect()
    }

    /// At the addresses' cell: claims each for its person, unless somebody has it. In the order asked for.
    pub async fn claim_emails(&self, owners: &[(String, UserId)]) -> Result<Vec<ClaimStand>, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let (emails, users) = columns(owners);
        let sql = "INSERT INTO email_claims (email, user_id, active, claimed_at_ms) \
             SELECT t.email, t.user_id, false, $3 FROM unnest($1::text[], $2::uuid[]) t (email, user_id) \
             ORDER BY t.email ON CONFLICT DO NOTHING";
        let statement = tx.prepare_cached(sql).await?;
        tx.execute(&statement, &[&emails, &users, &now().0]).await?;
        let sql = "SELECT email, user_id, active FROM email_claims WHERE email = any($1)";
        let statement = tx.prepare_cached(sql).await?;
        let rows = tx.query(&statement, &[&emails]).await?;
        tx.commit().await?;
        let mut holders: HashMap<String, (Uuid, bool)> = HashMap::new();
        for row in &rows {
            holders.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let stand = |(email, user): &(String, UserId)| match holders.get(email) {
            Some((holder, _)) if *holder == user.uuid() => ClaimStand::Theirs,
            Some((_, true)) => ClaimStand::Taken,
            // Or released between the two statements.
            Some((_, false)) | None => ClaimStand::Pending,
        };
        Ok(owners.iter().map(stand).collect())
    }

    /// At the addresses' cell: these accounts stand.
    pub async fn activate_emails(&self, owners: &[(String, UserId)]) -> Result<(), StorageError> {
        let sql = "UPDATE email_claims c SET active = true FROM unnest($1::text[], $2::uuid[]) t (email, user_id) \
             WHERE c.email = t.email AND c.user_id = t.user_id AND NOT c.active";
        self.change_claims(sql, owners).await
    }

    /// At the addresses' cell: these accounts will never stand.
    pub async fn release_emails(&self, owners: &[(String, UserId)]) -> Result<(), StorageError> {
        let sql = "DELETE FROM email_claims c USING unnest($1::text[], $2::uuid[]) t (email, user_id) \
             WHERE c.email = t.email AND c.user_id = t.user_id AND NOT c.active";
        self.change_claims(sql, owners).await
    }

    /// At the people's cell: accounts and, if wanted, first sessions, in one transaction. Whose name is
    /// taken meanwhile, or whose sign-up was given up, is left out.
    pub async fn create_all(&self, accounts: &[NewAccount], device: Option<&str>) -> Result<Imported, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let texts = |of: fn(&NewAccount) -> &String| -> Vec<&str> { accounts.iter().map(|a| of(a).as_str()).collect() };
        let ids: Vec<Uuid> = accounts.iter().map(|a| a.user_id.uuid()).collect();
        let created_at: Vec<i64> = accounts.iter().map(|a| a.created_at.0).collect();
        let sql = "INSERT INTO users (user_id, state, username, display_name, email, password_hash, created_at_ms) \
             SELECT t.id, 'account', t.username, t.display_name, t.email, t.hash, t.at \
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) \
                 t (id, username, display_name, email, hash, at) \
             ORDER BY t.username ON CONFLICT DO NOTHING RETURNING user_id";
        let statement = tx.prepare_cached(sql).await?;
        let (names, shown) = (texts(|a| &a.username), texts(|a| &a.display_name));
        let (emails, hashes) = (texts(|a| &a.email), texts(|a| &a.password_hash));
        let rows = tx.query(&statement, &[&ids, &names, &shown, &emails, &hashes, &created_at]).await?;
        let made: HashSet<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let made: Vec<&NewAccount> = accounts.iter().filter(|a| made.contains(&a.user_id.uuid())).collect();
        let users: Vec<UserId> = made.iter().map(|a| a.user_id).collect();
        let imported = match device {
            Some(_) => {
                let sessions = sessions::insert_all(&tx, &users, device).await?;
                users.into_iter().zip(sessions.into_iter().map(Some)).collect()
            }
            None => users.into_iter().map(|user| (user, None)).collect(),
        };
        tx.commit().await?;
        Ok(imported)
    }

    async fn change_claims(&self, sql: &'static str, owners: &[(String, UserId)]) -> Result<(), StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let (emails, users) = columns(owners);
        let statement = tx.prepare_cached(sql).await?;
        tx.execute(&statement, &[&emails, &users]).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn columns(owners: &[(String, UserId)]) -> (Vec<&str>, Vec<Uuid>) {
    owners.iter().map(|(email, user)| (email.as_str(), user.uuid())).unzip()
}
