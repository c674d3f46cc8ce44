//! The service: cells register, everyone watches.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use skep_inside::{ClusterSecret, Inside, MutualFiles, Speaks, incoming};
use skep_protocol::{CellEntry, CellId, Epoch, SlotMap, wire};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::InterceptorLayer};
use wire::directory_server::{Directory, DirectoryServer};

use crate::{
    proposer::propose,
    store::{Store, StoreError},
};

/// How long a change of the map waits for the one before it.
const TURN: Duration = Duration::from_secs(5);

/// How a directory is run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where cells and routers ask (gRPC).
    pub listen: SocketAddr,
    /// Health and metrics.
    pub admin_listen: SocketAddr,
    /// The directory's own PostgreSQL database, as a libpq connection string.
    pub database: String,
    /// What the parts of this deployment show one another: 32 letters or more, the same everywhere, in a file that only
    /// they can read. To change it, give every part both in turn, a line each: the first is shown, all are accepted.
    pub cluster_secret: ClusterSecret,
    /// TLS between the parts, both ways: this deployment's own authority, and this part's certificate and key (PEM
    /// files, followed). Certificates are in the name of skep.internal. All parts have it, or none.
    #[serde(default)]
    pub inner_tls: Option<MutualFiles>,
}

/// Serves until stopped.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let inside = Inside::start(&config.cluster_secret, config.inner_tls.as_ref())?;
    let listener = TcpListener::bind(config.listen).await?;
    let acceptor = inside.acceptor(Speaks::Http2, "listen", config.listen);
    let admin = TcpListener::bind(config.admin_listen).await?;
    let Some(store) = open(&config.database, &stop).await else { return Ok(()) };
    let map = store.read().await?;
    tracing::info!(epoch = %map.epoch, cells = map.cells.len(), "the directory serves");
    let (map, _) = watch::channel(Arc::new(map));
    let service = Service { database: config.database, store: Arc::new(Mutex::new(store)), map };
    let admin_stop = stop.clone();
    let routes = admin_routes(service.map.subscribe());
    tokio::spawn(async move {
        axum::serve(admin, routes).with_graceful_shutdown(async move { admin_stop.cancelled().await }).await
    });
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .layer(InterceptorLayer::new(inside.door()))
        .add_service(DirectoryServer::new(service))
        .serve_with_incoming_shutdown(incoming(listener, acceptor), async move { stop.cancelled().await })
        .await?;
    Ok(())
}

/// Until the database answers; `None` when stopped before.
async fn open(database: &str, stop: &CancellationToken) -> Option<Store> {
    loop {
        match Store::open(database).await {
            Ok(store) => return Some(store),
            Err(error) => tracing::warn!(%error, "trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = stop.cancelled() => return None,
        }
    }
}

fn admin_routes(map: watch::Receiver<Arc<SlotMap>>) -> axum::Router {
    let metrics = move || {
        let map = Arc::clone(&map.borrow());
        async move {
            format!(
                "# TYPE skep_map_epoch gauge\nskep_map_epoch {}\n# TYPE skep_cells gauge\nskep_cells {}\n",
                map.epoch,
                map.cells.len()
            )
        }
    };
    axum::Router::new()
        .route("/healthz", axum::routing::get(async || "ok\n"))
        .route("/readyz", axum::routing::get(async || "ok\n"))
        .route("/metrics", axum::routing::get(metrics))
}

#[derive(Clone)]
struct Service {
    database: String,
    store: Arc<Mutex<Store>>,
    map: watch::Sender<Arc<SlotMap>>,
}

impl Service {
    async fn enter(&self, request: wire::RegisterRequest) -> Result<wire::Map, Status> {
        let cell = request.cell.ok_or_else(|| Status::invalid_argument("a cell registers itself"))?;
        let entry = CellEntry::from(&cell);
        if entry.cell_id == CellId::ZERO {
            return Err(Status::invalid_argument("cells are numbered from 1"));
        }
        // One change at a time; who asks again and again while it is written does not make a pile of changes to come.
        let Ok(mut store) = tokio::time::timeout(TURN, self.store.lock()).await else {
            return Err(Status::unavailable("another change of the map is being written: ask again"));
        };
        if store.is_closed() {
            *store = Store::open(&self.database).await.map_err(unavailable)?;
        }
        let old = Arc::clone(&self.map.borrow());
        if old.cells.get(&entry.cell_id).is_some_and(|known| known.process_epoch > entry.process_epoch) {
            return Err(Status::failed_precondition("superseded: a newer process serves this cell"));
        }
        let mut new = SlotMap::clone(&old);
        new.cells.insert(entry.cell_id, entry);
        if !new.is_whole() && new.cells.len() >= request.expected_cells as usize {
            propose(&mut new);
        }
        if new != *old {
            new.epoch = old.epoch.next();
            store.write(&old, &new).await.map_err(unavailable)?;
            tracing::info!(epoch = %new.epoch, cell = %cell.cell_id, "the map has changed");
            self.map.send_replace(Arc::new(new));
        }
        Ok(wire::Map::from(&**self.map.borrow()))
    }
}

#[tonic::async_trait]
impl Directory for Service {
    async fn register(&self, request: Request<wire::RegisterRequest>) -> Result<Response<wire::Map>, Status> {
        // Carried to its end, whoever still waits for it: the first map has all slots, and on a busy machine writing it
        // may take longer than a cell's patience. Given up with the call, it would begin again for ever.
        let (service, request) = (self.clone(), request.into_inner());
        let registered = tokio::spawn(async move { service.enter(request).await }).await;
        registered.map_err(|_| Status::internal("registering broke off"))?.map(Response::new)
    }

    async fn get_map(&self, _: Request<wire::GetMapRequest>) -> Result<Response<wire::Map>, Status> {
        Ok(Response::new(wire::Map::from(&**self.map.borrow())))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::MapUpdate, Status>> + Send>>;

    async fn watch(&self, request: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let mut known = Epoch(request.into_inner().epoch);
        let mut map = self.map.subscribe();
        let (updates, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut sent: Option<Arc<SlotMap>> = None;
            loop {
                let current = Arc::clone(&map.borrow_and_update());
                let update = match &sent {
                    Some(sent) if sent.epoch == current.epoch => None,
                    Some(sent) => Some(wire::map_update::Update::Diff(current.diff_from(sent))),
                    None if known == current.epoch => None,
                    None => Some(wire::map_update::Update::Whole(wire::Map::from(&*current))),
                };
                known = current.epoch;
                sent = Some(current);
                if let Some(update) = update
                    && updates.send(Ok(wire::MapUpdate { update: Some(update) })).await.is_err()
                {
                    return;
                }
                tokio::select! {
                    changed = map.changed() => if changed.is_err() { return },
                    () = updates.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn unavailable(error: StoreError) -> Status {
    tracing::warn!(%error, "a registration could not be stored");
    Status::unavailable(error.to_string())
}
