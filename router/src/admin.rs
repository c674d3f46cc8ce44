//! The admin port: whether the process lives, whether it serves, and what it counts.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;

use crate::{door::Door, own::Readiness};

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>) {
    let ready = Arc::clone(&door);
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || status_of(ready.readiness())))
        .route("/metrics", get(async move || door.metrics.text()));
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the admin port no longer serves");
    }
}

fn status_of(readiness: Readiness) -> (StatusCode, &'static str) {
    (readiness.status(), readiness.sentence())
}
