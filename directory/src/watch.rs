//! How routers and cells follow the directory: their own copy of the map, kept on disk, never older than it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prost::Message as _;
use skep_inside::{Inside, ProvenChannel, Seldom, refusal};
use skep_protocol::{Epoch, SlotMap, wire};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use wire::{directory_client::DirectoryClient, map_update::Update};

/// Why the directory did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the directory's address cannot be used: {0}")]
    Address(String),
    #[error("the directory does not answer: {0}")]
    Away(String),
    /// Its word, and what to do.
    #[error("the directory refuses this process: {0}")]
    Refused(String),
    #[error("a newer process serves this cell")]
    Superseded,
    #[error("the directory sent a map that cannot be used: {0}")]
    Map(#[from] skep_protocol::MapError),
}

/// A copy of the map that follows the directory.
pub struct MapWatch {
    client: DirectoryClient<ProvenChannel>,
    map_file: PathBuf,
    map: ArcSwap<SlotMap>,
    epoch: watch::Sender<Epoch>,
    refused: Seldom,
}

/// How often it is said that the directory refuses this process.
const PERIOD: Duration = Duration::from_secs(30);

impl MapWatch {
    /// Starts from the map kept in `map_file`, if there is one, and follows the directory until stopped. The directory
    /// may be away, now and at any time.
    pub fn start(
        directory: &str,
        inside: &Inside,
        map_file: PathBuf,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, DirectoryError> {
        let endpoint = inside
            .endpoint(directory)
            .map_err(|e| DirectoryError::Address(e.to_string()))?
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(2))
            .http2_keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true);
        let kept = read(&map_file);
        let client = DirectoryClient::new(inside.connect_lazily(&endpoint)).max_decoding_message_size(16 * 1024 * 1024);
        let epoch = watch::Sender::new(kept.epoch);
        let this =
            Arc::new(Self { client, map_file, map: ArcSwap::from_pointee(kept), epoch, refused: Seldom::new(PERIOD) });
        let following = Arc::clone(&this);
        tokio::spawn(async move {
            tokio::select! {
                () = following.follow() => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(this)
    }

    /// Whether the directory takes this process for one of its deployment's; one that is away has not said no. To be
    /// asked before anything is taken over from a process that serves.
    pub async fn admitted(&self) -> Result<(), DirectoryError> {
        let mut client = self.client.clone();
        match tokio::time::timeout(Duration::from_secs(2), client.get_map(wire::GetMapRequest {})).await {
            Ok(Ok(answer)) => self.take_whole(answer.get_ref()),
            Ok(Err(status)) => match DirectoryError::from(status) {
                refused @ DirectoryError::Refused(_) => Err(refused),
                _ => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    /// The newest map known here.
    pub fn current(&self) -> Arc<SlotMap> {
        self.map.load_full()
    }

    /// Waits for a map newer than this epoch.
    pub async fn changed_since(&self, epoch: Epoch) -> Arc<SlotMap> {
        let mut epochs = self.epoch.subscribe();
        // The sender lives as long as `self`.
        _ = epochs.wait_for(|known| *known > epoch).await;
        self.current()
    }

    /// Waits for a map in which every slot has an owner.
    pub async fn whole(&self) -> Arc<SlotMap> {
        let mut map = self.current();
        while !map.is_whole() {
            map = self.changed_since(map.epoch).await;
        }
        map
    }

    /// Somebody has named a newer epoch: asks for it now. Does nothing when it is known already, or nobody answers.
    pub async fn refresh_beyond(&self, named: Epoch) {
        if self.current().epoch >= named {
            return;
        }
        let mut client = self.client.clone();
        let asked = client.get_map(wire::GetMapRequest {});
        match tokio::time::timeout(Duration::from_secs(2), asked).await {
            Ok(Ok(answer)) => _ = self.take_whole(answer.get_ref()),
            Ok(Err(error)) => tracing::debug!(%error, "the directory is away"),
            Err(_) => tracing::debug!("the directory does not answer"),
        }
    }

    /// Says where a cell serves, and takes the map that follows from it.
    pub async fn register(&self, cell: wire::Cell, expected_cells: u32) -> Result<Arc<SlotMap>, DirectoryError> {
        let request = wire::RegisterRequest { cell: Some(cell), expected_cells };
        let answer = tokio::time::timeout(Duration::from_secs(5), self.client.clone().register(request)).await;
        let answer = answer.map_err(|_| DirectoryError::Away("no answer in 5 s".to_owned()))??;
        self.take_whole(answer.get_ref())?;
        Ok(self.current())
    }

    async fn follow(&self) {
        let mut wait_ms = 50;
        loop {
            match self.stream().await {
                Ok(()) => wait_ms = 50,
                Err(error @ DirectoryError::Refused(_)) => {
                    if let Some(times) = self.refused.happened() {
                        tracing::error!(%error, times, "the map is no longer followed; the last one goes on");
                    }
                }
                Err(error) => tracing::debug!(%error, "the directory is away; the last map goes on"),
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            wait_ms = (wait_ms * 2).min(2_000);
        }
    }

    async fn stream(&self) -> Result<(), DirectoryError> {
        let request = wire::WatchRequest { epoch: self.current().epoch.0 };
        let mut updates = self.client.clone().watch(request).await?.into_inner();
        while let Some(update) = updates.next().await {
            match update?.update {
                Some(Update::Whole(map)) => self.take_whole(&map)?,
                Some(Update::Diff(diff)) => {
                    let mut map = SlotMap::clone(&self.current());
                    map.apply(&diff)?;
                    self.take(map);
                }
                None => {}
            }
        }
        Ok(())
    }

    fn take_whole(&self, map: &wire::Map) -> Result<(), DirectoryError> {
        self.take(SlotMap::try_from(map)?);
        Ok(())
    }

    /// An older map is passed over, whoever sent it.
    fn take(&self, map: SlotMap) {
        let map = Arc::new(map);
        let taken = self.epoch.send_if_modified(|epoch| {
            let newer = map.epoch > *epoch;
            if newer {
                self.map.store(Arc::clone(&map));
                *epoch = map.epoch;
            }
            newer
        });
        if taken && let Err(error) = keep(&self.map_file, &map) {
            tracing::warn!(%error, file = %self.map_file.display(), "the map could not be kept on disk");
        }
    }
}

impl From<tonic::Status> for DirectoryError {
    fn from(status: tonic::Status) -> Self {
        // Nothing comes of trying TLS again with the same files.
        if let Some(reason) = refusal(&status) {
            return Self::Refused(reason);
        }
        let message = status.message().to_owned();
        match status.code() {
            tonic::Code::Unauthenticated => Self::Refused(message),
            // What a port that speaks TLS says to who does not.
            tonic::Code::PermissionDenied => Self::Refused(format!("it speaks TLS: set inner_tls ({message})")),
            _ if message.starts_with("superseded") => Self::Superseded,
            _ => Self::Away(message),
        }
    }
}

fn read(file: &Path) -> SlotMap {
    let kept = std::fs::read(file).ok().and_then(|bytes| wire::Map::decode(&*bytes).ok());
    kept.and_then(|map| SlotMap::try_from(&map).ok()).unwrap_or_default()
}

/// Written whole or not at all.
fn keep(file: &Path, map: &SlotMap) -> std::io::Result<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, wire::Map::from(map).encode_to_vec())?;
    std::fs::rename(new, file)
}
