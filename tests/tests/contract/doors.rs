//! What browsers may do, and how a request is followed through the parts.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::json;
use skep_tests::{Deployment, PAGE, PASSWORD, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The head of the answer to a handshake.
async fn handshake(socket_url: &str, origin: Option<&str>) -> String {
    let (host, path) = socket_url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: skep.v1.json\r\n{origin}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "an answer comes");
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_listed_origins_may_call_and_others_may_not() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    for (origin, allowed) in [
        (None, true),
        (Some(PAGE), true),
        (Some("http://chat.test"), true),
        (Some("http://evil.test"), false),
        (Some("null"), false),
    ] {
        let answer = handshake(&anna.socket_url, origin).await;
        let status = if allowed { "HTTP/1.1 101" } else { "HTTP/1.1 403" };
        assert!(answer.starts_with(status), "{origin:?}: {answer}");
        assert_eq!(answer.contains("application/problem+json"), !allowed);
    }
    let ask = async |method: Method, origin: &str, wanted: Option<&str>, token: &str| -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}/v1/me", hive.url));
        request = request.header("origin", origin).header("authorization", format!("Bearer {token}"));
        if let Some(wanted) = wanted {
            request = request.header("access-control-request-method", wanted);
        }
        hive.request(request.body(Full::new(Bytes::new())).unwrap()).await
    };
    let preflight = ask(Method::OPTIONS, PAGE, Some("PATCH"), "").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.headers["access-control-allow-origin"], PAGE);
    assert!(preflight.headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    let may_send = preflight.headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(["authorization", "content-type", "idempotency-key"].iter().all(|name| may_send.contains(name)));
    assert!(!preflight.headers.contains_key("access-control-allow-credentials"), "tokens are no cookies");
    let refused = ask(Method::OPTIONS, "http://evil.test", Some("GET"), "").await;
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
    refused.refused(403, "not_allowed");
    for (token, status) in [(anna.token.as_str(), 200), ("nonsense", 401)] {
        let reply = ask(Method::GET, PAGE, None, token).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["access-control-allow-origin"]),
            (status, &PAGE.parse().unwrap())
        );
        assert!(reply.headers["access-control-expose-headers"].to_str().unwrap().contains("X-Request-Id"));
        assert_eq!(
            (&reply.headers["vary"], &reply.headers["cache-control"]),
            (&"Origin".parse().unwrap(), &"no-store".parse().unwrap())
        );
        assert!(
            !ask(Method::GET, "http://evil.test", None, token)
                .await
                .headers
                .contains_key("access-control-allow-origin")
        );
    }
    ask(Method::OPTIONS, PAGE, None, &anna.token).await.refused(405, "method");
    for path in ["/v1/me", "/v1/nothing", "/errors/busy", "/healthz"] {
        let reply = hive.call(Method::GET, path, None, None).await;
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")]
        {
            assert_eq!(reply.headers[name], value, "{path}");
        }
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!reply.headers.contains_key("strict-transport-security"), "the public address is http");
    }
}

/// All that is logged in this process.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    /// Lines that hold all of these.
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_followed_by_its_id_through_router_cells_and_relay() {
    let logged = Logged::default();
    let writer = logged.clone();
    let logs = tracing_subscriber::fmt().with_ansi(false).with_env_filter("warn,skep_router=debug,skep_cell=debug");
    logs.with_writer(move || writer.clone()).try_init().expect("each test has a process of its own");
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let ask = async |id: &str, path: &str, token: &str, body: serde_json::Value| -> Reply {
        let request = Request::post(format!("{}{path}", hive.url)).header("x-request-id", id);
        let request =
            request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
        hive.request(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await
    };
    // Somebody of another cell is looked up by a call from cell to cell.
    ask("look-me-up", "/v1/users/lookup", &anna.token, json!({"user_ids": [ben.user_id]})).await.expect(200);
    for words in [
        ["skep_router", "answered", "status=200"],
        ["skep_cell::http", "answered", "status=200"],
        ["skep_cell", "peer{", "another cell asks"],
    ] {
        assert_eq!(logged.lines(&[&words[..], &["look-me-up"]].concat()).len(), 1, "{words:?}");
    }
    // A message to a conversation of another cell goes by the relay: its request's own id is named beside ours.
    let mut groups = Vec::new();
    let group = loop {
        let group = anna.group(&[&ben]).await;
        if hive.owner(&group).await == 2 {
            break group;
        }
        groups.push(group);
        assert!(groups.len() < 100, "one of a hundred groups has its home at the other cell");
    };
    let body = json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hello"});
    ask("follow-me", &format!("/v1/conversations/{group}/messages"), &anna.token, body).await.expect(201);
    let asked = logged.lines(&["follow-me", "asked of the home"]);
    let relayed = asked.first().and_then(|line| line.split("relay_request=").nth(1)?.split(' ').next()).expect("named");
    assert_eq!(logged.lines(&[relayed, "asked by another cell"]).len(), 1, "{relayed}");
    // One that is refused says why, at the router or at the cell.
    ask("wrong-me", "/v1/sessions", "", json!({"login": "anna", "password": PASSWORD, "device": 5}))
        .await
        .refused(400, "invalid");
    assert_eq!(logged.lines(&["wrong-me", "refused", "device"]).len(), 1);
    ask("lost-me", "/v1/conversations", "", json!({})).await.refused(401, "unauthenticated");
    assert_eq!(logged.lines(&["lost-me", "refused", "skep_router"]).len(), 1);
}
