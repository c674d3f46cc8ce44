//! A door's side: who does not show the secret is refused, and the log says so once in a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tonic::{Request, Status, service::Interceptor, transport::server::TcpConnectInfo};

use crate::{Secrets, Seldom};

/// In which a caller shows the secret.
pub(crate) const SHOWN: &str = "x-skep-cluster-secret";
/// With which an HTTP door marks its refusal of a stranger: it is about the router, and none of its clients' business.
pub const REFUSED: HeaderName = HeaderName::from_static("x-skep-refused");

/// How often a door speaks of strangers.
const PERIOD: Duration = Duration::from_secs(10);

/// Looks at every call that comes in.
#[derive(Clone, Debug)]
pub struct Door(Arc<Looked>);

#[derive(Debug)]
struct Looked {
    secrets: Secrets,
    refused: Seldom,
}

/// Why a call is refused. The sentence is for the operator of whoever called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Stranger {
    #[error("cluster secret is missing: only processes of this deployment are answered here")]
    Silent,
    #[error(
        "cluster secret does not match: give the caller the `cluster_secret` that the other parts have, then start it again"
    )]
    Wrong,
}

impl Door {
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self(Arc::new(Looked { secrets, refused: Seldom::new(PERIOD) }))
    }

    /// Whether a call with these headers comes from inside. The secret is taken off: it goes no further.
    pub fn check(&self, headers: &mut HeaderMap, peer: Option<SocketAddr>) -> Result<(), Stranger> {
        let shown = headers.remove(SHOWN);
        self.look(shown.as_ref().map(http::HeaderValue::as_bytes), peer)
    }

    fn look(&self, shown: Option<&[u8]>, peer: Option<SocketAddr>) -> Result<(), Stranger> {
        let stranger = match shown {
            Some(shown) if self.0.secrets.accept(shown) => return Ok(()),
            Some(_) => Stranger::Wrong,
            None => Stranger::Silent,
        };
        if let Some(refused) = self.0.refused.happened() {
            let peer = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
            tracing::warn!(peer, refused, reason = %stranger, "calls without this deployment's secret are refused");
        }
        Err(stranger)
    }
}

/// Before every gRPC service of a server.
impl Interceptor for Door {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let peer = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let shown = request.metadata_mut().remove(SHOWN);
        self.look(shown.as_ref().map(tonic::metadata::MetadataValue::as_encoded_bytes), peer)
            .map_err(|stranger| Status::unauthenticated(stranger.to_string()))?;
        Ok(request)
    }
}
