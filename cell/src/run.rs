//! A cell from its start to its end: ports, shard, lanes, relays, doors.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use skep_directory::{DirectoryError, MapWatch};
use skep_inside::{Arrived, Door, Inside, Speaks, incoming};
use skep_protocol::{CellId, Lane, UserId, limits, wire};
use skep_tls::Acceptor;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::service::InterceptorLayer;
use wire::{operator_server::OperatorServer, peer_server::PeerServer, relay_server::RelayServer};

use crate::{
    Config,
    accounts::{self, Accounts},
    admin::{self, Serving},
    cache::Cache,
    context::Context,
    http,
    images::{Press, Store, remove_old},
    operator::OperatorService,
    peer::{PeerService, Peers},
    rates::Rates,
    relay::{RelayService, Repair, dial_peers},
    search,
    shell::{Hub, Running, now},
    socket::{self, Doors},
    storage::{Opening, Shard, mark_restored},
    trace,
};

/// People whose last connection went and whose time is not written yet: a whole cell's sockets at once.
const OFFLINE_QUEUE: usize = 65_536;
/// How often limits forget who did nothing for a while.
const TIDIED_EVERY: Duration = Duration::from_secs(60);

/// Connections that wait to be taken: a cell's people come back at once after a crash.
const BACKLOG: u32 = 4_096;

/// Fan-out workers: one per core, and never so many that small machines only switch between them.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(16)
}

/// Serves until stopped, or until another process takes the shard over. Waits as a standby while another has it.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let inside = Inside::start(&config.cluster_secret, config.inner_tls.as_ref())?;
    let acceptor = Acceptor::start(config.tls.as_ref()).context("tls")?;
    let inner = Inner {
        relay: inside.acceptor(Speaks::Http2, "relay_listen", config.relay_listen),
        http: inside.acceptor(Speaks::Http1, "http_listen", config.http_listen),
    };
    let (ports, admin) = (Ports::take(&config)?, take(config.admin_listen, "admin_listen")?.listen(BACKLOG)?);
    let cell = CellId(config.cell_id);
    std::fs::create_dir_all(&config.data_dir).context("making the cell's folder")?;
    let images = Store::open(&config)?;
    let map = MapWatch::start(&config.directory, &inside, config.data_dir.join("map"), stop.clone())?;
    let serving = Arc::new(OnceLock::new());
    let admin = tokio::spawn(admin::serve(admin, Arc::clone(&serving), stop.clone()));

    // Before the shard is taken over from a process that may be serving well.
    map.admitted().await?;
    let holder = format!("pid {}", std::process::id());
    let opening = tokio::select! {
        opening = Shard::open(&config.database, cell, config.home_lanes, holder) => opening?,
        () = stop.cancelled() => return Ok(()),
    };
    let Opening { shard, positions: _, cursors } = opening;
    let mut writers = Vec::new();
    for lane in 0..=shard.home_lanes() {
        writers.push(shard.lane_writer(Lane(lane)).await?);
    }

    // Who reads the map knows where this process serves before it serves.
    let entry = ports.entry(&config, shard.epoch().0)?;
    let open = ports.open().context("opening the ports")?;
    let known = register(&map, entry, config.expected_cells, &stop).await?;
    let whole = tokio::select! {
        whole = map.whole() => whole,
        () = stop.cancelled() => return Ok(()),
    };
    let (offline, gone) = mpsc::channel(OFFLINE_QUEUE);
    let hub = Hub::start(Running {
        cell,
        map: if known.is_whole() { known } else { whole },
        shard: Arc::clone(&shard),
        writers,
        cursors,
        workers: workers(),
        offline,
        stop: stop.clone(),
    });
    let context = Arc::new(Context {
        cell,
        hub: Arc::clone(&hub),
        shard: Arc::clone(&shard),
        map: Arc::clone(&map),
        accounts: Accounts::new(Arc::clone(&shard)),
        peers: Peers::new(Arc::clone(&map), inside.clone()),
        cache: Cache::new(config.redis.as_deref()).context("redis is no address of a Redis")?,
        rates: Rates::new(&config.rate_limits),
        press: Press::new(),
        images,
        config,
    });
    let repair = Repair { cell, shard: Arc::clone(&shard), peers: Peers::new(Arc::clone(&map), inside.clone()) };
    tokio::spawn(dial_peers(Arc::clone(&hub), map, inside.clone(), Arc::new(repair)));
    tokio::spawn(remember_gone(Arc::clone(&context), gone));
    tokio::spawn(tidy(Arc::clone(&context)));
    let doors = Arc::new(Doors::new(Arc::clone(&context)));
    tokio::spawn(remove_old(Arc::clone(&context)));
    tokio::spawn(search::deliver(Arc::clone(&context)));
    tokio::spawn(search::ask(Arc::clone(&context)));
    tokio::spawn(search::send_all(Arc::clone(&context)));
    tokio::spawn(accounts::blocks::confirm(Arc::clone(&context)));
    tokio::spawn(accounts::claims::settle_old(Arc::clone(&context)));
    let served = [
        tokio::spawn(serve_cells(incoming(open.relay, inner.relay), inside.door(), Arc::clone(&context), stop.clone())),
        tokio::spawn(http::serve(open.http, inner.http, inside.door(), context, stop.clone())),
        tokio::spawn(socket::serve(open.socket, acceptor, doors, stop.clone())),
        admin,
    ];
    _ = serving.set(Serving { hub, shard: Arc::clone(&shard) });
    tracing::info!(%cell, epoch = %shard.epoch(), "the cell serves");

    let is_lost = tokio::select! {
        () = stop.cancelled() => false,
        () = shard.lease().lost() => {
            tracing::error!("another process has this shard: this one ends");
            stop.cancel();
            true
        }
    };
    // Each of them ends by itself, bounded, once it is told to stop.
    futures_util::future::join_all(served).await;
    shard.close().await;
    if is_lost { anyhow::bail!("another process has this cell's shard") } else { Ok(()) }
}

/// Notes that the cell's shard was restored from an older copy, while the cell is stopped.
pub async fn restored(config: Config) -> anyhow::Result<String> {
    let era = mark_restored(&config.database, CellId(config.cell_id)).await?;
    Ok(format!("Cell {} begins era {era}: start it, and other cells set aside what was lost.", config.cell_id))
}

/// Relays, and other cells' calls.
async fn serve_cells(
    incoming: impl Stream<Item = std::io::Result<Arrived>> + Send,
    door: Door,
    context: Arc<Context>,
    stop: CancellationToken,
) {
    let relay = RelayService { hub: Arc::clone(&context.hub), shard: Arc::clone(&context.shard) };
    let relay = RelayServer::new(relay)
        .max_decoding_message_size(2 * limits::RELAY_FRAME_BYTES)
        .max_encoding_message_size(2 * limits::RELAY_FRAME_BYTES);
    let served = tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .layer(InterceptorLayer::new(door))
        .trace_fn(trace::span)
        .initial_stream_window_size(4 * 1024 * 1024)
        .initial_connection_window_size(8 * 1024 * 1024)
        .add_service(relay)
        .add_service(PeerServer::new(PeerService(Arc::clone(&context))))
        .add_service(OperatorServer::new(OperatorService(context)))
        .serve_with_incoming(incoming);
    tokio::select! {
        Err(error) = served => tracing::error!(%error, "other cells are no longer served"),
        // Streams have no end of their own: they are cut, and peers go on from their cursors.
        () = stop.cancelled() => {}
    }
}

/// Writes down when people went.
async fn remember_gone(context: Arc<Context>, mut gone: mpsc::Receiver<UserId>) {
    while let Some(user) = gone.recv().await {
        context.cache.saw(user, now()).await;
    }
}

/// Forgets who did nothing for a while, until the process ends.
async fn tidy(context: Arc<Context>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDIED_EVERY) => context.rates.tidy(),
            () = context.hub.stopped() => return,
        }
    }
}

/// The map that followed. A directory that is away is asked again and again; with a kept map nothing waits for it.
async fn register(
    map: &Arc<MapWatch>,
    entry: wire::Cell,
    expected_cells: u32,
    stop: &CancellationToken,
) -> anyhow::Result<Arc<skep_protocol::SlotMap>> {
    let mut wait_ms = 50;
    loop {
        match map.register(entry.clone(), expected_cells).await {
            Ok(map) => return Ok(map),
            Err(DirectoryError::Superseded) => anyhow::bail!("a newer process serves this cell"),
            Err(refused @ DirectoryError::Refused(_)) => return Err(refused.into()),
            Err(error) => {
                if map.current().is_whole() {
                    tracing::warn!(%error, "the directory is away: going on with the kept map");
                    let (map, stop) = (Arc::clone(map), stop.clone());
                    let current = map.current();
                    tokio::spawn(async move {
                        while !stop.is_cancelled() {
                            match map.register(entry.clone(), expected_cells).await {
                                Ok(_) => return,
                                Err(DirectoryError::Superseded) => {
                                    tracing::error!("a newer process serves this cell: this one ends");
                                    return stop.cancel();
                                }
                                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
                            }
                        }
                    });
                    return Ok(current);
                }
                tracing::warn!(%error, "the directory is away, and there is no kept map: waiting for it");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            () = stop.cancelled() => anyhow::bail!("stopped while waiting for the directory"),
        }
        wait_ms = (wait_ms * 2).min(1_000);
    }
}

/// The ports that others come in by: taken before anything else is done, and opened when the cell serves. Whoever knocks
/// at a standby is refused at once and asks for the way, instead of waiting in a queue that nobody serves.
struct Ports {
    socket: TcpSocket,
    http: TcpSocket,
    relay: TcpSocket,
}

/// What makes wires of what the other parts say.
struct Inner {
    relay: Acceptor,
    http: Acceptor,
}

struct Open {
    socket: TcpListener,
    http: TcpListener,
    relay: TcpListener,
}

impl Ports {
    fn take(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            socket: take(config.socket_listen, "socket_listen")?,
            http: take(config.http_listen, "http_listen")?,
            relay: take(config.relay_listen, "relay_listen")?,
        })
    }

    fn open(self) -> std::io::Result<Open> {
        Ok(Open {
            socket: self.socket.listen(BACKLOG)?,
            http: self.http.listen(BACKLOG)?,
            relay: self.relay.listen(BACKLOG)?,
        })
    }

    fn entry(&self, config: &Config, process_epoch: u64) -> anyhow::Result<wire::Cell> {
        Ok(wire::Cell {
            cell_id: config.cell_id,
            relay_address: address(&config.relay_address, &self.relay)?,
            http_address: address(&config.http_address, &self.http)?,
            socket_url: config.socket_url.clone(),
            process_epoch,
        })
    }
}

/// As others are told it.
fn address(told: &Option<String>, port: &TcpSocket) -> anyhow::Result<String> {
    Ok(match told {
        Some(address) => address.clone(),
        None => port.local_addr()?.to_string(),
    })
}

fn take(address: SocketAddr, key: &str) -> anyhow::Result<TcpSocket> {
    let take = || {
        let port = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        port.set_reuseaddr(true)?;
        port.bind(address)?;
        Ok::<_, std::io::Error>(port)
    };
    take().with_context(|| format!("{key} = {address} cannot be bound"))
}
