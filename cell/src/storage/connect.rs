//! Connections to the shard's database. Each says in its application_name which cell, epoch and part it is.

use std::str::FromStr;
use std::time::Duration;

use skep_protocol::{CellId, Epoch};
use tokio_postgres::{Client, Config, NoTls, config::TargetSessionAttrs};
use tokio_util::sync::CancellationToken;

use super::error::{StorageError, with_sources};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that is gone without a word is noticed after about 10 + 3 * 5 seconds.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Where the shard is, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Database {
    config: Config,
    pub cell: CellId,
}

/// What a connection is for. Decides its settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Waits for the lease, or holds it.
    Lease,
    /// Changes tables; may take long.
    Upgrade,
    /// Writes the batches of a lane.
    Lane(skep_protocol::Lane),
    /// Pooled reads and account transactions.
    Pool,
}

/// A connection, and the sign that it is lost.
pub(super) struct Link {
    pub client: Client,
    pub closed: CancellationToken,
}

// === impl Database ===

impl Database {
    /// From a connection string as libpq takes it; `host=` may be the folder of a Unix socket.
    pub fn parse(conninfo: &str, cell: CellId) -> Result<Self, StorageError> {
        let config = Config::from_str(conninfo)
            .map_err(|e| StorageError::Mismatch(format!("not a connection string: {}", with_sources(&e))))?;
        Ok(Self { config, cell })
    }

    /// How to connect for a purpose. Standbys have no epoch yet.
    pub fn config(&self, purpose: Purpose, epoch: Option<Epoch>) -> Config {
        let mut config = self.config.clone();
        let asked = config.get_options().unwrap_or("").to_owned();
        config
            .application_name(self.application_name(purpose, epoch))
            .options(format!("{asked} {}", purpose.settings()))
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(3)
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        config
    }

    /// `skep/CELL/EPOCH/PART`: a take-over ends the connections of the epoch before it by this name.
    pub fn application_name(&self, purpose: Purpose, epoch: Option<Epoch>) -> String {
        let epoch = epoch.map_or_else(|| "standby".to_owned(), |e| e.to_string());
        let part = match purpose {
            Purpose::Lease => "lease".to_owned(),
            Purpose::Upgrade => "upgrade".to_owned(),
            Purpose::Lane(lane) => format!("lane{lane}"),
            Purpose::Pool => "pool".to_owned(),
        };
        format!("skep/{}/{epoch}/{part}", self.cell)
    }

    /// Connects, and drives the connection until it is lost or its client is dropped.
    pub async fn connect(&self, purpose: Purpose, epoch: Option<Epoch>) -> Result<Link, StorageError> {
        let connecting = self.config(purpose, epoch);
        // The library's own timeout ends with the connection, before the log-in.
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT * 2, connecting.connect(NoTls));
        let (client, connection) =
            connecting.await.map_err(|_| StorageError::Unavailable("connecting takes too long".to_owned()))??;
        let closed = CancellationToken::new();
        let sign = closed.clone().drop_guard();
        tokio::spawn(async move {
            let _sign = sign;
            if let Err(e) = connection.await {
                tracing::debug!(error = with_sources(&e), ?purpose, "a connection to the shard is lost");
            }
        });
        Ok(Link { client, closed })
    }
}

// === impl Purpose ===

impl Purpose {
    /// Server settings. Bounded waits everywhere; no JIT, which costs more than these statements take.
    fn settings(self) -> &'static str {
        match self {
            Self::Lease => "-c statement_timeout=4s -c lock_timeout=1s -c jit=off",
            Self::Upgrade => "-c statement_timeout=0 -c lock_timeout=60s",
            // Every statement of a lane finds rows by key from short arrays: plans that read whole tables are never
            // right, however small the tables were when the plan was made.
            Self::Lane(_) => {
                "-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c statement_timeout=15s \
                 -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s -c jit=off -c enable_seqscan=off \
                 -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off"
            }
            // Pages are read in the order of an index and end early; a bitmap scan would read the whole range first.
            Self::Pool => {
                "-c synchronous_commit=on -c statement_timeout=8s -c lock_timeout=4s \
                 -c idle_in_transaction_session_timeout=8s -c jit=off -c enable_bitmapscan=off"
            }
        }
    }
}
