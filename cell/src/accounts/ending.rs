//! Ending sessions, in the one way there is: written to the shard, then forgotten in memory, then told to the sockets.
//! Once begun it is carried to its end, whether or not somebody still waits for the answer.

use std::sync::Arc;

use skep_core::fanout::Sessions;
use skep_protocol::{CloseCode, Code, Refusal, SessionId, UserId};
use tokio_postgres::types::ToSql;

use super::{Account, Accounts, NewSession, Passwords};
use crate::{
    context::{Context, failed},
    storage::StorageError,
};

/// Whether there was somebody, or something, to do it to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    Yes,
    NothingThere,
}

// === what people do ===

/// Ends one session of a person, again if it has ended already.
pub async fn log_out(context: &Arc<Context>, user: UserId, session: SessionId) -> Result<Done, Refusal> {
    let cell = Arc::clone(context);
    let write = async move { cell.accounts.revoke(user, session).await };
    end(context, user, Sessions::One(session), write).await
}

/// Replaces a password that was found to be the right one; all sessions but this one end. `NothingThere`: it has been
/// replaced meanwhile, or this session has ended.
pub async fn change_password(
    context: &Arc<Context>,
    user: UserId,
    hashes: PasswordChange,
    kept: SessionId,
) -> Result<Done, Refusal> {
    let cell = Arc::clone(context);
    let write = async move { cell.accounts.change_password(user, &hashes, kept).await };
    end(context, user, Sessions::AllBut(kept), write).await
}

/// A new session for somebody whose password was right. The one that is too many ends. `None`: meanwhile the password
/// is another, or the account was disabled.
pub async fn log_in(
    context: &Arc<Context>,
    account: &Account,
    device: Option<String>,
) -> Result<Option<NewSession>, Refusal> {
    let (cell, user, hash) = (Arc::clone(context), account.profile.user_id, account.password_hash.clone());
    to_the_end(async move {
        let made = cell.accounts.log_in(user, &hash, device.as_deref()).await;
        match made {
            Ok(None) => Ok(None),
            Ok(Some((session, ended))) => {
                for id in ended {
                    over(&cell, user, Sessions::One(id), CloseCode::Unauthenticated);
                }
                Ok(Some(session))
            }
            Err(error) => {
                cell.accounts.forget(user, Sessions::All);
                Err(failed(error))
            }
        }
    })
    .await
}

// === what operators do ===

/// Ends all sessions of a person.
pub async fn end_sessions(context: &Arc<Context>, user: UserId) -> Result<(), Refusal> {
    let cell = Arc::clone(context);
    let write = async move { cell.accounts.revoke_all(user).await };
    somebody(end(context, user, Sessions::All, write).await?)
}

/// Shuts a person out until they are enabled again: all sessions end, and no log-in begins one.
pub async fn disable(context: &Arc<Context>, user: UserId) -> Result<(), Refusal> {
    let cell = Arc::clone(context);
    let write = async move { cell.accounts.disable(user).await };
    somebody(end(context, user, Sessions::All, write).await?)
}

/// Lets a person log in again.
pub async fn enable(context: &Arc<Context>, user: UserId) -> Result<(), Refusal> {
    somebody(context.accounts.enable(user).await.map_err(failed)?)
}

/// Gives a person another password; all their sessions end.
pub async fn reset_password(context: &Arc<Context>, user: UserId, password: String) -> Result<(), Refusal> {
    Passwords::check_choice(&password)
        .map_err(|issue| Refusal::field(Code::Invalid, "password", issue.code, issue.detail))?;
    let hash = context.accounts.passwords.hash(password).await?;
    let cell = Arc::clone(context);
    let write = async move { cell.accounts.reset_password(user, &hash).await };
    somebody(end(context, user, Sessions::All, write).await?)
}

// === how it is done ===

/// The hash that was checked, and the one that is to stand in its place.
pub struct PasswordChange {
    pub from: String,
    pub to: String,
}

async fn end(
    context: &Arc<Context>,
    user: UserId,
    which: Sessions,
    write: impl Future<Output = Result<Done, StorageError>> + Send + 'static,
) -> Result<Done, Refusal> {
    let cell = Arc::clone(context);
    to_the_end(async move {
        match write.await {
            Ok(done) => {
                if done == Done::Yes {
                    over(&cell, user, which, CloseCode::Unauthenticated);
                }
                Ok(done)
            }
            Err(error) => {
                // It may have been written: whoever is connected comes back, and is judged by what stands.
                over(&cell, user, which, CloseCode::Busy);
                Err(failed(error))
            }
        }
    })
    .await
}

fn over(context: &Context, user: UserId, which: Sessions, code: CloseCode) {
    context.accounts.forget(user, which);
    context.hub.end_sessions(user, which, code);
}

async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let broken = || Refusal::new(Code::Internal, "something is wrong on our side; trying again is safe");
    tokio::spawn(work).await.unwrap_or_else(|_| Err(broken()))
}

fn somebody(done: Done) -> Result<(), Refusal> {
    match done {
        Done::Yes => Ok(()),
        Done::NothingThere => Err(Refusal::new(Code::NotFound, "there is nobody of this id")),
    }
}

impl Accounts {
    /// Ends a session of this person in the shard. `NothingThere`: they have no such session.
    pub async fn revoke(&self, user: UserId, session: SessionId) -> Result<Done, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "UPDATE sessions SET revoked = true WHERE session_id = $1 AND user_id = $2";
        let found = tx.execute(sql, &[&session.uuid(), &user.uuid()]).await?;
        tx.commit().await?;
        Ok(if found > 0 { Done::Yes } else { Done::NothingThere })
    }

    pub async fn revoke_all(&self, user: UserId) -> Result<Done, StorageError> {
        let sql = "SELECT 1 FROM users WHERE user_id = $1 AND state = 'account' FOR NO KEY UPDATE";
        self.and_revoke(user, None, sql, &[&user.uuid()]).await
    }

    pub async fn disable(&self, user: UserId) -> Result<Done, StorageError> {
        let sql = "UPDATE users SET disabled = true WHERE user_id = $1 AND state = 'account'";
        self.and_revoke(user, None, sql, &[&user.uuid()]).await
    }

    pub async fn enable(&self, user: UserId) -> Result<Done, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "UPDATE users SET disabled = false WHERE user_id = $1 AND state = 'account'";
        let found = tx.execute(sql, &[&user.uuid()]).await?;
        tx.commit().await?;
        Ok(if found > 0 { Done::Yes } else { Done::NothingThere })
    }

    pub async fn reset_password(&self, user: UserId, hash: &str) -> Result<Done, StorageError> {
        let sql = "UPDATE users SET password_hash = $2 WHERE user_id = $1 AND state = 'account'";
        self.and_revoke(user, None, sql, &[&user.uuid(), &hash]).await
    }

    /// Only while the checked password stands and the session that asks is alive.
    pub async fn change_password(
        &self,
        user: UserId,
        hashes: &PasswordChange,
        kept: SessionId,
    ) -> Result<Done, StorageError> {
        let sql = "UPDATE users SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2 AND NOT disabled \
             AND EXISTS (SELECT 1 FROM sessions WHERE session_id = $4 AND user_id = $1 AND NOT revoked)";
        let params: [&(dyn ToSql + Sync); 4] = [&user.uuid(), &hashes.from, &hashes.to, &kept.uuid()];
        self.and_revoke(user, Some(kept), sql, &params).await
    }

    /// Runs a statement on the person's row, which stays locked: a log-in comes before, and its session ends too, or
    /// after.
    async fn and_revoke(
        &self,
        user: UserId,
        kept: Option<SessionId>,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Done, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        if tx.execute(sql, params).await? == 0 {
            return Ok(Done::NothingThere);
        }
        let sql =
            "UPDATE sessions SET revoked = true WHERE user_id = $1 AND NOT revoked AND session_id IS DISTINCT FROM $2";
        tx.execute(sql, &[&user.uuid(), &kept.map(SessionId::uuid)]).await?;
        tx.commit().await?;
        Ok(Done::Yes)
    }
}
