//! Connections to the other processes. Where TLS stands between us and one of them, the log says so.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use skep_tls::{ConnectError, Connector, Wire};
use tower_service::Service;

use crate::Seldom;

/// How often it is said that TLS fails.
pub(crate) const PERIOD: Duration = Duration::from_secs(30);

/// For hyper's clients and gRPC channels.
#[derive(Clone)]
pub struct InsideConnector {
    connector: Connector,
    failed: Arc<Seldom>,
}

impl InsideConnector {
    pub(crate) fn new(connector: Connector, failed: Arc<Seldom>) -> Self {
        Self { connector, failed }
    }

    /// Gives up on who does not take a connection for so long.
    pub fn connect_timeout(self, within: Duration) -> Self {
        Self { connector: self.connector.connect_timeout(within), ..self }
    }
}

impl Service<Uri> for InsideConnector {
    type Response = TokioIo<Wire>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { connector, failed } = self.clone();
        Box::pin(async move {
            let wire = connector.connect(uri.clone()).await;
            if let Err(ConnectError::Refused { reason, .. }) = &wire
                && let Some(times) = failed.happened()
            {
                let address = uri.authority().map_or("", http::uri::Authority::as_str);
                tracing::error!(address, times, reason, "no TLS with another process of this deployment (inner_tls)");
            }
            wire.map(TokioIo::new)
        })
    }
}
