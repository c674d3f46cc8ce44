//! A directory, cells and a router in this process, each cell with a PostgreSQL and a Redis of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Method;
use skep_authority::Authority;
use skep_children::{HeldPort, Postgres, Redis};
use skep_directory::MapWatch;
use skep_gate::{RateLimits, TrustedProxies};
use skep_inside::{ClusterSecret, Inside};
use skep_protocol::ConversationId;
use skep_tls::TlsFiles;
use tokio_util::sync::CancellationToken;

use crate::{Door, Proxy};

/// What the parts of every deployment here show one another.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An origin whose pages may call, besides the public address.
pub const PAGE: &str = "http://localhost:5173";
/// How long a deployment may take to serve.
const START: Duration = Duration::from_secs(60);

/// A whole deployment, which ends with its value.
pub struct Deployment {
    door: Door,
    pub cells: Vec<CellParts>,
    pub directory_url: String,
    /// What the public listeners show, where they speak TLS.
    pub tls: Option<TlsFiles>,
    /// What a process of it has.
    pub inside: Inside,
    map: Arc<MapWatch>,
    _ports: Vec<HeldPort>,
    stop: CancellationToken,
}

/// What all its doors speak.
enum Wires {
    Bare,
    Tls,
}

/// What belongs to a cell.
pub struct CellParts {
    pub http_url: String,
    pub socket_url: String,
    pub admin_url: String,
    /// The way by which other cells come in.
    pub relay: Proxy,
    pub postgres: Mutex<Postgres>,
    pub redis: Mutex<Redis>,
}

impl Deployment {
    /// So many cells, all of them serving, without rate limits.
    pub async fn start(cells: u32) -> Arc<Self> {
        Self::start_with(cells, RateLimits::OFF).await
    }

    /// The same, all of whose doors speak TLS, with certificates of the known authority.
    pub async fn start_over_tls(cells: u32) -> Arc<Self> {
        Self::start_as(cells, RateLimits::OFF, Wires::Tls).await
    }

    /// The same, with these limits.
    pub async fn start_with(cells: u32, rate_limits: RateLimits) -> Arc<Self> {
        Self::start_as(cells, rate_limits, Wires::Bare).await
    }

    async fn start_as(cells: u32, rate_limits: RateLimits, wires: Wires) -> Arc<Self> {
        let (tls, inner_tls) = match wires {
            Wires::Bare => (None, None),
            Wires::Tls => (Some(Authority::known().public()), Some(Authority::known().inner())),
        };
        let (http_scheme, socket_scheme) = if tls.is_some() { ("https", "wss") } else { ("http", "ws") };
        let inside = Inside::start(&ClusterSecret::new(SECRET), inner_tls.as_ref()).unwrap();
        let inner_scheme = inside.scheme();
        _ = tracing_subscriber::fmt().with_test_writer().with_env_filter("warn,skep=info").try_init();
        let stop = CancellationToken::new();
        let servers: Vec<_> = (0..cells)
            .map(|_| tokio::task::spawn_blocking(|| (Postgres::scratch().unwrap(), Redis::scratch().unwrap())))
            .collect();
        let mut parts = Vec::new();
        for servers in servers {
            parts.push(servers.await.unwrap());
        }
        parts[0].0.create_database("directory").unwrap();
        let mut ports = Vec::new();
        let mut free = || free(&mut ports);
        let directory_listen = free();
        tokio::spawn(skep_directory::run(
            skep_directory::Config {
                listen: directory_listen,
                admin_listen: free(),
                database: parts[0].0.conninfo("directory"),
                cluster_secret: ClusterSecret::new(SECRET),
                inner_tls: inner_tls.clone(),
            },
            stop.clone(),
        ));
        let mut started = Vec::new();
        for ((postgres, redis), cell_id) in parts.into_iter().zip(1..) {
            postgres.create_database("cell").unwrap();
            let (http, socket, relay_listen, admin_listen) = (free(), free(), free(), free());
            let relay = Proxy::to(relay_listen).await;
            let socket_url = format!("{socket_scheme}://{socket}/v1/socket");
            let config = skep_cell::Config {
                cell_id,
                expected_cells: cells,
                directory: format!("{inner_scheme}://{directory_listen}"),
                cluster_secret: ClusterSecret::new(SECRET),
                inner_tls: inner_tls.clone(),
                tls: tls.clone(),
                database: postgres.conninfo("cell"),
                redis: Some(format!("redis+unix://{}", redis.socket().display())),
                socket_listen: socket,
                socket_url: socket_url.clone(),
                http_listen: http,
                http_address: None,
                relay_listen,
                relay_address: Some(relay.address.to_string()),
                admin_listen,
                data_dir: postgres.folder().join("cell"),
                public_url: "http://chat.test".to_owned(),
                home_lanes: 2,
                rate_limits,
                trusted_proxies: TrustedProxies::default(),
                allowed_origins: vec![PAGE.to_owned()],
                images_bucket: None,
                images_endpoint: None,
                images_region: String::new(),
                images_access_key: None,
                images_secret_key: None,
            };
            let stopped = stop.clone();
            tokio::spawn(async move {
                if let Err(error) = skep_cell::run(config, stopped).await {
                    panic!("cell {cell_id}: {error:#}");
                }
            });
            let http_url = format!("{inner_scheme}://{http}");
            started.push(CellParts {
                http_url,
                socket_url,
                admin_url: format!("http://{admin_listen}"),
                relay,
                postgres: Mutex::new(postgres),
                redis: Mutex::new(redis),
            });
        }
        let file = started[0].postgres.lock().unwrap().folder().join("tests-map");
        let directory_url = format!("{inner_scheme}://{directory_listen}");
        let map = MapWatch::start(&directory_url, &inside, file, stop.clone()).unwrap();
        let listen = free();
        let router = skep_router::Config {
            listen,
            admin_listen: free(),
            directory: directory_url.clone(),
            cluster_secret: ClusterSecret::new(SECRET),
            inner_tls,
            tls: tls.clone(),
            data_dir: started[0].postgres.lock().unwrap().folder().join("router"),
            public_url: "http://chat.test".to_owned(),
            rate_limits,
            // Tests speak for whom they like: X-Forwarded-For.
            trusted_proxies: IpAddr::from(Ipv4Addr::LOCALHOST).into(),
            allowed_origins: vec![PAGE.to_owned()],
        };
        tokio::spawn(skep_router::run(router, stop.clone()));
        let url = format!("{http_scheme}://{listen}");
        let door = Door::new(url);
        let this = Arc::new(Self {
            door,
            cells: started,
            directory_url,
            tls,
            inside: inside.clone(),
            map,
            _ports: ports,
            stop,
        });
        eventually(START, "the router knows all cells", async || {
            let ready = this.try_call(Method::GET, "/readyz", None, None, None).await;
            ready.is_ok_and(|reply| reply.status == 200)
        })
        .await;
        for cell in &this.cells {
            let cell = Door::of_cell(cell.http_url.clone(), &inside);
            eventually(START, "the cell serves", async || {
                cell.try_call(Method::GET, "/v1/me", None, None, None).await.is_ok_and(|reply| reply.status == 401)
            })
            .await;
        }
        this
    }

    /// Runs statements in the shards of all cells, behind their backs.
    pub async fn sql(&self, text: &str) {
        for cell in &self.cells {
            let conninfo = cell.postgres.lock().unwrap().conninfo("cell");
            let (client, connection) = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(text).await.unwrap();
        }
    }

    /// The cell that owns the slot of an id.
    pub async fn owner(&self, conversation: &str) -> u32 {
        let id: ConversationId = conversation.parse().unwrap();
        self.map.whole().await.owner(id.slot()).unwrap().0
    }
}

impl Deref for Deployment {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What a process of the deployment has.
pub fn inside() -> Inside {
    Inside::plain(&ClusterSecret::new(SECRET).load().unwrap())
}

/// Waits until something holds. Panics when it does not in time.
pub async fn eventually(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An address that is nobody else's while it is held.
fn free(held: &mut Vec<HeldPort>) -> SocketAddr {
    held.push(HeldPort::any().unwrap());
    held.last().unwrap().address()
}
