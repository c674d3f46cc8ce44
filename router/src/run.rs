//! Starting and stopping.

use std::sync::Arc;

use anyhow::Context as _;
use skep_directory::MapWatch;
use skep_inside::Inside;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Config, Options, admin, connections, door::Door, limits};

/// Serves until stopped; calls under way are finished. Serves at once: calls wait a moment for the map, then are
/// `unavailable`, and /readyz says when it is there.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let inside = Inside::new(&config.cluster_secret.load().context("cluster_secret")?);
    std::fs::create_dir_all(&config.data_dir).with_context(|| format!("making {}", config.data_dir.display()))?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
    let admin = TcpListener::bind(config.admin_listen).await;
    let admin = admin.with_context(|| format!("listening on {}", config.admin_listen))?;
    // The map is followed to the end, for the calls that are finished after the stop.
    let following = CancellationToken::new();
    let _unfollow = following.clone().drop_guard();
    let map = MapWatch::start(&config.directory, &inside, config.data_dir.join("map.bin"), following)?;
    map.admitted().await?;
    tracing::info!(listen = %config.listen, public_url = config.public_url, rate_limits = ?config.rate_limits, epoch = %map.current().epoch, "the router serves");
    serve(listener, admin, map, inside, config.into(), stop).await;
    Ok(())
}

/// The same, with the caller's listeners, map and secret.
pub async fn serve(
    listener: TcpListener,
    admin: TcpListener,
    map: Arc<MapWatch>,
    inside: Inside,
    options: Options,
    stop: CancellationToken,
) {
    let door = Arc::new(Door::new(map, &inside, options, stop.clone()));
    let tidied = tokio::spawn(tidy(Arc::clone(&door)));
    let watched = tokio::spawn(admin::serve(admin, Arc::clone(&door)));
    connections::serve(listener, door, stop).await;
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
