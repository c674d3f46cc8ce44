//! What passes through a router unchanged, and what does not.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response, header};

use crate::{
    cells::Order,
    client::{Wire, request, send, with_body, with_token},
    world::{World, eventually, token_in},
};

#[tokio::test]
async fn calls_arrive_as_they_were_sent() {
    let world = World::new().await;
    let body = "{\"text\": \"\u{1f41d} \\ud83d\"}";
    let path = "/v1/conversations/g_%20x/messages?limit=5&cursor=a%2Fb";
    let mut call =
        with_token(with_body(request(Method::POST, &world.url(path)), "application/json", body), &token_in(2));
    call.headers_mut().insert("idempotency-key", "k 1".parse().unwrap());
    call.headers_mut().insert("x-forwarded-for", "1.2.3.4".parse().unwrap());
    call.headers_mut().insert("x-skep-wrong-cell", "9".parse().unwrap());
    send(call).await;
    let seen = world.cell(2).seen().remove(0);
    assert_eq!((seen.method, &*seen.path_and_query, &*seen.body), (Method::POST, path, body.as_bytes()));
    assert_eq!(seen.headers["idempotency-key"], "k 1");
    assert_eq!(seen.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(seen.headers[header::AUTHORIZATION], format!("Bearer {}", token_in(2)));
    assert_eq!(seen.headers[header::HOST], world.cell(2).address.to_string());
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
    assert!(!seen.headers.contains_key("x-skep-wrong-cell"));
}

#[tokio::test]
async fn answers_arrive_as_they_were_given() {
    let world = World::new().await;
    let body = Bytes::from(vec![b'x'; 3 * 1024 * 1024]);
    let answer = Response::builder()
        .status(409)
        .header("x-ratelimit-limit", "7")
        .header("x-skep-secret", "1")
        .header("keep-alive", "5")
        .header("x-request-id", "another");
    world.cell(1).order(Order::Answer(answer.body(Full::new(body.clone())).unwrap()));
    let reply = send(with_token(request(Method::GET, &world.url("/v1/me")), &token_in(1))).await;
    assert_eq!((reply.status.as_u16(), reply.text.len()), (409, body.len()));
    assert_eq!(reply.headers["x-ratelimit-limit"], "7");
    assert_ne!(reply.headers["x-request-id"], "another");
    assert!(!reply.headers.contains_key("x-skep-secret") && !reply.headers.contains_key("keep-alive"));
}

#[tokio::test]
async fn every_request_has_an_id_that_both_sides_know() {
    let world = World::new().await;
    let call = |id: Option<&str>| {
        let mut call = with_token(request(Method::GET, &world.url("/v1/me")), &token_in(1));
        if let Some(id) = id {
            call.headers_mut().insert("x-request-id", id.parse().unwrap());
        }
        call
    };
    let too_long = "y".repeat(65);
    for given in [None, Some("mine-1"), Some("not mine"), Some(&too_long), Some(&too_long[1..])] {
        let reply = send(call(given)).await;
        let seen = world.cell(1).seen().pop().unwrap();
        let id = &reply.headers["x-request-id"];
        assert_eq!(seen.headers["x-request-id"], *id);
        assert!((1..=64).contains(&id.len()));
        let kept = given.is_some_and(|given| !given.contains(' ') && given.len() <= 64);
        assert_eq!(given.is_some_and(|given| id == given), kept, "{given:?}");
    }
    // In problems too: `refused` compares the header with the document.
    let mut lost = request(Method::GET, &world.url("/v1/me"));
    lost.headers_mut().insert("x-request-id", "mine-2".parse().unwrap());
    assert_eq!(send(lost).await.refused(401, "unauthenticated")["request_id"], "mine-2");
}

#[tokio::test]
async fn connections_serve_one_call_after_another() {
    let world = World::new().await;
    let mut wire = Wire::to(world.address).await;
    let head = format!("/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", token_in(1));
    for _ in 0..3 {
        wire.write(format!("GET {head}")).await;
        assert!(wire.read_until("cell 1").await.starts_with("HTTP/1.1 200"));
    }
    // HEAD: the length of what GET would bring, and nothing else, so the next answer is in its place.
    wire.write(format!("HEAD {head}")).await;
    let answer = wire.read_until("\r\n\r\n").await;
    assert!(answer.contains("content-length: 6\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    wire.write(format!("GET {head}")).await;
    assert!(wire.read_until("cell 1").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let world = World::new().await;
    let mut idle = Wire::to(world.address).await;
    idle.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.read_until("ok\n").await;
    send(with_token(request(Method::GET, &world.url("/v1/users/u_1")), &token_in(1))).await;
    send(request(Method::GET, &world.url("/v1/me"))).await;
    let counted = [
        r#"skep_router_answers_total{method="GET",call="/v1/users/{user_id}",status="200"} 1"#,
        r#"skep_router_answers_total{method="GET",call="/v1/me",status="401"} 1"#,
        r#"skep_router_duration_seconds_count{call="/v1/me"} 1"#,
        "skep_router_calls_under_way 0",
        "skep_router_connections 1",
    ];
    eventually("all is counted", async || {
        let metrics = send(request(Method::GET, &format!("http://{}/metrics", world.admin))).await.text;
        counted.iter().all(|line| metrics.lines().any(|found| found == *line))
    })
    .await;
    for path in ["/healthz", "/readyz"] {
        let reply = send(request(Method::GET, &format!("http://{}{path}", world.admin))).await;
        assert_eq!(reply.status, 200, "{path}");
    }
}
