//! A client against a small server that breaks things on purpose: what it does on the wire when it comes back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use skep_client::{Account, Client, Event, Fleet, FleetOptions, Http, Observer};
use skep_protocol::{
    ClientFrame, ClientMessageId, ConversationId, Millis, ServerFrame, SessionId, UserId, limits, websocket,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const WITHIN: Duration = Duration::from_secs(20);

/// Remembers what was told, shortly.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, _who: usize, event: Event<'_>) {
        let shown = match event {
            Event::Connected => "connected",
            Event::Disconnected { .. } => "disconnected",
            Event::Acknowledged { .. } => "acknowledged",
            Event::Unknown { .. } => "unknown",
            Event::Retried { .. } => "retried",
            Event::Moved => "moved",
            Event::Bye { .. } => "bye",
            Event::Ended { .. } => "ended",
            Event::Wrong(_) => "wrong",
            _ => return,
        };
        self.0.lock().push(shown.to_owned());
    }
}

/// A server's side of one connection.
struct Peer {
    stream: TcpStream,
    reader: websocket::Reader,
    read: VecDeque<websocket::Incoming>,
}

impl Peer {
    async fn next(&mut self) -> Option<ClientFrame> {
        loop {
            match self.read.pop_front() {
                Some(websocket::Incoming::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Some(websocket::Incoming::Close(_)) => return None,
                Some(_) => continue,
                None => {}
            }
            let mut buffer = [0; 4096];
            let count =
                tokio::time::timeout(WITHIN, self.stream.read(&mut buffer)).await.expect("in time").unwrap_or(0);
            if count == 0 {
                return None;
            }
            let mut read = Vec::new();
            self.reader.feed(&buffer[..count], limits::CLIENT_FRAME_BYTES, &mut read).unwrap();
            self.read.extend(read);
        }
    }

    async fn say(&mut self, frame: &ServerFrame) {
        self.stream.write_all(&frame.to_websocket()).await.unwrap();
    }

    /// Takes `hello`, and lets the client in with an empty sync. The token that it brought.
    async fn let_in(&mut self, token: &str) -> Option<String> {
        let Some(ClientFrame::Hello { sync_token, .. }) = self.next().await else { panic!("hello comes first") };
        let welcome = json!({"type": "welcome", "user_id": anna(), "session_id": SessionId::new(anna(), 1), "cell_id": 1,
            "heartbeat_s": 30, "limits": {"text_chars": 1, "text_bytes": 1, "frame_bytes": 1, "message_burst": 1,
            "message_per_s": 1}});
        self.say(&serde_json::from_value(welcome).unwrap()).await;
        self.say(&ServerFrame::Synced { sync_token: token.to_owned() }).await;
        sync_token
    }

    async fn answer(&mut self, frame: ClientFrame, seq: u64) {
        let ClientFrame::Send { reference, conversation_id, client_message_id, .. } = frame else {
            panic!("a send is expected, not {frame:?}")
        };
        let (seq, sent_at) = (skep_protocol::Seq(seq), Millis(1));
        self.say(&ServerFrame::Sent { reference, conversation_id, client_message_id, seq, sent_at }).await;
    }
}

fn anna() -> UserId {
    UserId::new("anna", Millis(1), 1)
}

fn id(n: u128) -> ClientMessageId {
    ClientMessageId::from_u128(n)
}

/// A cell's listener: each connection is handed over after the handshake.
struct Cell {
    listener: TcpListener,
}

impl Cell {
    async fn open() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn url(&self) -> String {
        format!("ws://{}/v1/socket", self.listener.local_addr().unwrap())
    }

    async fn peer(&self) -> Peer {
        let (stream, _) = tokio::time::timeout(WITHIN, self.listener.accept()).await.expect("in time").unwrap();
        let (upgraded, is_upgraded) = tokio::sync::oneshot::channel();
        let upgraded = Mutex::new(Some(upgraded));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (mut response, upgrade) = fastwebsockets::upgrade::upgrade(&mut request).unwrap();
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, "skep.v1.json".parse().unwrap());
            let upgraded = upgraded.lock().take().unwrap();
            tokio::spawn(async move {
                let socket = upgrade.await.unwrap().into_inner().into_inner();
                let parts = socket.downcast::<TokioIo<TcpStream>>().unwrap();
                _ = upgraded.send((parts.io.into_inner(), parts.read_buf));
            });
            async move { Ok::<_, std::convert::Infallible>(response.map(|_| Full::new(Bytes::new()))) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
        let (stream, early) = is_upgraded.await.unwrap();
        let (mut reader, mut read) = (websocket::Reader::default(), Vec::new());
        reader.feed(&early, limits::CLIENT_FRAME_BYTES, &mut read).unwrap();
        Peer { stream, reader, read: read.into() }
    }
}

/// A router that answers every call with what `answer` gives, and counts nothing.
async fn router(answers: Vec<(u16, Value)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            let service = service_fn(move |_: Request<Incoming>| {
                let mut answers = answers.lock();
                // The last answer stays.
                let (status, body) = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() };
                let response = Response::builder().status(status).body(Full::new(Bytes::from(body.to_string())));
                async move { Ok::<_, std::convert::Infallible>(response.unwrap()) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

struct Fixture {
    client: Client,
    told: Arc<Told>,
    _fleet: Fleet,
}

/// A client of a cell, connecting.
fn client_of(cell: &Cell, router: &str) -> Fixture {
    let told = Arc::new(Told::default());
    let observer: Arc<Told> = Arc::clone(&told);
    let http = Arc::new(Http::new(router, WITHIN));
    let fleet = Fleet::new(FleetOptions { http, observer, backlog: 50, dials: 4, trace: 0 });
    let account = Account { user_id: anna(), token: "secret".to_owned(), socket_url: cell.url() };
    let client = fleet.client(0, account);
    client.connect();
    Fixture { client, told, _fleet: fleet }
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = tokio::time::Instant::now() + WITHIN;
    while !is_so() {
        assert!(tokio::time::Instant::now() < until, "{what}: not within {WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn after_a_cut_it_resumes_with_its_token_and_sends_again_under_the_same_id() {
    let cell = Cell::open().await;
    let f = client_of(&cell, "http://127.0.0.1:9");
    let mut peer = cell.peer().await;
    assert_eq!(peer.let_in("t1").await, None);
    f.client.send(ConversationId::group(1), id(7), "hello".into());
    assert!(
        matches!(peer.next().await, Some(ClientFrame::Send { client_message_id, .. }) if client_message_id == id(7))
    );
    drop(peer);
    let mut peer = cell.peer().await;
    assert_eq!(peer.let_in("t2").await.as_deref(), Some("t1"));
    let again = peer.next().await.unwrap();
    assert!(matches!(&again, ClientFrame::Send { client_message_id, .. } if *client_message_id == id(7)));
    peer.answer(again, 1).await;
    eventually("settled", || f.client.look(|s| s.unsent()) == 0).await;
    let told = f.told.0.lock().clone();
    assert_eq!(told, ["connected", "unknown", "disconnected", "connected", "retried", "acknowledged"]);
}

#[tokio::test]
async fn moved_asks_the_way_and_goes_there_with_its_token() {
    let (old, new) = (Cell::open().await, Cell::open().await);
    let router = router(vec![(200, json!({"cell_id": 2, "socket_url": new.url()}))]).await;
    let f = client_of(&old, &router);
    let mut peer = old.peer().await;
    peer.let_in("t1").await;
    peer.say(&ServerFrame::Moved).await;
    let mut peer = new.peer().await;
    assert_eq!(peer.let_in("t2").await.as_deref(), Some("t1"));
    assert!(f.told.0.lock().contains(&"moved".to_owned()));
}

#[tokio::test]
async fn a_bye_is_honoured_by_waiting() {
    let cell = Cell::open().await;
    let f = client_of(&cell, "http://127.0.0.1:9");
    let mut peer = cell.peer().await;
    peer.let_in("t1").await;
    let began = tokio::time::Instant::now();
    peer.say(&ServerFrame::Bye { code: 4000, retry_after_ms: 300 }).await;
    let mut peer = cell.peer().await;
    assert!(began.elapsed() >= Duration::from_millis(300), "not before that time");
    assert_eq!(peer.let_in("t2").await.as_deref(), Some("t1"));
    assert!(f.told.0.lock().contains(&"bye".to_owned()));
}

#[tokio::test]
async fn a_revoked_token_ends_it() {
    let cell = Cell::open().await;
    let f = client_of(&cell, "http://127.0.0.1:9");
    let mut peer = cell.peer().await;
    peer.next().await;
    peer.stream.write_all(&websocket::close(4100)).await.unwrap();
    eventually("ended", || f.client.is_still()).await;
    assert_eq!(f.told.0.lock().last().unwrap(), "ended");
}

#[tokio::test]
async fn an_unwanted_connection_is_closed_and_a_wanted_one_made_again() {
    let cell = Cell::open().await;
    let f = client_of(&cell, "http://127.0.0.1:9");
    let mut peer = cell.peer().await;
    peer.let_in("t1").await;
    eventually("live", || f.client.look(|s| s.is_whole())).await;
    f.client.disconnect();
    assert_eq!(peer.next().await, None, "the end of the stream");
    eventually("still", || f.client.is_still()).await;
    f.client.connect();
    assert_eq!(cell.peer().await.let_in("t2").await.as_deref(), Some("t1"));
    assert!(!f.told.0.lock().contains(&"disconnected".to_owned()), "both were wished");
}

#[tokio::test]
async fn what_the_socket_does_not_take_at_once_is_written_later() {
    let cell = Cell::open().await;
    let f = client_of(&cell, "http://127.0.0.1:9");
    let mut peer = cell.peer().await;
    peer.let_in("t1").await;
    eventually("live", || f.client.look(|s| s.is_whole())).await;
    let text: Arc<str> = "x".repeat(9_000).into();
    let count = 2_000;
    (0..count).for_each(|n| f.client.send(ConversationId::group(1), id(n), Arc::clone(&text)));
    for n in 0..count {
        let Some(ClientFrame::Send { client_message_id, .. }) = peer.next().await else { panic!("send {n}") };
        assert_eq!(client_message_id, id(n), "in order");
    }
}

#[tokio::test]
async fn calls_are_repeated_only_where_that_is_safe() {
    let problem = |code: &str, status: u16| {
        (
            status,
            json!({"type": format!("/errors/{code}"), "title": "", "status": status, "detail": "", "code": code,
            "request_id": "r", "retry_after_ms": 1}),
        )
    };
    let route = (200, json!({"cell_id": 2, "socket_url": "ws://x/"}));
    let http = Http::new(&router(vec![problem("unavailable", 503), problem("busy", 503), route.clone()]).await, WITHIN);
    assert_eq!(http.route("t").await.unwrap().socket_url, "ws://x/");
    assert_eq!(http.repeated(), 2);
    let http = Http::new(&router(vec![problem("not_found", 404), route.clone()]).await, WITHIN);
    assert_eq!(http.route("t").await.unwrap_err().code().unwrap().as_str(), "not_found");
    let http = Http::new(&router(vec![problem("busy", 503)]).await, Duration::from_millis(200));
    assert_eq!(http.route("t").await.unwrap_err().code().unwrap().as_str(), "busy", "patience ends");
}
