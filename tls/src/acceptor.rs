//! A listener's side.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{TlsError, TlsFiles, Wire, files::provider, follow::Followed, mutual::Speaks};

/// From the first byte of a handshake to its last: a phone on a bad line needs some seconds.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is read away of whoever speaks HTTP to a port that speaks TLS, so that the answer arrives.
const MISTAKEN_BYTES: usize = 64 * 1024;
/// The mark is for routers without TLS: it is about them, and none of their clients' business.
const MISTAKEN: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nX-Skep-Refused: this port speaks TLS\r\n\
                        Connection: close\r\nContent-Length: 37\r\n\r\nthis port speaks TLS: use https://...";
/// The same for HTTP/2, and so for gRPC: empty settings, then GOAWAY for INADEQUATE_SECURITY.
const MISTAKEN_HTTP2: &[u8] = b"\0\0\0\x04\0\0\0\0\0\
                                \0\0\x1c\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0cthis port speaks TLS";

type Configs = dyn Fn() -> Arc<ServerConfig> + Send + Sync;

/// Makes wires of the connections that a listener takes. Not to be called by whoever takes them: a handshake waits for
/// the other side.
#[derive(Clone)]
pub struct Acceptor {
    /// What holds at the moment; `None`: bare TCP.
    config: Option<Arc<Configs>>,
    within: Duration,
}

impl Acceptor {
    /// Of a listener that speaks no TLS.
    pub fn bare() -> Self {
        Self { config: None, within: HANDSHAKE }
    }

    /// Of a public listener that speaks HTTP/1.1. Bare where there are no files.
    pub fn start(files: Option<&TlsFiles>) -> Result<Self, TlsError> {
        let Some(files) = files else { return Ok(Self::bare()) };
        let paths = vec![files.certificate.clone(), files.key.clone()];
        let followed = Followed::start(paths, |pems| {
            let [certificate, key] = pems else { unreachable!("as many contents as files") };
            public(certificate.pair(key)?)
        })?;
        Ok(Self::of(move || followed.current()))
    }

    pub(crate) fn of(config: impl Fn() -> Arc<ServerConfig> + Send + Sync + 'static) -> Self {
        Self { config: Some(Arc::new(config)), within: HANDSHAKE }
    }

    /// Gives up on slow ones after this long.
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    pub fn is_tls(&self) -> bool {
        self.config.is_some()
    }

    /// A wire, or why there is none; [`crate::refusal`] says what TLS has against the other side.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<Wire> {
        // A small frame, and the last piece of a handshake, must not wait for more to come.
        _ = tcp.set_nodelay(true);
        let Some(config) = &self.config else { return Ok(Wire::Bare(tcp)) };
        match timeout(self.within, handshake(config(), tcp)).await {
            Ok(shaken) => shaken,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no handshake in time")),
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "Acceptor(TLS)" } else { "Acceptor(bare)" })
    }
}

async fn handshake(config: Arc<ServerConfig>, mut tcp: TcpStream) -> io::Result<Wire> {
    let mut first = [0; 4];
    // A handshake begins with 22; HTTP with a letter.
    if tcp.peek(&mut first).await? > 0 && first[0].is_ascii_uppercase() {
        let answer = if &first == b"PRI " { MISTAKEN_HTTP2 } else { MISTAKEN.as_bytes() };
        _ = turn_away(&mut tcp, answer).await;
        return Err(io::Error::other("it speaks HTTP without TLS"));
    }
    let stream = TlsAcceptor::from(config).accept(tcp).await?;
    Ok(Wire::Tls(Box::new(stream.into())))
}

/// Tells whoever speaks HTTP what is wrong, and reads away what they still say: a connection that is closed on unread
/// bytes is reset, and the answer lost.
async fn turn_away(tcp: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    tcp.write_all(answer).await?;
    tcp.shutdown().await?;
    let (mut left, mut scratch) = (MISTAKEN_BYTES, [0; 1024]);
    while let read @ 1.. = tcp.read(&mut scratch).await?
        && left > read
    {
        left -= read;
    }
    Ok(())
}

fn public(pair: rustls::sign::CertifiedKey) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has ciphers for all versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = Speaks::Http1.protocols();
    Ok(config)
}
