//! The public listener: so many connections at once, each served until it is idle for too long, or all are stopped.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use skep_tls::Acceptor;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{answer::Answer, door::Door, limits, stream::PatientStream};

/// After a connection could not be taken, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until stopped; then takes no more, and waits for the calls under way.
pub(crate) async fn serve(listener: TcpListener, acceptor: Acceptor, door: Arc<Door>, stop: CancellationToken) {
    let (tasks, room) = (TaskTracker::new(), Arc::new(Semaphore::new(limits::CONNECTIONS)));
    let given_up = CancellationToken::new();
    loop {
        let accepted = async {
            // Never closed.
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (accepted, place) = tokio::select! {
            Some(accepted) = accepted => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(own_place) = door.entrance.connection(peer.ip()) else {
                    door.metrics.connection_refused();
                    continue;
                };
                let (door, acceptor) = (Arc::clone(&door), acceptor.clone());
                let (stop, given_up) = (stop.clone(), given_up.clone());
                tasks.spawn(async move {
                    let _counted = door.metrics.connection();
                    tokio::select! {
                        () = connection(stream, peer.ip(), &acceptor, door, stop) => {}
                        () = given_up.cancelled() => {}
                    }
                    drop((place, own_place));
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Whoever knocks now is refused, and goes to another router.
    drop(listener);
    tasks.close();
    if tokio::time::timeout(door.patience.drain, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "calls under way were given up");
        given_up.cancel();
        tasks.wait().await;
    }
}

async fn connection(stream: TcpStream, peer: IpAddr, acceptor: &Acceptor, door: Arc<Door>, stop: CancellationToken) {
    let accepted = tokio::select! {
        accepted = acceptor.accept(stream) => accepted,
        () = stop.cancelled() => return,
    };
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, %peer, "no handshake"),
    };
    let patience = door.patience;
    let service = service_fn(move |request: Request<Incoming>| {
        let door = Arc::clone(&door);
        let answer: Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>> =
            Box::pin(async move { Ok(door.answer(peer, request).await) });
        answer
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_headers(limits::HEADERS_READ)
        .max_header_size(limits::READ_AHEAD_BYTES)
        .max_buf_size(limits::READ_AHEAD_BYTES)
        .serve_connection(TokioIo::new(PatientStream::new(stream, patience.stall)), service);
    let ended = tokio::select! {
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
        () = stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    match ended {
        Ok(()) => connection.into_parts().io.into_inner().close().await,
        Err(error) => tracing::debug!(%error, %peer, "a connection ended early"),
    }
}
