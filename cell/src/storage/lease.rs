//! The lease on the shard: who may write and answer. Held by an advisory lock and a row that is renewed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use skep_protocol::{Epoch, limits};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::connect::{Database, Link, Purpose};
use super::error::StorageError;

/// The advisory lock of the holder: "skep", 1.
pub(super) const LOCK: (i32, i32) = (0x736b_6570, 1);
const RECONNECT: Duration = Duration::from_millis(200);

/// What may be done with the shard now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaseState {
    /// All.
    Held,
    /// Nothing may be answered that rests on the shard or on memory: another may be about to take over.
    Doubtful,
    /// Another has it, or nobody can tell for too long: the process must end.
    Lost,
}

/// The lease of this process. Cheap to clone; to be looked at before every answer.
#[derive(Clone, Debug)]
pub struct Lease {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    epoch: Epoch,
    /// When the last renewal that succeeded was sent, in milliseconds of the machine's uptime, sleep included.
    renewed_ms: AtomicI64,
    locked: AtomicBool,
    lost: CancellationToken,
}

/// Holds the lease until it is stopped.
#[derive(Debug)]
pub(super) struct Keeper {
    pub lease: Lease,
    database: Database,
}

// === impl Lease ===

impl Lease {
    /// Just taken, by a statement sent at `sent_ms`, in a session that holds the lock.
    pub(super) fn taken(epoch: Epoch, sent_ms: i64) -> Self {
        let (renewed_ms, locked) = (AtomicI64::new(sent_ms), AtomicBool::new(true));
        Self { shared: Arc::new(Shared { epoch, renewed_ms, locked, lost: CancellationToken::new() }) }
    }

    /// The epoch of this process.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// Where it stands, by a clock that also counts while the machine sleeps or the process is stopped.
    pub fn state(&self) -> LeaseState {
        let age = uptime_ms() - self.shared.renewed_ms.load(Ordering::Acquire);
        if self.shared.lost.is_cancelled() || age >= limits::LEASE_GIVE_UP_MS as i64 {
            LeaseState::Lost
        } else if !self.shared.locked.load(Ordering::Acquire) || age >= limits::LEASE_DOUBT_MS as i64 {
            LeaseState::Doubtful
        } else {
            LeaseState::Held
        }
    }

    /// Whether answers may rest on the shard now.
    pub fn is_held(&self) -> bool {
        self.state() == LeaseState::Held
    }

    /// Waits until it is lost. May be dropped at any time.
    pub async fn lost(&self) {
        self.shared.lost.cancelled().await;
    }

    fn renewed(&self, sent_ms: i64) {
        self.shared.renewed_ms.store(sent_ms, Ordering::Release);
        self.shared.locked.store(true, Ordering::Release);
    }

    fn unlocked(&self) {
        self.shared.locked.store(false, Ordering::Release);
    }

    fn lose(&self) {
        self.shared.lost.cancel();
    }
}

// === impl Keeper ===

impl Keeper {
    pub fn new(lease: Lease, database: Database) -> Self {
        Self { lease, database }
    }

    /// Renews until `stop`, then lets go at once; or until the lease is lost.
    pub async fn run(self, link: Link, stop: CancellationToken) {
        let mut link = Some(link);
        loop {
            let wait = match &link {
                Some(link) => {
                    tokio::select! {
                        () = stop.cancelled() => return self.release(&link.client).await,
                        () = link.closed.cancelled() => None,
                        () = tokio::time::sleep(Duration::from_millis(limits::LEASE_RENEW_MS)) => Some(()),
                    }
                }
                None => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(RECONNECT) => None,
                    }
                }
            };
            if wait.is_none() {
                self.lease.unlocked();
                link = self.lock_again().await;
            }
            if let Some(held) = &link
                && !self.renew(&held.client).await
            {
                self.lease.unlocked();
                link = None;
            }
            if self.lease.state() == LeaseState::Lost {
                tracing::error!(epoch = %self.lease.epoch(), "the lease on the shard is lost");
                return self.lease.lose();
            }
        }
    }

    /// Whether the session can go on.
    async fn renew(&self, client: &Client) -> bool {
        let sent_ms = uptime_ms();
        let sql = "UPDATE lease SET expires_at = now() + $2 * interval '1 millisecond' WHERE epoch = $1";
        let (epoch, lasts_ms) = (self.lease.epoch().0 as i64, limits::LEASE_MS as f64);
        let renewal = async { client.execute(sql, &[&epoch, &lasts_ms]).await };
        match tokio::time::timeout(Duration::from_millis(limits::LEASE_DOUBT_MS), renewal).await {
            Ok(Ok(0)) => {
                self.lease.lose();
                false
            }
            Ok(Ok(_)) => {
                self.lease.renewed(sent_ms);
                true
            }
            Ok(Err(e)) => {
                tracing::warn!(error = %StorageError::from(e), "the lease could not be renewed");
                false
            }
            Err(_) => {
                tracing::warn!("the lease could not be renewed in time");
                false
            }
        }
    }

    async fn lock_again(&self) -> Option<Link> {
        let link = match self.database.connect(Purpose::Lease, Some(self.lease.epoch())).await {
            Ok(link) => link,
            Err(e) => {
                tracing::warn!(error = %e, "the lock of the lease is gone and the shard is away");
                return None;
            }
        };
        match try_lock(&link.client).await {
            Ok(true) => Some(link),
            Ok(false) => {
                let newer = "SELECT 1 FROM lease WHERE epoch > $1";
                if link.client.query_opt(newer, &[&(self.lease.epoch().0 as i64)]).await.is_ok_and(|r| r.is_some()) {
                    self.lease.lose();
                }
                None
            }
            Err(_) => None,
        }
    }

    /// The next process need not wait.
    async fn release(&self, client: &Client) {
        let epoch = self.lease.epoch().0 as i64;
        let sql = "UPDATE lease SET expires_at = now() WHERE epoch = $1";
        let release = async { client.execute(sql, &[&epoch]).await };
        if tokio::time::timeout(Duration::from_secs(1), release).await.is_err() {
            tracing::debug!("the lease could not be let go in time; it runs out by itself");
        }
    }
}

/// Takes the advisory lock, unless another session has it.
pub(super) async fn try_lock(client: &Client) -> Result<bool, StorageError> {
    Ok(client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK.0, &LOCK.1]).await?.try_get(0)?)
}

/// Milliseconds since the machine started, sleep included.
pub(super) fn uptime_ms() -> i64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock");
    now.tv_sec() * 1_000 + now.tv_nsec() / 1_000_000
}
