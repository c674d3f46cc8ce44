//! The listener: handshakes are hyper's and fastwebsockets', and from then on the wire is ours.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use skep_gate::{Address, Place};
use skep_protocol::{Code, Problem, Refusal};
use skep_tls::{Acceptor, Line, Wire};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::session::{self, Doors};

/// The subprotocol that is spoken.
const PROTOCOL: &str = "skep.v1.json";
/// The path of the socket.
const PATH: &str = "/v1/socket";
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

type Answer = Response<Full<Bytes>>;

/// Takes connections until stopped, then tells all of them to come back elsewhere or later.
pub async fn serve(listener: TcpListener, acceptor: Acceptor, doors: Arc<Doors>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    // Out of file descriptors, most likely: those that close make room.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        // Of a proxy's connections each is somebody else's, whom its headers name.
        let place = match doors.context.config.trusted_proxies.trusts(peer) {
            true => None,
            false => match doors.place(peer) {
                Some(place) => Some(Arc::new(place)),
                None => continue,
            },
        };
        let (doors, sessions, stop) = (Arc::clone(&doors), tasks.clone(), stop.clone());
        let acceptor = acceptor.clone();
        tasks.spawn(async move {
            let wire = tokio::select! {
                accepted = acceptor.accept(stream) => match accepted {
                    Ok(wire) => wire,
                    // A broken handshake is the client's own affair.
                    Err(error) => return tracing::debug!(%error, %peer, "no handshake"),
                },
                () = stop.cancelled() => return,
            };
            let service = service_fn(|request| {
                let answer = handshake(request, peer, place.clone(), &doors, &sessions, &stop);
                async move { Ok::<_, std::convert::Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .serve_connection(TokioIo::new(wire), service)
                .with_upgrades();
            tokio::select! {
                // So is this one.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
    tasks.close();
    _ = tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await;
}

fn handshake(
    mut request: Request<Incoming>,
    peer: IpAddr,
    place: Option<Arc<Place<Address>>>,
    doors: &Arc<Doors>,
    sessions: &TaskTracker,
    stop: &CancellationToken,
) -> Answer {
    if request.uri().path() != PATH {
        return refuse(StatusCode::NOT_FOUND, Code::NotFound, "the socket is at /v1/socket");
    }
    if request.method() != Method::GET || !fastwebsockets::upgrade::is_upgrade_request(&request) {
        return refuse(StatusCode::UPGRADE_REQUIRED, Code::Invalid, "this address speaks WebSocket");
    }
    if !offers(&request) {
        return refuse(StatusCode::BAD_REQUEST, Code::Invalid, "offer Sec-WebSocket-Protocol: skep.v1.json");
    }
    if !doors.allows_origin(request.headers().get(header::ORIGIN)) {
        return refuse(StatusCode::FORBIDDEN, Code::NotAllowed, "this origin is not allowed here");
    }
    let place = match place {
        Some(place) => place,
        None => match doors.place(doors.context.config.trusted_proxies.client(peer, request.headers())) {
            Some(place) => Arc::new(place),
            None => {
                return refuse(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, "too many sockets from your address");
            }
        },
    };
    let Ok((response, upgrade)) = fastwebsockets::upgrade::upgrade(&mut request) else {
        return refuse(StatusCode::BAD_REQUEST, Code::Invalid, "this is no WebSocket handshake");
    };
    let (doors, stop) = (Arc::clone(doors), stop.clone());
    sessions.spawn(async move {
        let _place = place;
        let Ok(socket) = upgrade.await else { return };
        // hyper gives the wire back; what it had read already comes with it.
        let upgraded = socket.into_inner();
        if let Ok(parts) = upgraded.into_inner().downcast::<TokioIo<Wire>>() {
            let early = parts.read_buf;
            session::run(Line::new(parts.io.into_inner()), early, doors, stop).await;
        }
    });
    let mut response = response.map(|_| Full::new(Bytes::new()));
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, header::HeaderValue::from_static(PROTOCOL));
    response
}

fn offers(request: &Request<Incoming>) -> bool {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offered.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).any(|p| p.trim() == PROTOCOL)
}

fn refuse(status: StatusCode, code: Code, detail: &'static str) -> Answer {
    let request_id = format!("{:032x}", rand::random::<u128>());
    let problem = Problem { status: status.as_u16(), ..Problem::new(Refusal::new(code, detail), &request_id) };
    let mut response = Response::new(Full::new(serde_json::to_vec(&problem).unwrap_or_default().into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(Problem::MEDIA_TYPE));
    if let Ok(id) = header::HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", id);
    }
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
