//! Connections from the other processes, for gRPC servers. Handshakes go on beside one another.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use skep_tls::{Acceptor, Wire, refusal};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::Seldom;

/// Handshakes at once: all processes of a large deployment, and strangers who say nothing for ten seconds.
const HANDSHAKES: usize = 256;
/// After a connection could not be taken, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How often strangers are spoken of.
const PERIOD: Duration = Duration::from_secs(10);

/// Says, once in a while, who did not get through a handshake inside.
#[derive(Debug)]
pub struct Refused(Seldom);

/// A connection of another process's.
pub struct Arrived(Wire);

impl Default for Refused {
    fn default() -> Self {
        Self(Seldom::new(PERIOD))
    }
}

impl Refused {
    pub fn note(&self, peer: SocketAddr, error: &io::Error) {
        if let Some(refused) = self.0.happened() {
            let reason = refusal(error).unwrap_or_else(|| error.to_string());
            tracing::warn!(%peer, refused, reason, "connections without this deployment's TLS are refused (inner_tls)");
        }
    }
}

/// What comes to a listener, as long as the stream is there.
pub fn incoming(listener: TcpListener, acceptor: Acceptor) -> impl Stream<Item = io::Result<Arrived>> {
    let (arrived, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = take(listener, acceptor, &arrived) => {}
            () = arrived.closed() => {}
        }
    });
    ReceiverStream::new(stream)
}

async fn take(listener: TcpListener, acceptor: Acceptor, arrived: &mpsc::Sender<io::Result<Arrived>>) {
    let (room, refused) = (Arc::new(Semaphore::new(HANDSHAKES)), Arc::new(Refused::default()));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection from inside could not be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (acceptor, arrived, refused) = (acceptor.clone(), arrived.clone(), Arc::clone(&refused));
        tokio::spawn(shake_hands(tcp, peer, acceptor, arrived, refused, place));
    }
}

async fn shake_hands(
    tcp: TcpStream,
    peer: SocketAddr,
    acceptor: Acceptor,
    arrived: mpsc::Sender<io::Result<Arrived>>,
    refused: Arc<Refused>,
    _place: tokio::sync::OwnedSemaphorePermit,
) {
    match acceptor.accept(tcp).await {
        // Nobody serves any more: it is closed.
        Ok(wire) => _ = arrived.send(Ok(Arrived(wire))).await,
        Err(error) => refused.note(peer, &error),
    }
}

// === impl Arrived ===

impl Connected for Arrived {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.0.tcp().connect_info()
    }
}

impl AsyncRead for Arrived {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Arrived {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
