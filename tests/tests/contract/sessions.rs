use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use skep_tests::{Deployment, PASSWORD, Person, Received, Socket, eventually};

async fn log_in(hive: &Deployment, login: &str, password: &str) -> (Person, String) {
    let body = json!({"login": login, "password": password, "device": "a phone"});
    let made = hive.call(Method::POST, "/v1/sessions", None, Some(body)).await.expect(201);
    (Person::of(hive, &made), made["session_id"].as_str().unwrap().to_owned())
}

async fn listed(person: &Person) -> Vec<Value> {
    person.get("/v1/sessions").await.expect(200)["sessions"].as_array().unwrap().clone()
}

async fn answers(socket: &mut Socket) {
    socket.send(json!({"type": "ping", "ref": 1})).await;
    socket.until("pong").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_takes_its_sockets_and_nobody_elses() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let (mut a, _) = anna.online().await;
    let mut bs = ben.online().await.0;

    // By its id, once and again; another's is none of one's business.
    let (phone, id) = log_in(&hive, &anna.username, PASSWORD).await;
    let (mut p, _) = phone.online().await;
    let (mut q, _) = phone.online().await;
    let listed_now = listed(&anna).await;
    let entry = listed_now.iter().find(|s| s["session_id"] == id.as_str()).unwrap();
    assert_eq!((&entry["device"], &entry["current"]), (&json!("a phone"), &json!(false)));
    ben.delete(&format!("/v1/sessions/{id}")).await.refused(404, "not_found");
    answers(&mut p).await;
    for _ in 0..2 {
        anna.delete(&format!("/v1/sessions/{id}")).await.expect(204);
    }
    assert_eq!((p.closed().await, q.closed().await), (Some(4100), Some(4100)));
    phone.get("/v1/me").await.refused(401, "unauthenticated");
    assert_eq!(listed(&anna).await.len(), 1);
    for none in ["s_nonsense", "nonsense"] {
        anna.delete(&format!("/v1/sessions/{none}")).await.refused(404, "not_found");
    }

    // A new password ends all others; the old one is no longer good.
    let (phone, _) = log_in(&hive, &anna.username, PASSWORD).await;
    let (mut p, _) = phone.online().await;
    let new = "another bee in the hive";
    let change = |old: &str| json!({"old_password": old, "new_password": new});
    anna.put("/v1/me/password", change("a wasp in the hive")).await.refused(403, "not_allowed");
    answers(&mut p).await;
    anna.put("/v1/me/password", change(PASSWORD)).await.expect(204);
    assert_eq!(p.closed().await, Some(4100));
    phone.get("/v1/me").await.refused(401, "unauthenticated");
    anna.get("/v1/me").await.expect(200);
    let old = json!({"login": anna.username, "password": PASSWORD});
    hive.call(Method::POST, "/v1/sessions", None, Some(old)).await.refused(401, "unauthenticated");
    log_in(&hive, &format!("{}@example.org", anna.username), new).await;

    answers(&mut a).await;
    answers(&mut bs).await;
    anna.delete("/v1/sessions/current").await.expect(204);
    assert_eq!(a.closed().await, Some(4100));
    answers(&mut bs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fifty_first_session_ends_the_one_unused_longest() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let mut others = Vec::new();
    for _ in 0..49 {
        others.push(log_in(&hive, "anna", PASSWORD).await.0);
    }
    assert_eq!(listed(&anna).await.len(), 50);
    let unused = others.remove(20);
    let (mut socket, _) = unused.online().await;
    // The oldest of all, but all the others are used after that one.
    for person in others.iter().chain([&anna]) {
        person.get("/v1/me").await.expect(200);
    }
    let (newest, _) = log_in(&hive, "anna", PASSWORD).await;
    assert_eq!(socket.closed().await, Some(4100));
    unused.get("/v1/me").await.refused(401, "unauthenticated");
    for person in others.iter().chain([&anna, &newest]) {
        person.get("/v1/me").await.expect(200);
    }
    // Log-ins that come together count each other.
    let body = json!({"login": "anna", "password": PASSWORD});
    let together: Vec<_> = (0..6)
        .map(|_| {
            let (hive, body) = (std::sync::Arc::clone(&hive), body.clone());
            tokio::spawn(async move { hive.call(Method::POST, "/v1/sessions", None, Some(body)).await.expect(201) })
        })
        .collect();
    for made in together {
        made.await.unwrap();
    }
    assert_eq!(listed(&newest).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_come_to_their_end_by_themselves() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    for (what, sql) in [
        ("unused for 90 days", "last_used_at_ms = last_used_at_ms - 90 * 86400000::bigint - 1000"),
        ("a year old", "expires_at_ms = last_used_at_ms - 1"),
    ] {
        let (old, id) = log_in(&hive, "anna", PASSWORD).await;
        let id: skep_protocol::SessionId = id.parse().unwrap();
        hive.sql(&format!("UPDATE sessions SET {sql} WHERE session_id = '{}'", id.uuid())).await;
        old.get("/v1/me").await.refused(401, "unauthenticated");
        let mut socket = old.hello(None).await;
        assert!(
            matches!(socket.receive().await, Received::Frame(frame) if frame["code"] == "unauthenticated"),
            "{what}"
        );
        assert_eq!(listed(&anna).await.len(), 1, "{what}");
    }
    // What has ended is not kept for ever: it goes when its person logs in.
    hive.sql("UPDATE sessions SET last_used_at_ms = 0, revoked = true WHERE expires_at_ms < last_used_at_ms").await;
    log_in(&hive, "anna", PASSWORD).await;
    eventually(Duration::from_secs(5), "two are left", async || listed(&anna).await.len() == 2).await;
    let made = anna.get("/v1/sessions").await.expect(200)["sessions"][0].clone();
    let at = |name: &str| made[name].as_str().unwrap().to_owned();
    assert!(at("created_at") <= at("last_used_at") && at("last_used_at") < at("expires_at"), "{made}");
}
