//! Log-ins. Only a digest of a token's secret is stored; a session that was used once is known from memory.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use skep_core::fanout::Sessions;
use skep_protocol::{
    Code, Millis, Refusal, SECRET_BYTES, SessionId, SessionToken, UserId, answers::SessionEntry, limits,
};
use subtle::ConstantTimeEq;

use super::Accounts;
use crate::{
    context::failed,
    shell::now,
    storage::{StorageError, Transaction},
};

/// A session's last use is written at most so often; memory knows it exactly.
const TOUCH_MS: i64 = 60 * 60 * 1_000;
/// What has ended is kept for so long, so that ending it once more finds it.
const ENDED_KEPT_MS: i64 = limits::DAY_MS;

/// Sessions kept in memory, some 200 bytes each.
const KNOWN: usize = 500_000;

/// A session in memory.
#[derive(Clone)]
pub(super) struct Known {
    user: UserId,
    digest: Vec<u8>,
    expires_at: Millis,
    last_used_at: Millis,
    /// The last use that is in the shard, or on its way there.
    written_at: Millis,
}

/// Sessions in memory, and how often some were taken out of it: what was loaded before a revocation is not kept after
/// it.
#[derive(Default)]
pub(super) struct KnownSessions {
    sessions: HashMap<SessionId, Known>,
    revocations: u64,
}

impl KnownSessions {
    fn keep(&mut self, id: SessionId, loaded: &Known, revocations: u64) {
        if self.revocations != revocations {
            return;
        }
        if self.sessions.len() >= KNOWN {
            // Each costs one read by its key to know again.
            self.sessions.clear();
        }
        self.sessions.insert(id, loaded.clone());
    }

    /// Notes a use. Whether it is to be written.
    fn used(&mut self, id: SessionId, now: Millis) -> bool {
        let Some(known) = self.sessions.get_mut(&id) else { return false };
        known.last_used_at = known.last_used_at.max(now);
        let due = now > known.written_at.plus(TOUCH_MS);
        if due {
            known.written_at = now;
        }
        due
    }

    /// When a session was last used, of which this is stored.
    fn last_use(&self, id: SessionId, stored: Millis) -> Millis {
        self.sessions.get(&id).map_or(stored, |known| known.last_used_at.max(stored))
    }
}

/// A session just made.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub session_id: SessionId,
    pub token: String,
    pub expires_at: Millis,
}

impl Accounts {
    /// Whose token it is. From memory after the first use.
    pub async fn authenticate(&self, token: &str) -> Result<(SessionId, UserId), Refusal> {
        let token: SessionToken = token.parse().map_err(|_| unauthenticated())?;
        let id = token.session_id;
        let known = self.known.lock().sessions.get(&id).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let revocations = self.known.lock().revocations;
                let loaded = self.load(id).await.map_err(failed)?.ok_or_else(unauthenticated)?;
                self.known.lock().keep(id, &loaded, revocations);
                loaded
            }
        };
        let matches: bool = digest(&token.secret).ct_eq(&known.digest).into();
        let now = now();
        if !matches || now > known.expires_at || now > known.last_used_at.plus(limits::SESSION_IDLE_MS) {
            return Err(unauthenticated());
        }
        let due = self.known.lock().used(id, now);
        if due && let Err(error) = self.touch(id, now).await {
            tracing::debug!(%error, "a session's last use is written an hour later");
        }
        Ok((id, known.user))
    }

    /// A new session. Past the bound the one that was unused longest ends. `None`: meanwhile the password is another,
    /// or the account was disabled.
    pub async fn log_in(
        &self,
        user: UserId,
        password_hash: &str,
        device: Option<&str>,
    ) -> Result<Option<(NewSession, Vec<SessionId>)>, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        // Locked: a change of the password ends this session too, or is seen here; and log-ins of one person that come
        // together count each other.
        let sql = "SELECT 1 FROM users WHERE user_id = $1 AND password_hash = $2 AND NOT disabled FOR NO KEY UPDATE";
        if tx.query_opt(sql, &[&user.uuid(), &password_hash]).await?.is_none() {
            return Ok(None);
        }
        let now = now();
        let idle_before = now.0 - limits::SESSION_IDLE_MS;
        let forgotten = "DELETE FROM sessions WHERE user_id = $1 AND last_used_at_ms < $4 \
             AND (revoked OR expires_at_ms <= $2 OR last_used_at_ms <= $3)";
        tx.execute(forgotten, &[&user.uuid(), &now.0, &idle_before, &(now.0 - ENDED_KEPT_MS)]).await?;
        let sql = "SELECT session_id, last_used_at_ms FROM sessions \
             WHERE user_id = $1 AND NOT revoked AND expires_at_ms > $2 AND last_used_at_ms > $3";
        let mut others = Vec::new();
        for row in tx.query(sql, &[&user.uuid(), &now.0, &idle_before]).await? {
            others.push((session_id(&row)?, Millis(row.try_get(1)?)));
        }
        let ended = self.unused_longest(others, limits::SESSIONS_PER_USER - 1);
        let session = insert(&tx, user, device).await?;
        let ids: Vec<uuid::Uuid> = ended.iter().map(|id| id.uuid()).collect();
        tx.execute("UPDATE sessions SET revoked = true WHERE session_id = any($1)", &[&ids]).await?;
        tx.commit().await?;
        Ok(Some((session, ended)))
    }

    /// All sessions of a person that have not ended.
    pub async fn sessions(&self, user: UserId, current: Option<SessionId>) -> Result<Vec<SessionEntry>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT session_id, last_used_at_ms, device, created_at_ms, expires_at_ms FROM sessions \
             WHERE user_id = $1 AND NOT revoked AND expires_at_ms > $2 AND last_used_at_ms > $3";
        let statement = client.prepare_cached(sql).await?;
        let now = now().0;
        let rows = client.query(&statement, &[&user.uuid(), &now, &(now - limits::SESSION_IDLE_MS)]).await?;
        let known = self.known.lock();
        let entry = |row: &tokio_postgres::Row| {
            let session_id = session_id(row)?;
            Ok(SessionEntry {
                session_id,
                device: row.try_get(2)?,
                created_at: Millis(row.try_get(3)?),
                last_used_at: known.last_use(session_id, Millis(row.try_get(1)?)),
                expires_at: Millis(row.try_get(4)?),
                current: Some(session_id) == current,
            })
        };
        let mut entries: Vec<SessionEntry> = rows.iter().map(entry).collect::<Result<_, StorageError>>()?;
        entries.sort_unstable_by_key(|e| std::cmp::Reverse((e.last_used_at, e.session_id)));
        Ok(entries)
    }

    /// Those of these sessions that are too many.
    fn unused_longest(&self, mut sessions: Vec<(SessionId, Millis)>, kept: usize) -> Vec<SessionId> {
        let known = self.known.lock();
        for (id, used) in &mut sessions {
            *used = known.last_use(*id, *used);
        }
        sessions.sort_unstable_by_key(|(id, used)| std::cmp::Reverse((*used, *id)));
        sessions.into_iter().skip(kept).map(|(id, _)| id).collect()
    }

    /// Takes sessions out of memory, and discards what is being loaded at this moment. To be called after the commit.
    pub fn forget(&self, user: UserId, which: Sessions) {
        let mut known = self.known.lock();
        known.revocations += 1;
        match which {
            Sessions::One(session) => _ = known.sessions.remove(&session),
            _ => known.sessions.retain(|id, known| known.user != user || !which.cover(*id)),
        }
    }

    async fn load(&self, id: SessionId) -> Result<Option<Known>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT s.user_id, s.digest, s.expires_at_ms, s.last_used_at_ms FROM sessions s JOIN users u USING (user_id) \
             WHERE s.session_id = $1 AND NOT s.revoked AND NOT u.disabled AND u.state = 'account'";
        let statement = client.prepare_cached(sql).await?;
        let Some(row) = client.query_opt(&statement, &[&id.uuid()]).await? else { return Ok(None) };
        Ok(Some(Known {
            user: UserId::from_uuid(row.try_get(0)?).map_err(|e| StorageError::Unreadable(e.to_string()))?,
            digest: row.try_get(1)?,
            expires_at: Millis(row.try_get(2)?),
            last_used_at: Millis(row.try_get(3)?),
            written_at: Millis(row.try_get(3)?),
        }))
    }

    async fn touch(&self, id: SessionId, now: Millis) -> Result<(), StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        tx.execute("UPDATE sessions SET last_used_at_ms = $2 WHERE session_id = $1", &[&id.uuid(), &now.0]).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A session's row, in the transaction of whoever makes it.
pub(super) async fn insert(
    tx: &Transaction<'_>,
    user: UserId,
    device: Option<&str>,
) -> Result<NewSession, StorageError> {
    let mut made = insert_all(tx, &[user], device).await?;
    Ok(made.pop().expect("one for each"))
}

/// The same for several people, one each, in their order.
pub(super) async fn insert_all(
    tx: &Transaction<'_>,
    users: &[UserId],
    device: Option<&str>,
) -> Result<Vec<NewSession>, StorageError> {
    let created_at = now();
    let expires_at = created_at.plus(limits::SESSION_ABSOLUTE_MS);
    let (mut made, mut ids, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for user in users {
        let session_id = SessionId::new(*user, rand::random());
        let token = SessionToken::new(session_id, rand::random::<[u8; SECRET_BYTES]>());
        ids.push(session_id.uuid());
        digests.push(digest(&token.secret));
        made.push(NewSession { session_id, token: token.to_text(), expires_at });
    }
    let sql = "INSERT INTO sessions (session_id, user_id, digest, device, created_at_ms, last_used_at_ms, expires_at_ms) \
         SELECT t.id, t.user_id, t.digest, $4, $5, $5, $6 FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) \
             t (id, user_id, digest)";
    let users: Vec<uuid::Uuid> = users.iter().map(|user| user.uuid()).collect();
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, &[&ids, &users, &digests, &device, &created_at.0, &expires_at.0]).await?;
    Ok(made)
}

fn session_id(row: &tokio_postgres::Row) -> Result<SessionId, StorageError> {
    SessionId::from_uuid(row.try_get(0)?).map_err(|e| StorageError::Unreadable(e.to_string()))
}

fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

pub fn unauthenticated() -> Refusal {
    Refusal::new(Code::Unauthenticated, "log in again: this token is not, or no longer, valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(user: UserId) -> Known {
        let at = Millis(1);
        Known { user, digest: Vec::new(), expires_at: Millis(i64::MAX), last_used_at: at, written_at: at }
    }

    #[test]
    fn what_was_loaded_before_a_revocation_is_not_kept_after_it() {
        let user = UserId::new("anna", Millis(1), 1);
        let id = SessionId::new(user, 1);
        let mut sessions = KnownSessions::default();
        let before = sessions.revocations;
        sessions.revocations += 1;
        sessions.keep(id, &known(user), before);
        assert!(sessions.sessions.is_empty());
        sessions.keep(id, &known(user), sessions.revocations);
        assert_eq!(sessions.sessions.len(), 1);
    }

    #[test]
    fn uses_are_known_at_once_and_written_by_the_hour() {
        let user = UserId::new("anna", Millis(1), 1);
        let id = SessionId::new(user, 1);
        let mut sessions = KnownSessions::default();
        assert!(!sessions.used(id, Millis(5)), "what memory does not know is written by whoever loads it");
        assert_eq!(sessions.last_use(id, Millis(7)), Millis(7));
        sessions.keep(id, &known(user), 0);
        let cases = [(2, false), (1 + TOUCH_MS, false), (2 + TOUCH_MS, true), (3 + TOUCH_MS, false)];
        for (at, written) in cases {
            assert_eq!(sessions.used(id, Millis(at)), written, "{at}");
            assert_eq!(sessions.last_use(id, Millis(0)), Millis(at));
        }
    }
}
