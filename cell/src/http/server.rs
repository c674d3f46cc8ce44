//! The listener for routers, and the table of calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post, put},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use skep_gate::Kind;
use skep_inside::{Door, Refused};
use skep_protocol::{Code, Refusal};
use skep_tls::Acceptor;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    answer::{Failure, with_request_id},
    blocks, conversations, images, links, me, members, messages, search, sessions, sign_up, users,
};
use crate::{
    context::{Context, unavailable},
    storage::LeaseState,
};

const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// The whole of a call. More than the sum of its own deadlines, so that they decide.
const CALL_WITHIN: Duration = Duration::from_secs(30);
/// Connections of routers at once.
const CONNECTIONS: usize = 4_096;
/// Calls at once. Most wait for the shard's read connections or a lane: past this they would wait longer than callers
/// do.
const CALLS: usize = 1_024;
/// Calls at once that need a password's hash, apart from the others: as many as are hashed within their patience.
const HASHING: usize = 128;

/// Who is inside; more are refused as `busy` before anything is done.
struct Room {
    hashing: Semaphore,
    calls: Semaphore,
    context: Arc<Context>,
}

fn calls(context: Arc<Context>, door: Door) -> Router {
    let room = Room { hashing: Semaphore::new(HASHING), calls: Semaphore::new(CALLS), context: Arc::clone(&context) };
    Router::new()
        .route("/v1/users", post(sign_up::sign_up).get(search::search))
        .route("/v1/users/lookup", post(users::lookup))
        .route("/v1/users/{user_id}", get(users::user))
        .route("/v1/sessions", post(sessions::post).get(sessions::list))
        .route("/v1/sessions/{session_id}", delete(sessions::revoke))
        .route("/v1/route", get(me::route))
        .route("/v1/me", get(me::me).patch(me::rename))
        .route("/v1/me/password", put(me::set_password))
        .route("/v1/me/image", put(images::put).delete(images::delete))
        .route("/v1/images/{user_id}/{name}", get(images::get))
        .route("/v1/me/blocks", get(blocks::list))
        .route("/v1/me/blocks/{user_id}", put(blocks::block).delete(blocks::unblock))
        .route("/v1/conversations", post(conversations::create).get(conversations::list))
        .route("/v1/conversations/{id}", get(conversations::one).patch(conversations::edit))
        .route("/v1/conversations/{id}/messages", get(messages::page).post(messages::send))
        .route("/v1/conversations/{id}/read", put(conversations::read))
        .route("/v1/conversations/{id}/members", get(members::list).post(members::add))
        .route("/v1/conversations/{id}/members/{user_id}", patch(members::set_role).delete(members::remove))
        .route("/v1/conversations/{id}/link", get(links::of_conversation).post(links::renew))
        .route("/v1/messages", post(messages::open_and_send))
        .route("/v1/links/{code}", get(links::preview))
        .route("/v1/links/{code}/join", post(links::join))
        .fallback(async || refuse(Code::NotFound, "there is no such call"))
        .method_not_allowed_fallback(async |method: Method| {
            refuse(Code::Method, &format!("this address does not take {method}: see Allow"))
        })
        .layer(from_fn_with_state(Arc::clone(&context), while_the_lease_holds))
        .layer(from_fn_with_state(Arc::new(room), while_there_is_room))
        // Outside of the places: a stranger takes none.
        .layer(from_fn_with_state(door, only_from_inside))
        .layer(from_fn(with_request_id))
        .with_state(context)
}

/// Serves until stopped; calls under way are finished.
pub async fn serve(
    listener: TcpListener,
    acceptor: Acceptor,
    door: Door,
    context: Arc<Context>,
    stop: CancellationToken,
) {
    let calls = TowerToHyperService::new(calls(context, door));
    let refused = Arc::new(Refused::default());
    let (tasks, room) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a router's connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let (calls, stop) = (calls.clone(), stop.clone());
        let (acceptor, refused) = (acceptor.clone(), Arc::clone(&refused));
        tasks.spawn(async move {
            let stream = tokio::select! {
                accepted = acceptor.accept(stream) => match accepted {
                    Ok(stream) => stream,
                    Err(error) => return refused.note(peer, &error),
                },
                () = stop.cancelled() => return,
            };
            let calls = service_fn(|mut request: hyper::Request<Incoming>| {
                request.extensions_mut().insert(peer);
                calls.call(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .serve_connection(TokioIo::new(stream), calls);
            tokio::pin!(connection);
            tokio::select! {
                // A broken connection is the router's own affair.
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    _ = connection.await;
                }
            }
            drop(place);
        });
    }
    tasks.close();
    _ = tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await;
}

/// Takes calls of this deployment's routers alone: what they say of a client's address is believed.
async fn only_from_inside(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<SocketAddr>().copied();
    match door.check(request.headers_mut(), peer) {
        Ok(()) => next.run(request).await,
        Err(stranger) => Failure::Stranger(stranger).into_response(),
    }
}

async fn while_there_is_room(State(room): State<Arc<Room>>, request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let kind = Kind::of(request.method(), template);
    let places = if kind.hashes() { &room.hashing } else { &room.calls };
    let Ok(_place) = places.try_acquire() else {
        room.context.hub.metrics.shed(kind);
        return refuse(Code::Busy, "this cell has too much to do; nothing was done, try again soon").into_response();
    };
    next.run(request).await
}

/// Nothing that rests on the shard is answered while the lease on it is in doubt, whatever was found before.
async fn while_the_lease_holds(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let held = || context.shard.lease().state() == LeaseState::Held;
    if held()
        && let Ok(response) = tokio::time::timeout(CALL_WITHIN, next.run(request)).await
        && held()
    {
        return response;
    }
    Failure::from(unavailable("the database does not answer at the moment; trying again is safe")).into_response()
}

fn refuse(code: Code, detail: &str) -> Failure {
    Refusal::new(code, detail).into()
}
