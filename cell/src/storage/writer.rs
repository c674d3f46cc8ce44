//! The writer of a lane: commits its batches one after the other, on a connection of its own.

use std::time::Duration;

use skep_core::{Batch, Commit};
use skep_protocol::{Lane, Pos};
use tokio_postgres::Client;

use super::connect::{Database, Purpose};
use super::error::StorageError;
use super::lease::{Lease, LeaseState};
use super::shard::Shard;
use super::{decode, eras};

mod append;
mod columns;
mod marks;
mod outcome;
mod statements;
mod transaction;

use statements::Statements;

/// A batch that got no answer for so long is of unknown outcome. More than the server's own timeouts.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);
const RECONNECT: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// The lane is another's, or memory and shard differ: the process must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fenced(pub String);

/// The only one that writes a lane.
#[derive(Debug)]
pub struct LaneWriter {
    lane: Lane,
    database: Database,
    lease: Lease,
    timeline: String,
    /// Fences former writers of this lane off.
    writer: i64,
    position: Pos,
    link: Option<LaneLink>,
    standing: Standing,
}

/// Whether it is known what came of the last batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Settled,
    /// It may be in the shard, or still on its way there.
    Unknown,
}

#[derive(Debug)]
struct LaneLink {
    client: Client,
    statements: Statements,
}

/// Why there is no connection now.
enum NoLink {
    Away(StorageError),
    Fenced(Fenced),
}

impl LaneWriter {
    pub(super) async fn open(shard: &Shard, lane: Lane) -> Result<Self, StorageError> {
        let mut writer = Self {
            lane,
            database: shard.database.clone(),
            lease: shard.lease.clone(),
            timeline: shard.eras.last().expect("opening a shard begins an era").timeline.clone(),
            writer: 0,
            position: Pos::ZERO,
            link: None,
            standing: Standing::Settled,
        };
        match writer.take_over().await {
            Ok(()) => Ok(writer),
            Err(NoLink::Away(e)) => Err(e),
            Err(NoLink::Fenced(e)) => Err(StorageError::Mismatch(e.0)),
        }
    }

    /// Which lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Where the lane stands, as far as this writer knows.
    pub fn position(&self) -> Pos {
        self.position
    }

    /// Commits the batch that follows [`Self::position`]. `Done` means that every statement's result was looked at and
    /// none failed. Must not be dropped before it ends; if it is, the outcome counts as unknown.
    pub async fn commit(&mut self, batch: &Batch) -> Commit {
        if self.standing == Standing::Unknown {
            return Commit::Unknown;
        }
        if batch.lane != self.lane || batch.pos != self.position.next() {
            let Self { lane, position, .. } = self;
            return Commit::Fenced(format!("lane {lane} stands at {position}, the batch is {}", batch.pos));
        }
        if let Err(e) = self.connect().await {
            return match e {
                NoLink::Away(e) => {
                    tracing::warn!(lane = %self.lane, error = %e, "no connection for the lane: nothing was sent");
                    Commit::Again
                }
                NoLink::Fenced(e) => Commit::Fenced(e.0),
            };
        }
        let link = self.link.as_ref().expect("just connected");
        // Until the outcome is known: a caller that goes away in the middle leaves it so.
        self.standing = Standing::Unknown;
        let writing = async {
            if append::is_enough(batch) {
                append::run(link, self.writer, batch).await
            } else {
                transaction::run(link, self.writer, batch).await
            }
        };
        let outcome = tokio::time::timeout(COMMIT_TIMEOUT, writing).await.unwrap_or(Commit::Unknown);
        match &outcome {
            Commit::Unknown => {
                tracing::warn!(lane = %self.lane, pos = %batch.pos, "the outcome of a batch is unknown");
                self.link = None;
            }
            Commit::Done(_) => {
                self.position = batch.pos;
                self.standing = Standing::Settled;
            }
            _ => self.standing = Standing::Settled,
        }
        outcome
    }

    /// After an unknown outcome: fences the former connection off, and reads where the lane stands, for as long as it
    /// takes. The batch is there exactly if the lane stands at its position. May be dropped and called again.
    pub async fn resolve(&mut self) -> Result<Pos, Fenced> {
        let mut wait = RECONNECT;
        loop {
            self.standing = Standing::Unknown;
            match self.take_over().await {
                Ok(()) => return Ok(self.position),
                Err(NoLink::Fenced(e)) => return Err(e),
                Err(NoLink::Away(e)) => tracing::warn!(lane = %self.lane, error = %e, "the lane is not settled yet"),
            }
            if self.lease.state() == LeaseState::Lost {
                return Err(Fenced("the lease is lost".to_owned()));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECONNECT_MAX);
        }
    }

    /// A connection, when none is up. Nothing is in flight: the lane must stand where it did.
    async fn connect(&mut self) -> Result<(), NoLink> {
        if self.link.as_ref().is_some_and(|link| !link.client.is_closed()) {
            return Ok(());
        }
        let link = self.link_up().await?;
        let position = position(&link.client, self.lane).await?;
        if position != self.position {
            let Self { lane, position: known, .. } = self;
            return Err(NoLink::Fenced(Fenced(format!("lane {lane} stands at {position}, memory at {known}"))));
        }
        self.link = Some(link);
        Ok(())
    }

    /// Becomes the lane's writer. The update waits for a backend that has begun a batch, and shuts out one that has not
    /// (terminating it would settle nothing); only then is the position read.
    async fn take_over(&mut self) -> Result<(), NoLink> {
        self.link = None;
        let mut link = self.link_up().await?;
        let tx = link.client.transaction().await?;
        tx.execute("SELECT lease_check($1)", &[&(self.lease.epoch().0 as i64)]).await?;
        let sql = "UPDATE lanes SET writer = writer + 1 WHERE lane = $1 RETURNING writer";
        let writer = tx.query_opt(sql, &[&(self.lane.0 as i16)]).await?;
        let Some(writer) = writer else {
            return Err(NoLink::Fenced(Fenced(format!("the shard has no lane {}", self.lane))));
        };
        let writer = writer.try_get(0)?;
        tx.commit().await?;
        self.position = position(&link.client, self.lane).await?;
        self.writer = writer;
        self.link = Some(link);
        self.standing = Standing::Settled;
        Ok(())
    }

    async fn link_up(&self) -> Result<LaneLink, NoLink> {
        let purpose = Purpose::Lane(self.lane);
        let client = self.database.connect(purpose, Some(self.lease.epoch())).await.map_err(NoLink::Away)?.client;
        let timeline = eras::timeline(&client).await.map_err(NoLink::Away)?;
        if timeline != self.timeline {
            let was = &self.timeline;
            let detail = format!("the shard's history is {timeline} now, was {was}: memory may be ahead of it");
            return Err(NoLink::Fenced(Fenced(detail)));
        }
        let statements = Statements::prepare(&client, self.lane).await?;
        Ok(LaneLink { client, statements })
    }
}

impl From<tokio_postgres::Error> for NoLink {
    fn from(e: tokio_postgres::Error) -> Self {
        StorageError::from(e).into()
    }
}

impl From<StorageError> for NoLink {
    fn from(e: StorageError) -> Self {
        match e {
            StorageError::Superseded => Self::Fenced(Fenced(e.to_string())),
            e => Self::Away(e),
        }
    }
}

async fn position(client: &Client, lane: Lane) -> Result<Pos, StorageError> {
    let sql = "SELECT coalesce(max(pos), 0) FROM lane_log WHERE lane = $1";
    decode::pos(&client.query_one(sql, &[&(lane.0 as i16)]).await?, 0)
}
