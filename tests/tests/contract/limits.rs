//! How often who may do what. Refills are so slow that none comes while a test runs.

use hyper::Method;
use serde_json::{Value, json};
use skep_gate::RateLimits;
use skep_tests::{Deployment, Door, PASSWORD, Person, Reply, Socket, eventually};

use std::time::Duration;

/// So many, and the next in an hour.
fn only(burst: u32) -> Option<skep_gate::Rate> {
    format!("{burst} then 1/h").parse().ok()
}

/// What is left in the tightest bucket.
#[track_caller]
fn remaining(reply: &Reply) -> u32 {
    let number = |name: &str| reply.headers[name].to_str().unwrap().parse::<u64>().unwrap();
    let (limit, remaining) = (number("x-ratelimit-limit"), number("x-ratelimit-remaining"));
    assert_eq!(number("x-ratelimit-reset").div_ceil(3_600), limit - remaining, "an hour for each that is missing");
    u32::try_from(remaining).unwrap()
}

#[track_caller]
fn limited(reply: Reply) {
    assert_eq!(remaining(&reply), 0);
    let seconds: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    let problem = reply.refused(429, "rate_limited");
    let ms = problem["retry_after_ms"].as_u64().unwrap();
    assert!(ms.div_ceil(1_000) == seconds && (3_000..=3_600).contains(&seconds), "{problem}");
}

fn send(reference: u64, conversation: &str, id: uuid::Uuid) -> Value {
    json!({"type": "send", "ref": reference, "conversation_id": conversation, "client_message_id": id, "text": "hello"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_do_so_much_by_whatever_door() {
    let limits = RateLimits { messages: only(3), searches: only(2), joins: only(2), calls: only(9), ..RateLimits::OFF };
    let hive = Deployment::start_with(1, limits).await;
    let (anna, ben) = (hive.sign_up("anna").await, hive.sign_up("ben").await);
    let direct = anna.direct(&ben).await;

    // Messages: one by HTTP and two by the socket are three.
    let path = format!("/v1/conversations/{direct}/messages");
    let message = || json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hello"});
    let reply = anna.post(&path, message()).await;
    assert_eq!((reply.status.as_u16(), remaining(&reply)), (201, 2));
    let mut socket = anna.hello(None).await;
    let told = &socket.until("welcome").await["limits"];
    assert_eq!(told["message_burst"], 3);
    assert!((told["message_per_s"].as_f64().unwrap() * 3_600.0 - 1.0).abs() < 1e-9);
    socket.until("synced").await;
    let third = uuid::Uuid::now_v7();
    for (reference, id) in [(1, uuid::Uuid::now_v7()), (2, third)] {
        socket.send(send(reference, &direct, id)).await;
        assert_eq!(socket.until("sent").await["ref"], reference);
    }
    socket.send(send(3, &direct, uuid::Uuid::now_v7())).await;
    let error = socket.until("error").await;
    assert_eq!((&error["ref"], &error["code"]), (&json!(3), &json!("rate_limited")));
    assert!((3_000_000..=3_600_000).contains(&error["retry_after_ms"].as_u64().unwrap()), "{error}");
    limited(anna.post(&path, message()).await);
    let both = json!({"user_ids": [ben.user_id], "text": "hello", "client_message_id": uuid::Uuid::now_v7()});
    limited(anna.post("/v1/messages", both).await);
    assert_eq!(ben.texts(&direct).await.len(), 3, "a refused message is not sent");
    ben.say(&direct, "another has messages of their own").await;

    // Searches and look-ups together; joins and changes of members together.
    assert_eq!(remaining(&anna.get("/v1/users?query=ben").await), 1);
    assert_eq!(remaining(&anna.post("/v1/users/lookup", json!({"user_ids": [ben.user_id]})).await), 0);
    limited(anna.get("/v1/users?query=ben").await);
    let group = anna.group(&[&ben]).await;
    let members = format!("/v1/conversations/{group}/members");
    let role = anna.patch(&format!("{members}/{}", ben.user_id), json!({"role": "admin"})).await;
    assert_eq!((role.status.as_u16(), remaining(&role)), (204, 1));
    anna.delete(&format!("{members}/{}", ben.user_id)).await.expect(204);
    limited(anna.post(&members, json!({"user_ids": [ben.user_id]})).await);

    // Other calls and other frames together. So far: two conversations made, and a hello.
    for left in [5, 4] {
        assert_eq!(remaining(&anna.get("/v1/me").await), left);
    }
    for (frame, answer) in [
        (json!({"type": "read", "ref": 1, "conversation_id": direct, "seq": 1}), "read"),
        (json!({"type": "history", "ref": 2, "conversation_id": direct}), "history"),
        (json!({"type": "ping"}), "pong"),
        (json!({"type": "dance"}), "error"),
    ] {
        socket.send(frame).await;
        assert_ne!(socket.until(answer).await["code"], "rate_limited");
    }
    for frame in [
        json!({"type": "read", "ref": 9, "conversation_id": direct, "seq": 1}),
        json!({"type": "history", "ref": 9, "conversation_id": direct}),
        json!({"type": "sync", "sync_token": "x"}),
        json!({"type": "ping", "ref": 9}),
        json!({"type": "dance", "ref": 9}),
    ] {
        socket.send(frame.clone()).await;
        let error = socket.until("error").await;
        assert_eq!(error["code"], "rate_limited", "{frame}");
        assert!(error["ref"] == 9 || frame["type"] == "sync");
    }
    limited(anna.get("/v1/me").await);
    let mut another = anna.hello(None).await;
    assert_eq!(another.until("error").await["code"], "rate_limited");
    assert_eq!(another.closed().await, Some(4001), "come back later");

    let admin = Door::new(hive.cells[0].admin_url.clone());
    for (kind, count) in [("messages", 3.0), ("searches", 1.0), ("joins", 1.0), ("calls", 7.0)] {
        assert_eq!(admin.counter(&format!("skep_limited_total{{kind=\"{kind}\"}}")).await, count, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_and_a_login_may_be_tried_so_often() {
    let limits = RateLimits {
        sign_ups: only(2),
        log_ins: only(4),
        log_ins_per_login: only(2),
        calls_per_address: only(5),
        sockets_per_address: Some(2),
        ..RateLimits::OFF
    };
    let hive = Deployment::start_with(2, limits).await;
    let sign_up = async |address: &str, username: &str| {
        let body = json!({"username": username, "display_name": "x", "email": format!("{username}@example.org"), "password": PASSWORD});
        hive.call_from(address, Method::POST, "/v1/users", None, Some(body)).await
    };
    let first = sign_up("192.0.2.1", "anna").await;
    assert_eq!(remaining(&first), 1);
    let anna = Person::of(&hive, &first.expect(201));
    sign_up("192.0.2.1", "ben").await.expect(201);
    limited(sign_up("192.0.2.1", "cara").await);
    sign_up("2001:db8::1", "cara").await.expect(201);
    sign_up("2001:db8::2", "dora").await.expect(201);
    limited(sign_up("2001:db8:0:0:ffff::3", "emil").await);

    // A login, by whichever name it is written, from wherever; and an address, with whatever login.
    let log_in = async |address: &str, login: &str, password: &str| {
        let body = json!({"login": login, "password": password});
        hive.call_from(address, Method::POST, "/v1/sessions", None, Some(body)).await
    };
    let wrong = log_in("192.0.2.1", "anna", "not my password").await;
    assert_eq!(remaining(&wrong), 1, "the tighter of two: one more with this login, three more from here");
    wrong.refused(401, "unauthenticated");
    log_in("192.0.2.2", "ANNA", "not my password").await.refused(401, "unauthenticated");
    limited(log_in("192.0.2.3", "anna", PASSWORD).await);
    log_in("192.0.2.3", "anna@example.org", PASSWORD).await.expect(201);
    for (login, left) in [("ben", 1), ("nobody", 1), ("no such name!", 0)] {
        assert_eq!(remaining(&log_in("192.0.2.1", login, "not my password").await), left, "{login}");
    }
    limited(log_in("192.0.2.1", "cara", PASSWORD).await);

    // A found token is no way around that, and those who try at the door bar nobody from a new password.
    let change = async |old: &str| {
        let body = json!({"old_password": old, "new_password": "a horse of another colour"});
        hive.call_from("192.0.2.6", Method::PUT, "/v1/me/password", Some(&anna.token), Some(body)).await
    };
    for left in [1, 0] {
        let wrong = change("not my password").await;
        assert_eq!(remaining(&wrong), left);
        wrong.refused(403, "not_allowed");
    }
    limited(change(PASSWORD).await);

    // Whoever is nobody uses up their address, whatever they ask for.
    let path = "/v1/conversations/g_x/messages";
    for left in [4, 3, 2, 1, 0] {
        let lost = hive.call_from("192.0.2.4", Method::POST, path, Some("no token"), Some(json!({}))).await;
        assert_eq!((lost.status.as_u16(), remaining(&lost)), (401, left));
    }
    limited(hive.call_from("192.0.2.4", Method::POST, path, Some(&anna.token), Some(json!({}))).await);
    // All that is not of a kind of its own.
    let me = async |address: &str| hive.call_from(address, Method::GET, "/v1/me", Some(&anna.token), None).await;
    for left in [4, 3] {
        assert_eq!(remaining(&me("192.0.2.4").await), left);
    }
    let call = async |path: &str| hive.call_from("192.0.2.4", Method::GET, path, None, None).await;
    call("/v1/nothing").await.refused(404, "not_found");
    call("/v1/links/nothing").await.refused(404, "not_found");
    assert_eq!(remaining(&call("/errors/busy").await), 0);
    limited(me("192.0.2.4").await);
    limited(hive.call_from("192.0.2.4", Method::GET, "/errors/busy", None, None).await);
    let health = hive.call_from("192.0.2.4", Method::GET, "/healthz", None, None).await;
    assert_eq!((health.status.as_u16(), remaining(&health)), (200, 0), "who looks after it is never refused");
    me("192.0.2.5").await.expect(200);

    // Sockets of an address: here all are of this machine.
    let mut sockets = vec![anna.online().await.0, anna.online().await.0];
    assert!(Socket::try_connect(&anna.socket_url).await.is_err());
    sockets.pop();
    eventually(Duration::from_secs(20), "a closed socket's place is free", async || {
        Socket::try_connect(&anna.socket_url).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_limits_nothing_is_said_of_them() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    for reply in [
        anna.get("/v1/me").await,
        anna.get("/v1/users?query=ben").await,
        hive.call(Method::GET, "/healthz", None, None).await,
    ] {
        assert!(skep_gate::HEADERS.iter().all(|name| !reply.headers.contains_key(name)), "{:?}", reply.headers);
    }
    let mut socket = anna.hello(None).await;
    assert_eq!(socket.until("welcome").await["limits"]["message_burst"], u32::MAX);
}
