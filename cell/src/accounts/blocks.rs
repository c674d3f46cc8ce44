//! Blocks: who does not want to be written to by whom. The blocker's cell keeps their word, with a version; the home of
//! the two people's direct conversation is told until it has confirmed it, and keeps to it from then on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use skep_core::{Answer, Block, Blocked, Op};
use skep_protocol::{CellId, Code, ConversationId, Refusal, UserId, limits};

use super::Accounts;
use crate::{
    context::{Context, failed, unavailable},
    storage::StorageError,
};

/// How soon after a round the next one looks for what is not confirmed; doubled while a home does not answer.
const EVERY: Duration = Duration::from_secs(2);
const EVERY_AT_LEAST: Duration = Duration::from_secs(30);
const PAGE: i64 = 200;
/// Homes asked at once by a round.
const AT_ONCE: usize = 16;
/// Words that a home has newer ones of than this cell: after a restore of this shard, and then once.
const TRIES: usize = 4;

/// What a person has said of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    pub user: UserId,
    pub other: UserId,
    pub block: Block,
}

/// What is to be done after a home has said what stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It stands as it was said, or is overtaken by a later word, which is told by whoever said that.
    Settled,
    /// The home has a newer word than this cell: this one is above it now, and is to be told.
    Again(Word),
}

// === saying it ===

/// Blocks somebody, or no longer. Ok: the home of the direct conversation keeps to it.
pub async fn say(context: &Context, user: UserId, other: UserId, blocked: Blocked) -> Result<(), Refusal> {
    let word = match blocked {
        Blocked::Yes => context.accounts.block(user, other).await.map_err(failed)?.ok_or_else(too_many)?,
        Blocked::No => context.accounts.unblock(user, other).await.map_err(failed)?,
    };
    tell(context, word).await
}

/// Tells the home, and goes above what it has where that is newer.
async fn tell(context: &Context, mut word: Word) -> Result<(), Refusal> {
    for _ in 0..TRIES {
        let Word { user, other, block } = word;
        let op = Op::Block { peer: other, block };
        let Ok(Answer::Block(stands)) = context.ask(user, ConversationId::direct(user, other), op).await else { break };
        match context.accounts.heard(user, other, stands).await.map_err(failed)? {
            Heard::Settled => return Ok(()),
            Heard::Again(above) => word = above,
        }
    }
    Err(unavailable(
        "this is noted, and takes effect as soon as their conversation can be reached; trying again is safe",
    ))
}

/// Tells homes what they have not confirmed, until the process stops: after a start, and when a home was away.
pub async fn confirm(context: Arc<Context>) {
    let mut wait = EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = context.hub.stopped() => return,
        }
        wait = match confirm_round(&context).await {
            Ok(away) if away.is_empty() => EVERY,
            _ => (wait * 2).min(EVERY_AT_LEAST),
        };
    }
}

/// One look at all that is unconfirmed. Gives the homes that did not answer: each is waited for once.
async fn confirm_round(context: &Context) -> Result<HashSet<Option<CellId>>, StorageError> {
    let away = Mutex::new(HashSet::new());
    let mut after = None;
    loop {
        let page = context.accounts.unconfirmed(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(away.into_inner()) };
        after = Some((last.user, last.other));
        let told = stream::iter(page).for_each_concurrent(AT_ONCE, async |word| {
            let home = context.map.current().owner(ConversationId::direct(word.user, word.other).slot());
            let is_away = away.lock().contains(&home);
            if !is_away && tell(context, word).await.is_err() {
                away.lock().insert(home);
            }
        });
        told.await;
    }
}

// === in the shard ===

impl Accounts {
    /// Whom a person blocks.
    pub async fn blocked_by(&self, user: UserId) -> Result<Vec<UserId>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT other_id FROM blocks WHERE user_id = $1 AND blocked ORDER BY other_id";
        let statement = client.prepare_cached(sql).await?;
        client.query(&statement, &[&user.uuid()]).await?.iter().map(|row| user_id(row, 0)).collect()
    }

    /// Whether a person blocks another.
    pub async fn blocks(&self, user: UserId, other: UserId) -> Result<bool, StorageError> {
        Ok(self.blockers(&[user], other).await?.contains(&user))
    }

    /// Those of these people who block somebody.
    pub async fn blockers(&self, people: &[UserId], blocked: UserId) -> Result<HashSet<UserId>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT user_id FROM blocks WHERE user_id = any($1) AND other_id = $2 AND blocked";
        let statement = client.prepare_cached(sql).await?;
        let ids: Vec<uuid::Uuid> = people.iter().map(|user| user.uuid()).collect();
        client.query(&statement, &[&ids, &blocked.uuid()]).await?.iter().map(|row| user_id(row, 0)).collect()
    }

    /// Takes down that a person blocks another: a new version, unless that is their word already. `None`: they block as
    /// many as one can.
    pub async fn block(&self, user: UserId, other: UserId) -> Result<Option<Word>, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        // Locked, so that several at once count each other.
        tx.execute("SELECT 1 FROM users WHERE user_id = $1 FOR NO KEY UPDATE", &[&user.uuid()]).await?;
        let count = "SELECT count(*) FROM blocks WHERE user_id = $1 AND other_id <> $2";
        let others: i64 = tx.query_one(count, &[&user.uuid(), &other.uuid()]).await?.try_get(0)?;
        if others >= limits::BLOCKS_PER_USER as i64 {
            return Ok(None);
        }
        let sql = "INSERT INTO blocks AS b (user_id, other_id, version, blocked, confirmed) VALUES ($1, $2, $3, true, false) \
             ON CONFLICT (user_id, other_id) DO UPDATE SET version = b.version + (NOT b.blocked)::integer, \
             blocked = true, confirmed = false RETURNING version";
        let row = tx.query_one(sql, &[&user.uuid(), &other.uuid(), &(Block::FIRST as i64)]).await?;
        let word = Word { user, other, block: block(&row, 0, Blocked::Yes)? };
        tx.commit().await?;
        Ok(Some(word))
    }

    /// Takes down that a person blocks another no longer. Where nothing is known of it nothing is written: what the home
    /// says is then looked at.
    pub async fn unblock(&self, user: UserId, other: UserId) -> Result<Word, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "UPDATE blocks SET version = version + blocked::integer, blocked = false, confirmed = false \
             WHERE user_id = $1 AND other_id = $2 RETURNING version";
        let row = tx.query_opt(sql, &[&user.uuid(), &other.uuid()]).await?;
        let first = Block { version: Block::FIRST, blocked: Blocked::No };
        let said = row.map(|row| block(&row, 0, Blocked::No)).transpose()?.unwrap_or(first);
        tx.commit().await?;
        Ok(Word { user, other, block: said })
    }

    /// The home has said what stands. A word that nobody is blocked need not be kept once it stands: the next one begins
    /// with an old version, and goes above what the home tells.
    pub async fn heard(&self, user: UserId, other: UserId, stands: Block) -> Result<Heard, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "SELECT version, blocked FROM blocks WHERE user_id = $1 AND other_id = $2 FOR UPDATE";
        let row = tx.query_opt(sql, &[&user.uuid(), &other.uuid()]).await?;
        let mine = row.map(|row| block(&row, 0, blocked(row.try_get(1)?))).transpose()?;
        let (key, mut heard) = ((user.uuid(), other.uuid()), Heard::Settled);
        match mine {
            None if stands.blocked == Blocked::No => {}
            Some(mine) if mine == stands && mine.blocked == Blocked::No => {
                tx.execute("DELETE FROM blocks WHERE user_id = $1 AND other_id = $2", &[&key.0, &key.1]).await?;
            }
            Some(mine) if mine == stands => {
                let sql = "UPDATE blocks SET confirmed = true WHERE user_id = $1 AND other_id = $2";
                tx.execute(sql, &[&key.0, &key.1]).await?;
            }
            Some(mine) if stands.version < mine.version => {}
            mine => {
                let said = mine.map_or(Blocked::No, |mine| mine.blocked);
                let above = Block { version: stands.version + 1, blocked: said };
                let sql = "INSERT INTO blocks (user_id, other_id, version, blocked, confirmed) VALUES ($1, $2, $3, $4, false) \
                     ON CONFLICT (user_id, other_id) DO UPDATE SET version = excluded.version, confirmed = false";
                let is_blocked = said == Blocked::Yes;
                tx.execute(sql, &[&key.0, &key.1, &(above.version as i64), &is_blocked]).await?;
                heard = Heard::Again(Word { user, other, block: above });
            }
        }
        tx.commit().await?;
        Ok(heard)
    }

    /// What homes are still to be told, by person, behind `after`.
    pub async fn unconfirmed(&self, after: Option<(UserId, UserId)>, limit: i64) -> Result<Vec<Word>, StorageError> {
        let client = self.shard.connection().await?;
        let sql = "SELECT user_id, other_id, version, blocked FROM blocks \
             WHERE NOT confirmed AND (user_id, other_id) > ($1, $2) ORDER BY user_id, other_id LIMIT $3";
        let statement = client.prepare_cached(sql).await?;
        let nil = uuid::Uuid::nil();
        let (user, other) = after.map_or((nil, nil), |(user, other)| (user.uuid(), other.uuid()));
        let rows = client.query(&statement, &[&user, &other, &limit]).await?;
        let word = |row: &tokio_postgres::Row| {
            let block = block(row, 2, blocked(row.try_get(3)?))?;
            Ok(Word { user: user_id(row, 0)?, other: user_id(row, 1)?, block })
        };
        rows.iter().map(word).collect()
    }
}

fn user_id(row: &tokio_postgres::Row, at: usize) -> Result<UserId, StorageError> {
    UserId::from_uuid(row.try_get(at)?).map_err(|e| StorageError::Unreadable(e.to_string()))
}

fn block(row: &tokio_postgres::Row, at: usize, blocked: Blocked) -> Result<Block, StorageError> {
    Ok(Block { version: row.try_get::<_, i64>(at)?.unsigned_abs(), blocked })
}

fn blocked(is_blocked: bool) -> Blocked {
    if is_blocked { Blocked::Yes } else { Blocked::No }
}

fn too_many() -> Refusal {
    let detail = format!("you block {} people, which is as many as one can", limits::BLOCKS_PER_USER);
    Refusal::new(Code::LimitReached, detail)
}
