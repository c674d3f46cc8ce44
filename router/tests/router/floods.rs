//! Many at once: who comes too often, who holds what others need, and that the others are served all the same.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response};
use skep_gate::RateLimits;
use skep_router::{Options, Patience, Room};
use tokio::sync::oneshot;

use crate::{
    cells::Order,
    client::{Reply, Wire, request, send, with_body, with_token},
    world::{Owners, World, eventually, name_in, options, patience, token_in},
};

fn me(world: &World, cell: u32) -> Request<Full<Bytes>> {
    with_token(request(Method::GET, &world.url("/v1/me")), &token_in(cell))
}

fn log_in(world: &World, cell: u32) -> Request<Full<Bytes>> {
    let body = format!("{{\"login\": \"{}\"}}", name_in(cell));
    with_body(request(Method::POST, &world.url("/v1/sessions")), "application/json", body)
}

async fn metric(world: &World, line: &str) -> bool {
    let metrics = send(request(Method::GET, &format!("http://{}/metrics", world.admin))).await.text;
    metrics.lines().any(|found| found == line)
}

fn standing(reply: &Reply) -> (&str, &str, &str) {
    let text = |name: &str| reply.headers[name].to_str().unwrap();
    (text("x-ratelimit-limit"), text("x-ratelimit-remaining"), text("x-ratelimit-reset"))
}

#[tokio::test]
async fn the_tighter_of_the_routers_and_the_cells_bucket_is_told() {
    let rate_limits = RateLimits { calls_per_address: "3 then 1/h".parse().ok(), ..RateLimits::OFF };
    let world = World::with_options(Options { rate_limits, ..options() }, Owners::Halves).await;
    let cells = |remaining: &str| {
        let answer = Response::builder().header("x-ratelimit-limit", "100").header("x-ratelimit-reset", "7");
        Order::Answer(answer.header("x-ratelimit-remaining", remaining).body(Full::default()).unwrap())
    };
    world.cell(1).order(cells("1"));
    world.cell(1).order(cells("99"));
    assert_eq!(standing(&send(me(&world, 1)).await), ("100", "1", "7"));
    assert_eq!(standing(&send(me(&world, 1)).await), ("3", "1", "7200"));
    assert_eq!(standing(&send(me(&world, 1)).await), ("3", "0", "10800"));
    let refused = send(me(&world, 1)).await;
    assert_eq!(standing(&refused), ("3", "0", "10800"));
    refused.refused(429, "rate_limited");
    assert_eq!(world.cell(1).seen().len(), 3, "a refused call reaches no cell");
    assert!(metric(&world, "skep_router_limited_total{kind=\"calls\"} 1").await);
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_says_for_whom_they_ask() {
    for (trusted, seen) in [(None, "127.0.0.1"), (Some([127, 0, 0, 1]), "198.51.100.7")] {
        let trusted_proxies = trusted.map(|proxy| std::net::IpAddr::from(proxy).into()).unwrap_or_default();
        let world = World::with_options(Options { trusted_proxies, ..options() }, Owners::Halves).await;
        let mut call = me(&world, 1);
        call.headers_mut().insert("x-forwarded-for", "6.6.6.6, 198.51.100.7".parse().unwrap());
        send(call).await;
        assert_eq!(world.cell(1).seen()[0].headers["x-forwarded-for"], seen);
    }
}

#[tokio::test]
async fn an_address_that_holds_all_its_connections_keeps_nobody_else_out() {
    let rate_limits = RateLimits { connections_per_address: Some(8), ..RateLimits::OFF };
    let world = World::with_options(Options { rate_limits, ..options() }, Owners::Halves).await;
    // Slow ones: half of a head, and a head with half of a body.
    let mut slow = Vec::new();
    for half in ["GET /v1/me HTTP/1.1\r\nX-Slow: ", "POST /v1/messages HTTP/1.1\r\nContent-Length: 10\r\n"] {
        for _ in 0..4 {
            let mut wire = Wire::from([127, 0, 0, 2], world.address).await;
            wire.write(format!("{half}{}", if half.starts_with("POST") { "\r\nhalf" } else { "" })).await;
            slow.push(wire);
        }
    }
    eventually("they are all there", async || {
        metric(&world, "skep_router_connections 9").await || { metric(&world, "skep_router_connections 8").await }
    })
    .await;
    let call = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for _ in 0..40 {
        let mut wire = Wire::from([127, 0, 0, 2], world.address).await;
        assert_eq!(wire.try_to_the_end(call).await, "", "one too many is closed at once");
    }
    assert!(metric(&world, "skep_router_connections_refused_total 40").await);
    let answer = Wire::from([127, 0, 0, 3], world.address).await.try_to_the_end(call).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(slow);
    eventually("places are free again", async || {
        let answer = Wire::from([127, 0, 0, 2], world.address).await.try_to_the_end(call).await;
        answer.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn slow_senders_hold_no_call_s_place() {
    let short = Patience { body: Duration::from_secs(60), ..patience() };
    let room = Room { calls: 1, ..Room::default() };
    let world = World::with_options(Options { room, patience: short, ..options() }, Owners::Halves).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut wire = Wire::to(world.address).await;
        let token = token_in(1);
        wire.write(format!(
            "POST /v1/messages HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Length: 10\r\n\r\nhalf"
        ))
        .await;
        slow.push(wire);
    }
    assert_eq!(send(me(&world, 1)).await.status, 200);
}

#[tokio::test]
async fn log_ins_take_no_place_of_other_calls() {
    let room = Room { hashing: 2, ..Room::default() };
    let world = World::with_options(Options { room, ..options() }, Owners::Halves).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (go, gone) = oneshot::channel();
        world.cell(1).order(Order::Wait(gone));
        waiting.push((go, tokio::spawn(send(log_in(&world, 1)))));
    }
    eventually("both are under way", async || world.cell(1).seen().len() == 2).await;
    let refused = send(log_in(&world, 2)).await;
    assert_eq!(refused.headers["retry-after"], "1");
    refused.refused(503, "busy");
    assert!(metric(&world, "skep_router_shed_total{kind=\"log_ins\"} 1").await);
    assert_eq!(send(me(&world, 1)).await.status, 200);
    for (go, answer) in waiting {
        go.send(()).unwrap();
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(send(log_in(&world, 2)).await.status, 200);
}

#[tokio::test]
async fn a_frozen_cell_takes_no_place_of_other_cells() {
    let room = Room { calls_per_cell: 2, ..Room::default() };
    let world = World::with_options(Options { room, ..options() }, Owners::Halves).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (go, gone) = oneshot::channel();
        world.cell(1).order(Order::Wait(gone));
        waiting.push((go, tokio::spawn(send(me(&world, 1)))));
    }
    eventually("both are under way", async || world.cell(1).seen().len() == 2).await;
    send(me(&world, 1)).await.refused(503, "busy");
    assert_eq!(send(me(&world, 2)).await.status, 200);
    for (go, answer) in waiting {
        go.send(()).unwrap();
        assert_eq!(answer.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn https_is_for_good() {
    let world = World::new().await;
    let reply = send(request(Method::GET, &world.url("/healthz"))).await;
    assert!(reply.headers["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
    // What a cell says for itself stays, such as how long an image is good.
    let image = Response::builder().header("cache-control", "public, immutable").header("vary", "Accept");
    world.cell(1).order(Order::Answer(image.body(Full::default()).unwrap()));
    let reply = send(me(&world, 1)).await;
    assert_eq!(reply.headers["cache-control"], "public, immutable");
    assert_eq!(reply.headers.get_all("vary").iter().collect::<Vec<_>>(), ["Accept", "Origin"]);
}
