//! The admin port: whether the process lives, whether it serves, what it counts; and a call for operators.

use std::sync::Arc;
use std::sync::OnceLock;

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    search,
    shell::Hub,
    storage::{LeaseState, Shard},
};

/// What is known once the cell serves.
pub struct Serving {
    pub hub: Arc<Hub>,
    pub shard: Arc<Shard>,
}

/// Answers from the first moment on; ready once `serving` is set and the lease is held.
pub async fn serve(listener: TcpListener, serving: Arc<OnceLock<Serving>>, stop: CancellationToken) {
    let (ready, searched) = (Arc::clone(&serving), Arc::clone(&serving));
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readiness(&ready)))
        .route("/search/rebuild", post(async move || rebuild(&searched).await))
        .route("/metrics", get(async move || serving.get().map(|s| s.hub.metrics_text()).unwrap_or_default()));
    let stopped = async move { stop.cancelled().await };
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the admin port no longer serves");
    }
}

fn readiness(serving: &OnceLock<Serving>) -> (StatusCode, &'static str) {
    match serving.get().map(|s| s.shard.lease().state()) {
        Some(LeaseState::Held) => (StatusCode::OK, "ok\n"),
        Some(LeaseState::Doubtful) => (StatusCode::SERVICE_UNAVAILABLE, "the lease on the shard is in doubt\n"),
        Some(LeaseState::Lost) => (StatusCode::SERVICE_UNAVAILABLE, "another process has the shard\n"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "starting, or standing by\n"),
    }
}

/// All people of this cell are made to be found anew, in every cell.
async fn rebuild(serving: &OnceLock<Serving>) -> (StatusCode, &'static str) {
    match serving.get().map(|s| &s.shard) {
        Some(shard) if search::hurry(shard).await.is_ok() => (StatusCode::ACCEPTED, "begun\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the shard does not answer\n"),
    }
}
