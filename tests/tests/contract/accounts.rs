use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use skep_tests::{Deployment, PASSWORD, Person, Received, eventually};

fn form(username: &str, email: &str) -> Value {
    json!({"username": username, "display_name": "Anna B", "email": email, "password": PASSWORD, "device": "a test"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_up_log_in_and_out() {
    let hive = Deployment::start(2).await;
    let made = hive.call(Method::POST, "/v1/users", None, Some(form("Anna", "Anna@Example.org"))).await.expect(201);
    assert_eq!(made["user"]["username"], "anna");
    assert_eq!(made["user"]["email"], "anna@example.org");
    assert_eq!(made["user"]["presence"], json!({"online": false, "last_seen": null}));
    assert_eq!(made["user"]["image_url"], Value::Null);
    let anna = Person::of(&hive, &made);
    assert_eq!(anna.get("/v1/route").await.expect(200), made["route"]);
    assert_eq!(anna.get("/v1/me").await.expect(200), made["user"]);

    // Name and address are taken, in any case, wherever they live.
    let taken = hive.call(Method::POST, "/v1/users", None, Some(form("ANNA", "other@example.org"))).await;
    assert_eq!(taken.refused(409, "conflict")["errors"][0]["field"], "username");
    for name in ["anna1", "anna2", "anna3", "anna4"] {
        let taken = hive.call(Method::POST, "/v1/users", None, Some(form(name, "ANNA@example.org"))).await;
        assert_eq!(taken.refused(409, "conflict")["errors"][0]["field"], "email");
        // The name was not used up by that.
        hive.call(Method::POST, "/v1/users", None, Some(form(name, &format!("{name}@example.org")))).await.expect(201);
    }

    for login in ["anna", "ANNA", "anna@example.org", "Anna@example.ORG", "anna3@example.org"] {
        let body = json!({"login": login, "password": PASSWORD, "device": "phone"});
        let again = hive.call(Method::POST, "/v1/sessions", None, Some(body)).await.expect(201);
        assert!(again["user"]["username"].as_str().unwrap().starts_with("anna"));
    }
    for (login, password) in
        [("anna", "not the password"), ("nobody", PASSWORD), ("nobody@example.org", PASSWORD), ("!", PASSWORD)]
    {
        let wrong =
            hive.call(Method::POST, "/v1/sessions", None, Some(json!({"login": login, "password": password}))).await;
        assert_eq!(wrong.headers["www-authenticate"], "Bearer");
        assert_eq!(wrong.refused(401, "unauthenticated")["detail"], "this login and password do not go together");
    }

    // Sessions: listed, ended, and their sockets closed.
    let sessions = anna.get("/v1/sessions").await.expect(200);
    let sessions = sessions["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 5);
    assert_eq!(sessions.iter().filter(|s| s["current"] == true).count(), 1);
    let (mut socket, _) = anna.online().await;
    anna.delete("/v1/sessions/current").await.expect(204);
    assert_eq!(socket.closed().await, Some(4100));
    anna.get("/v1/me").await.refused(401, "unauthenticated");
    let mut refused = anna.hello(None).await;
    assert!(matches!(refused.receive().await, Received::Frame(frame) if frame["code"] == "unauthenticated"));
    assert_eq!(refused.closed().await, Some(4100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_the_other_sessions() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let again =
        hive.call(Method::POST, "/v1/sessions", None, Some(json!({"login": "anna", "password": PASSWORD}))).await;
    let other = Person::of(&hive, &again.expect(201));
    let body = json!({"old_password": "wrong", "new_password": "another bee in the hive"});
    anna.put("/v1/me/password", body).await.refused(403, "not_allowed");
    let common = anna.put("/v1/me/password", json!({"old_password": PASSWORD, "new_password": "password123"})).await;
    assert_eq!(common.refused(400, "invalid")["errors"][0]["code"], "common");
    let body = json!({"old_password": PASSWORD, "new_password": "another bee in the hive"});
    anna.put("/v1/me/password", body).await.expect(204);
    other.get("/v1/me").await.refused(401, "unauthenticated");
    anna.get("/v1/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_with_a_sign_up_is_said_at_once() {
    let hive = Deployment::start(1).await;
    let body = json!({"username": "1a", "display_name": " ", "password": 5, "device": "x".repeat(101)});
    let refused = hive.call(Method::POST, "/v1/users", None, Some(body)).await.refused(400, "invalid");
    let errors: Vec<(&str, &str)> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    let expected = [
        ("username", "too_short"),
        ("display_name", "format"),
        ("email", "required"),
        ("password", "type"),
        ("device", "too_long"),
    ];
    assert_eq!(errors, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_find_each_other_and_see_who_is_there() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let found = |reply: Value| -> Vec<String> {
        reply["users"].as_array().unwrap().iter().map(|u| u["username"].as_str().unwrap().to_owned()).collect()
    };
    // The exact name at once, by any part of a name soon.
    let exact = anna.get(&format!("/v1/users?query={}", ben.username)).await.expect(200);
    assert_eq!(found(exact)[0], ben.username);
    eventually(Duration::from_secs(10), "a prefix finds", async || {
        found(anna.get("/v1/users?query=ben").await.expect(200)).contains(&ben.username)
    })
    .await;
    eventually(Duration::from_secs(10), "a word of the display name finds", async || {
        found(anna.get("/v1/users?query=hive").await.expect(200)).contains(&ben.username)
    })
    .await;
    let page = anna.get("/v1/users?query=hive&limit=1").await.expect(200);
    if let Some(cursor) = page["next_cursor"].as_str() {
        let next = anna.get(&format!("/v1/users?query=hive&limit=1&cursor={cursor}")).await.expect(200);
        assert_ne!(found(next), found(page.clone()));
        anna.get(&format!("/v1/users?query=ben&cursor={cursor}")).await.refused(400, "invalid");
        ben.get(&format!("/v1/users?query=hive&cursor={cursor}")).await.refused(400, "invalid");
    }
    assert!(!found(anna.get("/v1/users?query=anna").await.expect(200)).contains(&anna.username), "not oneself");
    anna.get("/v1/users?query=").await.refused(400, "invalid");

    let path = format!("/v1/users/{}", ben.user_id);
    assert_eq!(anna.get(&path).await.expect(200)["presence"], json!({"online": false, "last_seen": null}));
    let (socket, _) = ben.online().await;
    let presence = async || anna.get(&path).await.expect(200)["presence"].clone();
    eventually(Duration::from_secs(5), "online", async || presence().await["online"] == true).await;
    drop(socket);
    eventually(Duration::from_secs(5), "offline, last seen", async || presence().await["last_seen"].is_string()).await;

    let nobody = ben.user_id.chars().rev().collect::<String>();
    anna.get(&format!("/v1/users/{nobody}")).await.refused(404, "not_found");
    let both =
        anna.post("/v1/users/lookup", json!({"user_ids": [ben.user_id, anna.user_id, ben.user_id]})).await.expect(200);
    assert_eq!(found(both), [ben.username.clone(), anna.username.clone()]);
    anna.post("/v1/users/lookup", json!({"user_ids": ["u_nobody"]})).await.refused(400, "invalid");

    let renamed = anna.patch("/v1/me", json!({"display_name": "Queen Bee"})).await.expect(200);
    assert_eq!(renamed["display_name"], "Queen Bee");
    eventually(Duration::from_secs(10), "found by the new name", async || {
        found(ben.get("/v1/users?query=queen").await.expect(200)).contains(&anna.username)
    })
    .await;
    assert!(!found(ben.get("/v1/users?query=hive").await.expect(200)).contains(&anna.username), "not by the old one");
}
