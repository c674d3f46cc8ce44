//! Signing up, and the claim of an e-mail address: two shards that must agree without a transaction over both.
//!
//! (1) The address's cell writes a pending claim. (2) The person's cell writes account, name and session in one
//! transaction. (3) The claim is made active. Whoever meets a pending claim asks the person's cell, which writes a
//! tombstone where no account stands: its key clashes with the account's, so that one of the two fails for good.

use skep_protocol::{Millis, UserId};

use super::{Accounts, NewAccount, NewSession, images::keep, sessions};
use crate::{images::ImageName, shell::now, storage::StorageError};

/// What came of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimOutcome {
    Claimed,
    /// Somebody else's pending claim is in the way: to be settled first.
    Pending(UserId),
    Taken,
}

/// A claim whose sign-up is not known to have been finished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingClaim {
    pub email: String,
    pub user: UserId,
    pub claimed_at: Millis,
}

/// Whether an account stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    Exists,
    /// It is being made at this moment.
    InProgress,
    /// It does not, and never will.
    No,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    #[error("the username is taken")]
    UsernameTaken,
    /// A tombstone stands in its place: somebody settled the claim meanwhile.
    #[error("the sign-up was given up meanwhile")]
    GivenUp,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// At the address's cell: claims it for this person, unless somebody has it.
    pub async fn claim_email(&self, email: &str, user: UserId) -> Result<ClaimOutcome, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "INSERT INTO email_claims (email, user_id, active, claimed_at_ms) VALUES ($1, $2, false, $3) ON CONFLICT DO NOTHING";
        let claimed = tx.execute(sql, &[&email, &user.uuid(), &now().0]).await?;
        let outcome = if claimed == 1 {
            ClaimOutcome::Claimed
        } else {
            let row = tx.query_opt("SELECT user_id, active FROM email_claims WHERE email = $1", &[&email]).await?;
            match row {
                // Released between the two statements: the caller asks again.
                None => ClaimOutcome::Pending(user),
                Some(row) => {
                    let holder = holder(&row)?;
                    match (holder == user, row.try_get::<_, bool>(1)?) {
                        (true, _) => ClaimOutcome::Claimed,
                        (false, true) => ClaimOutcome::Taken,
                        (false, false) => ClaimOutcome::Pending(holder),
                    }
                }
            }
        };
        tx.commit().await?;
        Ok(outcome)
    }

    /// At the address's cell: the account stands.
    pub async fn activate_email(&self, email: &str, user: UserId) -> Result<(), StorageError> {
        self.change_claim("UPDATE email_claims SET active = true WHERE email = $1 AND user_id = $2", email, user).await
    }

    /// At the address's cell: the account will never stand.
    pub async fn release_email(&self, email: &str, user: UserId) -> Result<(), StorageError> {
        self.change_claim("DELETE FROM email_claims WHERE email = $1 AND user_id = $2 AND NOT active", email, user)
            .await
    }

    /// At the address's cell: who has it, and whether that is certain.
    pub async fn email_holder(&self, email: &str) -> Result<Option<(UserId, bool)>, StorageError> {
        let client = self.shard.connection().await?;
        let statement = client.prepare_cached("SELECT user_id, active FROM email_claims WHERE email = $1").await?;
        let row = client.query_opt(&statement, &[&email]).await?;
        row.map(|row| Ok((holder(&row)?, row.try_get(1)?))).transpose()
    }

    /// At the address's cell: claims that were made before then and are pending still, oldest first, behind `after`.
    pub async fn pending_claims(
        &self,
        made_before: Millis,
        after: Option<&PendingClaim>,
        limit: i64,
    ) -> Result<Vec<PendingClaim>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT user_id, email, claimed_at_ms FROM email_claims WHERE NOT active AND claimed_at_ms < $1 \
             AND (claimed_at_ms, email) > ($2, $3) ORDER BY claimed_at_ms, email LIMIT $4";
        let statement = client.prepare_cached(sql).await?;
        let (at, email) = after.map_or((-1, ""), |after| (after.claimed_at.0, &after.email));
        let rows = client.query(&statement, &[&made_before.0, &at, &email, &limit]).await?;
        let claim = |row: &tokio_postgres::Row| {
            Ok(PendingClaim { user: holder(row)?, email: row.try_get(1)?, claimed_at: Millis(row.try_get(2)?) })
        };
        rows.iter().map(claim).collect()
    }

    /// At the person's cell: whether the account stands; if it does not, it never will.
    pub async fn settle(&self, user: UserId) -> Result<Settled, StorageError> {
        if self.signing_up.lock().contains(&user) {
            return Ok(Settled::InProgress);
        }
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "INSERT INTO users (user_id, state, created_at_ms) VALUES ($1, 'tombstone', $2) ON CONFLICT (user_id) DO NOTHING";
        tx.execute(sql, &[&user.uuid(), &now().0]).await?;
        let state: String =
            tx.query_one("SELECT state FROM users WHERE user_id = $1", &[&user.uuid()]).await?.try_get(0)?;
        tx.commit().await?;
        Ok(if state == "account" { Settled::Exists } else { Settled::No })
    }

    /// Before the claim is asked for: until the returned guard is dropped, questions about it are answered `in progress`.
    pub fn begin_sign_up(&self, user: UserId) -> SigningUp<'_> {
        self.signing_up.lock().insert(user);
        SigningUp { accounts: self, user }
    }

    /// At the person's cell: account, name and first session, in one transaction.
    pub async fn create(&self, account: &NewAccount, device: Option<&str>) -> Result<NewSession, NotMade> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "INSERT INTO users (user_id, state, username, display_name, email, password_hash, created_at_ms, image) \
             VALUES ($1, 'account', $2, $3, $4, $5, $6, $7)";
        let a = account;
        let image = a.image.as_ref().map(ImageName::as_str);
        let made = tx
            .execute(
                sql,
                &[&a.user_id.uuid(), &a.username, &a.display_name, &a.email, &a.password_hash, &a.created_at.0, &image],
            )
            .await
            .map_err(StorageError::from);
        if let Err(error) = made {
            return Err(match error.violated() {
                Some("users_pkey") => NotMade::GivenUp,
                Some(_) => NotMade::UsernameTaken,
                None => NotMade::Storage(error),
            });
        }
        if let Some(name) = &a.image {
            keep(&tx, a.user_id, name).await?;
        }
        let session = sessions::insert(&tx, a.user_id, device).await?;
        tx.commit().await.map_err(StorageError::from)?;
        Ok(session)
    }

    async fn change_claim(&self, sql: &str, email: &str, user: UserId) -> Result<(), StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        tx.execute(sql, &[&email, &user.uuid()]).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A sign-up under way.
pub struct SigningUp<'a> {
    accounts: &'a Accounts,
    user: UserId,
}

impl Drop for SigningUp<'_> {
    fn drop(&mut self) {
        self.accounts.signing_up.lock().remove(&self.user);
    }
}

fn holder(row: &tokio_postgres::Row) -> Result<UserId, StorageError> {
    UserId::from_uuid(row.try_get(0)?).map_err(|e| StorageError::Unreadable(e.to_string()))
}
