use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};
use skep_protocol::ConversationId;
use skep_tests::{Deployment, Received, Socket, masked};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bodies_are_refused_with_what_to_do() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let raw = async |content_type: &str, body: &[u8]| {
        let request = Request::post(format!("{}/v1/conversations", hive.url))
            .header("authorization", format!("Bearer {}", anna.token))
            .header("content-type", content_type)
            .body(Full::new(Bytes::copy_from_slice(body)))
            .unwrap();
        hive.request(request).await
    };
    for bad in [
        &b"{"[..],
        b"[]",
        b"null",
        b"\xff\xfe",
        br#"{"kind": "\ud800"}"#,
        b"",
        br#"{"kind": 5}"#,
        br#"{"kind": "club"}"#,
    ] {
        raw("application/json", bad).await.refused(400, "invalid");
    }
    let deep = "[".repeat(100_000);
    raw("application/json", deep.as_bytes()).await.refused(400, "invalid");
    raw("text/plain", b"{}").await.refused(415, "unsupported");
    raw("application/json", &vec![b' '; 300 * 1024]).await.refused(413, "too_large");
    anna.get("/v1/nothing").await.refused(404, "not_found");
    let wrong = anna.call(Method::DELETE, "/v1/me", None).await;
    assert!(wrong.headers["allow"].to_str().unwrap().contains("PATCH"));
    wrong.refused(405, "method");
    for token in ["", "x", "skep1_", &anna.token[1..], &format!("{}x", &anna.token[..anna.token.len() - 1])] {
        hive.call(Method::GET, "/v1/me", Some(token), None).await.refused(401, "unauthenticated");
    }
    anna.get("/v1/conversations/nonsense").await.refused(404, "not_found");
    anna.delete("/v1/sessions/%ff").await.refused(404, "not_found");
    anna.delete(&format!("/v1/conversations/{}/members/%ff", ConversationId::group(7))).await.refused(404, "not_found");
    anna.post("/v1/links/0000%00aaaaaaaaaaaaaaaaaaa/join", json!({})).await.refused(404, "not_found");
    anna.get(&format!("/v1/conversations/{}", anna.user_id)).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_come_back_exactly_as_sent_or_are_refused() {
    let hive = Deployment::start(1).await;
    let (anna, ben) = (hive.sign_up("anna").await, hive.sign_up("ben").await);
    let direct = anna.direct(&ben).await;
    let (mut a, _) = anna.online().await;
    let texts = [
        "a",
        " ",
        "\r\n\t",
        "\u{1}\u{7f}\u{85}",
        "e\u{301} \u{200b}\u{202e}",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "</script><b>\\\"'",
        "\u{ffff}\u{fffe}",
    ];
    let longest = "\u{10ffff}".repeat(10_000);
    for (i, text) in texts.into_iter().chain([longest.as_str()]).enumerate() {
        let id = uuid::Uuid::now_v7();
        a.send(json!({"type": "send", "ref": i, "conversation_id": direct, "client_message_id": id, "text": text}))
            .await;
        let sent = a.until("sent").await;
        assert_eq!(sent["seq"], i + 1);
        let page = ben.get(&format!("/v1/conversations/{direct}/messages?limit=1")).await.expect(200);
        assert_eq!(page["messages"][0]["text"], text);
    }
    let long = "x".repeat(10_001);
    for (text, code) in [("", "too_short"), (long.as_str(), "too_long"), ("a\0b", "format")] {
        let id = uuid::Uuid::now_v7();
        a.send(json!({"type": "send", "ref": 77, "conversation_id": direct, "client_message_id": id, "text": text}))
            .await;
        let error = a.until("error").await;
        assert_eq!(
            (&error["ref"], &error["code"], &error["errors"][0]["code"]),
            (&json!(77), &json!("invalid"), &json!(code))
        );
    }
    // A used id for another text, or by another sender.
    let id = uuid::Uuid::now_v7();
    let send = |text: &str| json!({"type": "send", "ref": 1, "conversation_id": direct, "client_message_id": id, "text": text});
    a.send(send("mine")).await;
    a.until("sent").await;
    a.send(send("changed")).await;
    assert_eq!(a.until("error").await["code"], "conflict");
    let (mut b, _) = ben.online().await;
    b.send(send("mine")).await;
    assert_eq!(b.until("error").await["code"], "conflict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_wrong_are_answered_and_the_socket_stays() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let (mut a, token) = anna.online().await;
    for (frame, reference) in [
        (json!({"type": "dance", "ref": 1}), json!(1)),
        (json!({"type": "send", "ref": 2}), json!(2)),
        (json!({"type": "send", "ref": 3, "conversation_id": "d_x", "client_message_id": "x", "text": "x"}), json!(3)),
        (json!({"type": "read", "ref": 4, "conversation_id": 5, "seq": "x"}), json!(4)),
    ] {
        a.send(frame.clone()).await;
        let error = a.until("error").await;
        assert_eq!((&error["code"], &error["ref"]), (&json!("invalid"), &reference), "{frame}");
    }
    // Not JSON that a text could hold, but a frame all the same.
    for (raw, reference) in [
        (r#"{"type":"send","ref":8,"text":"\ud83d"}"#.to_owned(), json!(8)),
        (r#"{"type":"ping","ref":1e999}"#.to_owned(), Value::Null),
        (r#"{"type":"ping","ref":9007199254740992}"#.to_owned(), Value::Null),
        (format!(r#"{{"type":"send","ref":9,"text":{}1{}}}"#, "[".repeat(500), "]".repeat(500)), json!(9)),
    ] {
        a.send_raw(&masked(0x81, raw.as_bytes())).await;
        let error = a.until("error").await;
        assert_eq!((&error["code"], &error["ref"]), (&json!("invalid"), &reference), "{raw}");
    }
    a.send(json!({"type": "read", "ref": 1, "seq": "\u{7f}".repeat(100_000)})).await;
    assert!(a.until("error").await.to_string().len() < 1_000, "the client's value is not given back");
    let nowhere = ConversationId::group(7).to_string();
    a.send(json!({"type": "history", "ref": 5, "conversation_id": nowhere})).await;
    assert_eq!(a.until("error").await["code"], "not_found");
    a.send(json!({"type": "send", "ref": 6, "conversation_id": nowhere, "client_message_id": uuid::Uuid::now_v7(), "text": "x"})).await;
    assert_eq!(a.until("error").await["code"], "not_found");
    a.send(json!({"type": "ping", "ref": 7, "unknown": [1]})).await;
    assert_eq!(a.until("pong").await["ref"], 7);
    a.send(json!({"type": "sync", "sync_token": token})).await;
    a.until("synced").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_closes_the_socket() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let hello = json!({"type": "hello", "token": anna.token}).to_string();
    let unmasked = {
        let mut bytes = vec![0x81, hello.len() as u8];
        bytes.extend_from_slice(hello.as_bytes());
        bytes
    };
    let huge = {
        let mut bytes = vec![0x81, 0x80 | 127];
        bytes.extend_from_slice(&(129_u64 * 1024).to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes
    };
    for (what, bytes, code) in [
        ("not JSON", masked(0x81, b"hello"), 4101),
        ("no object", masked(0x81, b"[1]"), 4101),
        ("no type", masked(0x81, b"{}"), 4101),
        ("not UTF-8", masked(0x81, b"\xff\xff"), 4101),
        ("binary", masked(0x82, b"\0\0"), 4101),
        ("before hello", masked(0x81, br#"{"type":"ping"}"#), 4101),
        ("unmasked", unmasked, 4101),
        ("reserved bits", masked(0xf1, b"{}"), 4101),
        ("unknown opcode", masked(0x83, b"{}"), 4101),
        ("a continuation of nothing", masked(0x80, b"{}"), 4101),
        ("too large", huge, 4102),
    ] {
        let mut socket = Socket::connect(&anna.socket_url).await;
        socket.send_raw(&bytes).await;
        assert_eq!(socket.closed().await, Some(code), "{what}");
    }
    // A bad token is said before the end; a sync token that is none is as none.
    for hello in [json!({"type": "hello"}), json!({"type": "hello", "token": 5})] {
        let mut socket = Socket::connect(&anna.socket_url).await;
        socket.send(hello).await;
        assert_eq!(socket.until("error").await["code"], "unauthenticated");
        assert_eq!(socket.closed().await, Some(4100));
    }
    let mut socket = Socket::connect(&anna.socket_url).await;
    socket.send(json!({"type": "hello", "token": anna.token, "sync_token": 5})).await;
    assert_eq!(socket.until("sync").await["full"], true);
    // A second hello.
    let (mut a, _) = anna.online().await;
    a.send(json!({"type": "hello", "token": anna.token})).await;
    assert_eq!(a.closed().await, Some(4101));
    // Fragments that are one text are one text.
    let mut socket = Socket::connect(&anna.socket_url).await;
    let (first, second) = hello.as_bytes().split_at(20);
    socket.send_raw(&masked(0x01, first)).await;
    socket.send_raw(&masked(0x89, b"ping")).await;
    socket.send_raw(&masked(0x80, second)).await;
    socket.until("synced").await;
    // Fragments without end are bounded together.
    socket.send_raw(&masked(0x01, &[b'x'; 60_000])).await;
    for _ in 0..2 {
        socket.send_raw(&masked(0x00, &[b'x'; 60_000])).await;
    }
    assert_eq!(socket.closed().await, Some(4102));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame_for_ever_is_cut_off() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let mut socket = Socket::connect(&anna.socket_url).await;
    socket.send_raw(&masked(0x81, b"{\"type\"")[..5]).await;
    let end = tokio::time::timeout(Duration::from_secs(15), socket.closed()).await;
    assert_eq!(end.unwrap(), Some(4002), "hello must come within 10 s");
    let another = anna.online().await;
    drop(another);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_at_the_wrong_cell_is_told_to_move() {
    let hive = Deployment::start(2).await;
    let anna = hive.sign_up_in(1, "anna").await;
    let other = hive.cells[1].socket_url.clone();
    let mut socket = Socket::connect(&other).await;
    socket.send(json!({"type": "hello", "token": anna.token})).await;
    assert_eq!(socket.receive().await, Received::Frame(json!({"type": "moved"})));
    assert_eq!(socket.closed().await, Some(4003));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_twenty_first_socket_of_a_person_is_closed() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(anna.online().await);
    }
    let mut one_more = anna.hello(None).await;
    assert_eq!(one_more.closed().await, Some(4103));
    sockets[0].0.send(json!({"type": "ping"})).await;
    sockets[0].0.until("pong").await;
}
