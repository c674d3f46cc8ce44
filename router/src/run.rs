//! Starting and stopping.

use std::sync::Arc;

use anyhow::Context as _;
use skep_directory::MapWatch;
use skep_inside::Inside;
use skep_tls::Acceptor;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Config, Options, admin, connections, door::Door, limits};

/// Where a router is reached.
pub struct Ports {
    pub listener: TcpListener,
    pub acceptor: Acceptor,
    pub admin: TcpListener,
}

/// Serves until stopped; calls under way are finished. Serves at once: calls wait a moment for the map, then are
/// `unavailable`, and /readyz says when it is there.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let inside = Inside::start(&config.cluster_secret, config.inner_tls.as_ref())?;
    let acceptor = Acceptor::start(config.tls.as_ref()).context("tls")?;
    std::fs::create_dir_all(&config.data_dir).with_context(|| format!("making {}", config.data_dir.display()))?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
    let admin = TcpListener::bind(config.admin_listen).await;
    let admin = admin.with_context(|| format!("listening on {}", config.admin_listen))?;
    // The map is followed to the end, for the calls that are finished after the stop.
    let following = CancellationToken::new();
    let _unfollow = following.clone().drop_guard();
    let map = MapWatch::start(&config.directory, &inside, config.data_dir.join("map.bin"), following)?;
    map.admitted().await?;
    tracing::info!(listen = %config.listen, tls = acceptor.is_tls(), public_url = config.public_url, rate_limits = ?config.rate_limits, epoch = %map.current().epoch, "the router serves");
    serve(Ports { listener, acceptor, admin }, map, inside, config.into(), stop).await;
    Ok(())
}

/// The same, with the caller's ports, map and secret.
pub async fn serve(ports: Ports, map: Arc<MapWatch>, inside: Inside, options: Options, stop: CancellationToken) {
    let Ports { listener, acceptor, admin } = ports;
    let door = Arc::new(Door::new(map, &inside, options, stop.clone()));
    let tidied = tokio::spawn(tidy(Arc::clone(&door)));
    let watched = tokio::spawn(admin::serve(admin, Arc::clone(&door)));
    connections::serve(listener, acceptor, door, stop).await;
    // Watched to the last, and by connections that may stay open.
    watched.abort();
    tidied.abort();
}

/// Forgets callers who have not come for a while.
async fn tidy(door: Arc<Door>) {
    loop {
        tokio::time::sleep(limits::TIDIED_EVERY).await;
        door.entrance.tidy();
    }
}
