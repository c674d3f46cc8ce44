//! A process as one of the deployment's: how it calls the others, and how they find that it may.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{
    HeaderValue,
    uri::{Authority, Scheme},
};
use skep_tls::{Acceptor, Connector, Mutual, MutualFiles, Speaks, TlsError};
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Error},
};

use crate::{ClusterSecret, Door, SecretError, Secrets, Seldom, door::SHOWN};

/// How often it is said that TLS with another process does not come about.
const PERIOD: Duration = Duration::from_secs(30);

/// A way to another process on which every call shows the secret.
pub type ProvenChannel = InterceptedService<Channel, Proof>;

/// What a process has of the deployment it belongs to.
#[derive(Clone, Debug)]
pub struct Inside {
    proof: Proof,
    door: Door,
    /// `None`: what is said inside is said in the clear.
    mutual: Option<Mutual>,
    /// TLS with another process did not come about.
    failed: Arc<Seldom>,
}

/// Shows the secret with calls.
#[derive(Clone, Debug)]
pub struct Proof {
    header: HeaderValue,
    metadata: AsciiMetadataValue,
}

/// Why a process cannot be one of the deployment's.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    #[error("cluster_secret: {0}")]
    Secret(#[from] SecretError),
    #[error("inner_tls: {0}")]
    Tls(#[from] TlsError),
}

impl Inside {
    /// As configured. The files of `inner_tls` are followed.
    pub fn start(secret: &ClusterSecret, inner_tls: Option<&MutualFiles>) -> Result<Self, InsideError> {
        let mutual = inner_tls.map(Mutual::start).transpose()?;
        Ok(Self { mutual, ..Self::plain(&secret.load()?) })
    }

    /// Without TLS.
    pub fn plain(secrets: &Secrets) -> Self {
        let letters = "secrets were checked to be visible ASCII letters";
        let mut header = HeaderValue::from_str(secrets.shown()).expect(letters);
        // Not shown by Debug, and not kept in the tables of HTTP/2.
        header.set_sensitive(true);
        let mut metadata: AsciiMetadataValue = secrets.shown().parse().expect(letters);
        metadata.set_sensitive(true);
        Self {
            proof: Proof { header, metadata },
            door: Door::new(secrets.clone()),
            mutual: None,
            failed: Arc::new(Seldom::new(PERIOD)),
        }
    }

    /// What this process's listeners look through.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// What HTTP calls to cells show.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What makes wires of the connections to this process's listeners inside. Says so, once, where others could listen
    /// to them.
    pub fn acceptor(&self, speaks: Speaks, key: &str, address: SocketAddr) -> Acceptor {
        if let Some(mutual) = &self.mutual {
            return mutual.acceptor(speaks);
        }
        if !address.ip().is_loopback() {
            tracing::warn!(
                "{key} = {address} is no address of this machine alone, and inner_tls is not set: whoever is on the way \
                 there reads messages, passwords and the cluster secret"
            );
        }
        Acceptor::bare()
    }

    /// What makes wires to the others.
    pub fn connector(&self, speaks: Speaks) -> Connector {
        let (connector, failed) = match &self.mutual {
            Some(mutual) => (mutual.connector(speaks), Arc::clone(&self.failed)),
            None => return Connector::bare(),
        };
        connector.on_refusal(move |uri, reason| {
            if let Some(times) = failed.happened() {
                let address = uri.authority().map_or("", Authority::as_str);
                tracing::error!(address, times, reason, "no TLS with another process of this deployment (inner_tls)");
            }
        })
    }

    /// With which addresses inside begin.
    pub fn scheme(&self) -> Scheme {
        if self.mutual.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// An address of another process's gRPC port: host:port, or a URL.
    pub fn endpoint(&self, address: &str) -> Result<Endpoint, Error> {
        let authority = address.split_once("://").map_or(address, |(_, authority)| authority);
        Endpoint::from_shared(format!("{}://{authority}", self.scheme()))
    }

    /// A way that is made, and made again, when it is needed. Shows nothing by itself.
    pub fn channel(&self, endpoint: &Endpoint) -> Channel {
        endpoint.connect_with_connector_lazy(self.connector(Speaks::Http2))
    }

    /// The same, on which every call shows the secret.
    pub fn connect_lazily(&self, endpoint: &Endpoint) -> ProvenChannel {
        InterceptedService::new(self.channel(endpoint), self.proof.clone())
    }

    pub async fn connect(&self, endpoint: &Endpoint) -> Result<ProvenChannel, Error> {
        let channel = endpoint.connect_with_connector(self.connector(Speaks::Http2)).await?;
        Ok(InterceptedService::new(channel, self.proof.clone()))
    }
}

impl Proof {
    /// Puts the secret beside the other headers of a call.
    pub fn show(&self, headers: &mut http::HeaderMap) {
        headers.insert(SHOWN, self.header.clone());
    }
}

impl Interceptor for Proof {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(SHOWN, self.metadata.clone());
        Ok(request)
    }
}
