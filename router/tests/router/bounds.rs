//! What clients may take: bytes and time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{Method, Request, Response, body::Frame, header};
use skep_router::Patience;

use crate::{
    cells::Order,
    client::{Wire, request, send, with_body, with_token},
    world::{Owners, World, eventually, name_in, patience, token_in},
};

const KIB: usize = 1024;

fn head(world: &World, headers: &str) -> String {
    format!(
        "POST /v1/messages HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{headers}\r\n",
        world.address,
        token_in(1)
    )
}

#[tokio::test]
async fn bodies_are_bounded_where_they_belong() {
    let world = World::new().await;
    let (image, json) = ("image/png", "application/json");
    for (method, path, content_type, size, fits) in [
        (Method::POST, "/v1/messages", json, 256 * KIB, true),
        (Method::POST, "/v1/messages", json, 256 * KIB + 1, false),
        (Method::POST, "/v1/messages", image, 256 * KIB + 1, false),
        (Method::PUT, "/v1/me/image", image, 6 * 1024 * KIB, true),
        (Method::PUT, "/v1/me/image", image, 6 * 1024 * KIB + 1, false),
    ] {
        let call = with_token(request(method, &world.url(path)), &token_in(1));
        let before = world.cell(1).seen().len();
        let reply = send(with_body(call, content_type, vec![b' '; size])).await;
        if fits {
            assert_eq!(reply.status, 200, "{path} {size}");
            assert_eq!(world.cell(1).seen().pop().unwrap().body.len(), size);
        } else {
            reply.refused(413, "too_large");
            assert_eq!(world.cell(1).seen().len(), before, "{path} {size}");
        }
    }
}

#[tokio::test]
async fn a_sign_up_may_bring_an_image() {
    let world = World::new().await;
    for (content_type, fits) in [("multipart/form-data; boundary=b", true), ("application/json", false)] {
        let mut form = b"--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n".to_vec();
        form.resize(5 * 1024 * KIB, 0xff);
        let name = name_in(2);
        let rest = format!("\r\n--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\n{name}\r\n--b--\r\n");
        form.extend_from_slice(rest.as_bytes());
        let reply = send(with_body(request(Method::POST, &world.url("/v1/users")), content_type, form)).await;
        if fits { assert_eq!(reply.text, "cell 2") } else { _ = reply.refused(413, "too_large") }
    }
}

#[tokio::test]
async fn a_body_said_to_be_too_large_is_not_waited_for() {
    let world = World::new().await;
    let mut wire = Wire::to(world.address).await;
    wire.write(head(&world, "Content-Length: 262145\r\n")).await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("\"code\":\"too_large\""), "{answer}");
}

#[tokio::test]
async fn who_is_still_sending_sees_the_refusal() {
    let world = World::new().await;
    let size = 900 * KIB;
    let mut wire = Wire::to(world.address).await;
    wire.write(head(&world, &format!("Content-Length: {size}\r\n"))).await;
    // In pieces: closing at once would reset the connection under one of them.
    for _ in 0..size / KIB {
        wire.write(vec![b' '; KIB]).await;
    }
    assert!(wire.read_to_end().await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_up_to_the_bound() {
    let world = World::new().await;
    for (chunks, fits) in [(256, true), (300, false)] {
        let frames = (0..chunks).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; KIB]))));
        let body = StreamBody::new(tokio_stream::iter(frames)).boxed();
        let call = Request::post(world.url("/v1/messages"));
        let call = call.header(header::AUTHORIZATION, format!("Bearer {}", token_in(1))).body(body).unwrap();
        let reply = send(call).await;
        if fits {
            assert_eq!(reply.status, 200);
            assert_eq!(world.cell(1).seen().pop().unwrap().body.len(), chunks * KIB);
        } else {
            reply.refused(413, "too_large");
        }
    }
    assert_eq!(world.cell(1).seen().len(), 1);
}

#[tokio::test]
async fn headers_that_do_not_end_are_cut_off() {
    let short = Patience { headers: Duration::from_millis(200), ..patience() };
    let world = World::with(short, Owners::Halves).await;
    let mut silent = Wire::to(world.address).await;
    let mut slow = Wire::to(world.address).await;
    slow.write("GET /healthz HTTP/1.1\r\nX-Slow: ").await;
    let mut idle = Wire::to(world.address).await;
    idle.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(silent.read_to_end().await, "");
    assert_eq!(slow.read_to_end().await, "");
    assert!(idle.read_to_end().await.ends_with("ok\n"), "answered, then closed");
}

#[tokio::test]
async fn headers_are_bounded() {
    let world = World::new().await;
    let mut wire = Wire::to(world.address).await;
    wire.write(format!("GET /v1/me HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(100 * KIB))).await;
    assert!(wire.read_to_end().await.starts_with("HTTP/1.1 431"), "read no further than that");
    for (headers, fits) in [
        ("X-Long: ".to_owned() + &"x".repeat(15 * KIB) + "\r\n", true),
        ("X-Long: ".to_owned() + &"x".repeat(20 * KIB) + "\r\n", false),
        ("X-Many: x\r\n".repeat(90), true),
        ("X-Many: x\r\n".repeat(101), false),
    ] {
        let mut wire = Wire::to(world.address).await;
        wire.write(head(&world, &format!("Connection: close\r\nContent-Length: 0\r\n{headers}"))).await;
        let answer = wire.read_to_end().await;
        assert!(answer.starts_with(if fits { "HTTP/1.1 200" } else { "HTTP/1.1 413" }), "{answer}");
        assert_eq!(answer.contains("\"code\":\"too_large\""), !fits);
    }
}

#[tokio::test]
async fn bodies_that_do_not_end_are_cut_off() {
    let short = Patience { body: Duration::from_millis(200), ..patience() };
    let world = World::with(short, Owners::Halves).await;
    let mut wire = Wire::to(world.address).await;
    wire.write(head(&world, "Content-Length: 10\r\n") + "half").await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("\"code\":\"unavailable\""), "{answer}");
    assert!(world.cell(1).seen().is_empty());
}

#[tokio::test]
async fn a_refusal_before_the_body_ends_the_connection() {
    let world = World::new().await;
    let mut wire = Wire::to(world.address).await;
    wire.write("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{").await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_cut_off() {
    let short = Patience { stall: Duration::from_millis(200), ..patience() };
    let world = World::with(short, Owners::Halves).await;
    // More than all buffers on the way hold.
    let long = Bytes::from(vec![b'x'; 64 * 1024 * KIB]);
    world.cell(1).order(Order::Answer(Response::new(Full::new(long))));
    let mut wire = Wire::to(world.address).await;
    wire.write(head(&world, "Content-Length: 0\r\n")).await;
    eventually("the answer is on its way", async || !world.cell(1).seen().is_empty()).await;
    eventually("its place is free again", async || {
        let metrics = send(request(Method::GET, &format!("http://{}/metrics", world.admin))).await.text;
        ["skep_router_connections 0", "skep_router_calls_under_way 0"].iter().all(|line| metrics.contains(line))
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_pauses_is_cut_off_and_never_looks_whole() {
    let short = Patience { stall: Duration::from_millis(200), ..patience() };
    let world = World::with(short, Owners::Halves).await;
    world.cell(1).order(Order::Pause);
    let mut wire = Wire::to(world.address).await;
    wire.write(head(&world, "Content-Length: 0\r\n")).await;
    let answer = wire.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.ends_with("beginning\r\n"), "no last chunk: {answer}");
}
