//! Old maps, cells that are away, cells that break off.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response};
use skep_router::{Options, Patience};
use tokio::sync::oneshot;

use crate::{
    cells::Order,
    client::{request, send, with_body, with_token},
    world::{Owners, SECRET, World, eventually, options, patience, token_in},
};

fn read(world: &World) -> Request<Full<Bytes>> {
    with_token(request(Method::GET, &world.url("/v1/me")), &token_in(1))
}

fn write(world: &World) -> Request<Full<Bytes>> {
    let call = request(Method::POST, &world.url("/v1/messages"));
    with_token(with_body(call, "application/json", r#"{"text": "hello"}"#), &token_in(1))
}

#[tokio::test]
async fn a_router_with_an_old_map_asks_for_the_newer_one_and_tries_again() {
    let world = World::new().await;
    world.publish(Owners::AllOfSecond, 2);
    world.cell(1).order(Order::WrongCell(2));
    let reply = send(write(&world)).await;
    assert_eq!((reply.status.as_u16(), &*reply.text), (200, "cell 2"));
    let (first, second) = (world.cell(1).seen().remove(0), world.cell(2).seen().remove(0));
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["x-request-id"], second.headers["x-request-id"]);
    // Known from now on.
    send(write(&world)).await;
    assert_eq!((world.cell(1).seen().len(), world.cell(2).seen().len()), (1, 2));
}

#[tokio::test]
async fn a_cell_with_an_old_map_gets_the_time_to_fetch_the_newer_one() {
    let world = World::new().await;
    world.cell(1).order(Order::WrongCell(0));
    world.cell(1).order(Order::WrongCell(1));
    let reply = send(write(&world)).await;
    assert_eq!((reply.status.as_u16(), &*reply.text), (200, "cell 1"));
    assert_eq!(world.cell(1).seen().len(), 3);
}

#[tokio::test]
async fn cells_that_never_agree_are_given_up_at_the_deadline() {
    let short = Patience { answer: Duration::from_millis(300), ..patience() };
    let world = World::with(short, Owners::Halves).await;
    for _ in 0..100 {
        world.cell(1).order(Order::WrongCell(1));
    }
    let reply = send(write(&world)).await;
    reply.refused(503, "unavailable");
    assert!(!reply.headers.contains_key("x-skep-wrong-cell"));
    assert!((2..50).contains(&world.cell(1).seen().len()), "with growing pauses: {}", world.cell(1).seen().len());
}

#[tokio::test]
async fn a_cell_that_comes_back_soon_is_waited_for() {
    let world = World::without_cells(options(), Owners::Halves).await;
    let waiting = tokio::spawn(send(write(&world)));
    eventually("the cell was missed", async || {
        let metrics = send(request(Method::GET, &format!("http://{}/metrics", world.admin))).await.text;
        let missed = metrics.lines().find_map(|line| line.strip_prefix("skep_router_cell_away_total "));
        missed.is_some_and(|count| count != "0")
    })
    .await;
    world.cell(1).serve().await;
    let reply = waiting.await.unwrap();
    assert_eq!((reply.status.as_u16(), &*reply.text), (200, "cell 1"));
    assert_eq!(world.cell(1).seen().len(), 1);
}

#[tokio::test]
async fn a_cell_that_stays_away_is_unavailable() {
    let short = Patience { away: Duration::from_millis(200), ..patience() };
    let world = World::without_cells(Options { patience: short, ..options() }, Owners::Halves).await;
    assert_eq!(send(write(&world)).await.refused(503, "unavailable")["retry_after_ms"], 1_000);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again() {
    let world = World::new().await;
    world.cell(1).order(Order::BreakOff);
    let problem = send(write(&world)).await.refused(503, "unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("not known"), "{problem}");
    assert_eq!(world.cell(1).seen().len(), 1);
    // Reading twice is reading once.
    world.cell(1).order(Order::BreakOff);
    assert_eq!(send(read(&world)).await.text, "cell 1");
    assert_eq!(world.cell(1).seen().len(), 3);
}

#[tokio::test]
async fn a_cell_that_does_not_answer_is_given_up() {
    let short = Patience { answer: Duration::from_millis(300), ..patience() };
    let world = World::with(short, Owners::Halves).await;
    world.cell(1).order(Order::NeverAnswer);
    send(write(&world)).await.refused(503, "unavailable");
    // Others are not held up by it.
    assert_eq!(send(write(&world)).await.status, 200);
}

#[tokio::test]
async fn without_a_whole_map_the_router_is_not_ready() {
    let short = Patience { away: Duration::from_millis(200), ..patience() };
    let world = World::with(short, Owners::Nobody).await;
    assert_eq!(send(request(Method::GET, &world.url("/readyz"))).await.status, 503);
    assert_eq!(send(request(Method::GET, &world.url("/healthz"))).await.status, 200);
    send(write(&world)).await.refused(503, "unavailable");
}

#[tokio::test]
async fn stopping_finishes_the_calls_under_way() {
    let mut world = World::new().await;
    let (go, wait) = oneshot::channel();
    world.cell(1).order(Order::Wait(wait));
    let under_way = tokio::spawn(send(write(&world)));
    eventually("the call is at its cell", async || world.cell(1).seen().len() == 1).await;
    world.stop.cancel();
    eventually("nobody is let in", async || tokio::net::TcpStream::connect(world.address).await.is_err()).await;
    let ready = send(request(Method::GET, &format!("http://{}/readyz", world.admin))).await;
    assert_eq!((ready.status.as_u16(), &*ready.text), (503, "stopping\n"));
    go.send(()).unwrap();
    assert_eq!(under_way.await.unwrap().text, "cell 1");
    world.ended().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let short = Patience { drain: Duration::from_millis(200), answer: Duration::from_secs(3_600), ..patience() };
    let mut world = World::with(short, Owners::Halves).await;
    world.cell(1).order(Order::NeverAnswer);
    let url = world.url("/v1/me");
    let call = with_token(request(Method::GET, &url), &token_in(1));
    let hanging = tokio::spawn(async move { send(call).await });
    eventually("the call is at its cell", async || world.cell(1).seen().len() == 1).await;
    world.stop.cancel();
    world.ended().await;
    hanging.abort();
}

#[tokio::test]
async fn a_cell_that_refuses_the_router_is_away_to_clients_and_is_asked_again() {
    let world = World::with(Patience { away: Duration::from_secs(2), ..patience() }, Owners::Halves).await;
    let refused = || {
        let answer = Response::builder().status(403).header("x-skep-refused", "cluster secret does not match: why");
        Order::Answer(answer.body(Full::from("why")).unwrap())
    };
    // Its secret is changed meanwhile.
    world.cell(1).order(refused());
    assert_eq!(send(write(&world)).await.text, "cell 1");
    for _ in 0..100 {
        world.cell(1).order(refused());
    }
    let problem = send(write(&world)).await.refused(503, "unavailable");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    assert!(world.cell(1).seen().iter().all(|seen| seen.headers["x-skep-cluster-secret"] == SECRET));
}
