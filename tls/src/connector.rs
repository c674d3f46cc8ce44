//! The side that calls.

use std::error::Error;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Uri, uri::Scheme};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::{
    TlsError, Wire,
    confirm::confirmed,
    files::{Pem, provider},
    mutual::Speaks,
    refusal,
};

/// A handshake, once somebody took the connection.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Configs = dyn Fn() -> Arc<ClientConfig> + Send + Sync;

/// Makes wires to whoever a URL names: TLS where it begins with https, bare TCP otherwise.
#[derive(Clone)]
pub struct Connector {
    tcp: HttpConnector,
    tls: Option<Tls>,
    refused: Option<Arc<Told>>,
}

/// Who is told of somebody with whom TLS does not come about, and why.
type Told = dyn Fn(&Uri, &str) + Send + Sync;

#[derive(Clone)]
struct Tls {
    config: Arc<Configs>,
    named: Named,
}

/// In whose name the other side's certificate must be.
#[derive(Clone)]
enum Named {
    /// The URL's host.
    AsAsked,
    /// A deployment's processes all have this one, and look at ours too.
    Inside(ServerName<'static>),
}

/// The authorities that a client accepts.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// Why there is no wire.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot connect")]
    Tcp(#[source] Box<dyn Error + Send + Sync>),
    #[error("{0} begins with https, and no authority is known here")]
    NoTrust(Uri),
    #[error("{0} names nobody whom a certificate could name")]
    Name(Uri),
    /// TLS has something against the other side, or the other side against us: trying again will not help.
    #[error("{reason}")]
    Refused {
        reason: String,
        #[source]
        source: io::Error,
    },
    #[error("the handshake broke off")]
    BrokeOff(#[source] io::Error),
    #[error("no handshake within {HANDSHAKE:?}")]
    Slow,
}

// === impl Connector ===

impl Connector {
    /// For bare TCP alone.
    pub fn bare() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { tcp, tls: None, refused: None }
    }

    /// To public listeners, which speak HTTP/1.1.
    pub fn trusting(trust: &Trust) -> Self {
        let config = Arc::clone(&trust.0);
        let tls = Tls { config: Arc::new(move || Arc::clone(&config)), named: Named::AsAsked };
        Self { tls: Some(tls), ..Self::bare() }
    }

    pub(crate) fn inside(
        name: ServerName<'static>,
        config: impl Fn() -> Arc<ClientConfig> + Send + Sync + 'static,
    ) -> Self {
        Self { tls: Some(Tls { config: Arc::new(config), named: Named::Inside(name) }), ..Self::bare() }
    }

    /// Gives up on who does not take a connection for so long.
    pub fn connect_timeout(mut self, within: Duration) -> Self {
        self.tcp.set_connect_timeout(Some(within));
        self
    }

    /// Tells this of whoever TLS does not come about with, and why.
    pub fn on_refusal(self, told: impl Fn(&Uri, &str) + Send + Sync + 'static) -> Self {
        Self { refused: Some(Arc::new(told)), ..self }
    }

    /// A wire to whoever this names.
    pub async fn connect(&self, uri: Uri) -> Result<Wire, ConnectError> {
        let wire = self.wire(uri.clone()).await;
        if let (Err(ConnectError::Refused { reason, .. }), Some(told)) = (&wire, &self.refused) {
            told(&uri, reason);
        }
        wire
    }

    async fn wire(&self, uri: Uri) -> Result<Wire, ConnectError> {
        let io = self.tcp.clone().call(uri.clone()).await;
        let tcp = io.map_err(|error| ConnectError::Tcp(error.into()))?.into_inner();
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Wire::Bare(tcp));
        }
        let Some(tls) = &self.tls else { return Err(ConnectError::NoTrust(uri)) };
        match timeout(HANDSHAKE, tls.handshake(uri, tcp)).await {
            Ok(shaken) => shaken,
            Err(_) => Err(ConnectError::Slow),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(TokioIo::new(this.connect(uri).await?)) })
    }
}

// === impl Tls ===

impl Tls {
    async fn handshake(&self, uri: Uri, tcp: TcpStream) -> Result<Wire, ConnectError> {
        let name = match &self.named {
            Named::Inside(name) => name.clone(),
            Named::AsAsked => {
                let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                ServerName::try_from(host).map_err(|_| ConnectError::Name(uri))?
            }
        };
        let mut stream = TlsConnector::from((self.config)()).connect(name, tcp).await?;
        if let Named::Inside(_) = self.named {
            confirmed(&mut stream).await?;
        }
        Ok(Wire::Tls(Box::new(stream.into())))
    }
}

impl From<io::Error> for ConnectError {
    fn from(source: io::Error) -> Self {
        match refusal(&source) {
            Some(reason) => Self::Refused { reason, source },
            None => Self::BrokeOff(source),
        }
    }
}

// === impl Trust ===

impl Trust {
    /// The authorities in a file (PEM), and no others.
    pub fn in_file(ca: &Path) -> Result<Self, TlsError> {
        Ok(Self::of(Pem::read(ca)?.roots()?))
    }

    /// Those that this machine trusts.
    pub fn of_the_machine() -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() { Err(TlsError::NoAuthority) } else { Ok(Self::of(roots)) }
    }

    fn of(roots: RootCertStore) -> Self {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has ciphers for all versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = Speaks::Http1.protocols();
        Self(Arc::new(config))
    }
}
