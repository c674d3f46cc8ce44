//! Connections from the other processes, for gRPC servers. Handshakes go on beside one another.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, stream};
use skep_tls::{Acceptor, Wire, refusal};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpListener,
    task::JoinSet,
};
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

/// What comes to a listener. Listener and handshakes end with the stream.
pub fn incoming(listener: TcpListener, acceptor: Acceptor) -> impl Stream<Item = io::Result<Arrived>> {
    let taking = Taking { listener, acceptor, handshakes: JoinSet::new(), refused: Refused::default() };
    stream::unfold(taking, |mut taking| async move { Some((Ok(taking.next().await), taking)) })
}

struct Taking {
    listener: TcpListener,
    acceptor: Acceptor,
    handshakes: JoinSet<(SocketAddr, io::Result<Wire>)>,
    refused: Refused,
}

impl Taking {
    async fn next(&mut self) -> Arrived {
        loop {
            tokio::select! {
                Some(shaken) = self.handshakes.join_next() => match shaken {
                    Ok((_, Ok(wire))) => return Arrived(wire),
                    Ok((peer, Err(error))) => self.refused.note(peer, &error),
                    Err(error) => tracing::error!(%error, "a handshake was not carried to its end"),
                },
                accepted = self.listener.accept(), if self.handshakes.len() < HANDSHAKES => match accepted {
                    Ok((tcp, peer)) => {
                        let acceptor = self.acceptor.clone();
                        self.handshakes.spawn(async move { (peer, acceptor.accept(tcp).await) });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection from inside could not be taken");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
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
