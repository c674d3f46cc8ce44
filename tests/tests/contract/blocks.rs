use std::time::Duration;

use serde_json::{Value, json};
use skep_protocol::{Millis, UserId};
use skep_tests::{Deployment, Person, Reply, eventually};

/// Tries to open and to send, over HTTP.
async fn writes(person: &Person, other: &Person, direct: &str) -> [Reply; 3] {
    let text = || json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hello?"});
    let both = json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hello?", "user_ids": [other.user_id]});
    [
        person.post("/v1/conversations", json!({"kind": "direct", "user_id": other.user_id})).await,
        person.post(&format!("/v1/conversations/{direct}/messages"), text()).await,
        person.post("/v1/messages", both).await,
    ]
}

async fn blocked_by(person: &Person) -> Value {
    person.get("/v1/me/blocks").await.expect(200)["user_ids"].clone()
}

fn path(other: &Person) -> String {
    format!("/v1/me/blocks/{}", other.user_id)
}

async fn seen(person: &Person, other: &Person) -> Value {
    let one = person.get(&format!("/v1/users/{}", other.user_id)).await.expect(200)["presence"].clone();
    let looked = person.post("/v1/users/lookup", json!({"user_ids": [other.user_id]})).await.expect(200);
    assert_eq!(looked["users"][0]["presence"], one);
    one
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_cannot_write_add_or_see_until_unblocked() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up_in(2, "carol").await;
    let direct = anna.direct(&ben).await;
    anna.say(&direct, "before").await;
    let shared = carol.group(&[&anna, &ben]).await;
    let (mut a, _) = anna.online().await;
    assert_eq!(seen(&ben, &anna).await["online"], true);

    for _ in 0..2 {
        anna.put(&path(&ben), json!({})).await.expect(204);
        assert_eq!(blocked_by(&anna).await, json!([ben.user_id]));
    }
    assert_eq!(blocked_by(&ben).await, json!([]), "it is told to nobody");
    anna.put(&path(&anna), json!({})).await.refused(400, "invalid");
    let nobody = UserId::new("nobody", Millis(1), 1);
    anna.put(&format!("/v1/me/blocks/{nobody}"), json!({})).await.refused(404, "not_found");
    anna.put("/v1/me/blocks/nobody", json!({})).await.refused(404, "not_found");

    // Neither can open or send; one sentence for both. What was said stays.
    let mut sentences = Vec::new();
    for (person, other) in [(&anna, &ben), (&ben, &anna)] {
        let [opened, sent, both] = writes(person, other, &direct).await;
        for reply in [opened, sent] {
            sentences.push(reply.refused(403, "not_allowed")["detail"].clone());
        }
        both.refused(403, "not_allowed");
        assert_eq!(person.texts(&direct).await, ["before"]);
        let (mut socket, _) = person.online().await;
        let id = uuid::Uuid::now_v7();
        socket
            .send(json!({"type": "send", "ref": 1, "conversation_id": direct, "client_message_id": id, "text": "?"}))
            .await;
        assert_eq!(socket.until("error").await["code"], "not_allowed");
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");

    // The blocked one cannot add the other anywhere, nor see when they are there; everybody else can.
    let refused = json!([{"user_id": anna.user_id, "code": "not_allowed"}]);
    let named = json!([anna.user_id, carol.user_id]);
    let made = ben.post("/v1/conversations", json!({"kind": "group", "user_ids": named})).await.expect(201);
    assert_eq!((&made["not_added"], &made["conversation"]["member_count"]), (&refused, &json!(2)));
    let members = format!("/v1/conversations/{}/members", made["conversation"]["conversation_id"].as_str().unwrap());
    let added = ben.post(&members, json!({"user_ids": named})).await.expect(200);
    assert_eq!(added, json!({"added": [carol.user_id], "not_added": refused}));
    let body = json!({"user_ids": named, "text": "hello", "client_message_id": uuid::Uuid::now_v7()});
    assert_eq!(ben.post("/v1/messages", body).await.expect(201)["not_added"], refused);
    assert_eq!(seen(&ben, &anna).await, json!({"online": false, "last_seen": null}));
    assert_eq!(seen(&carol, &anna).await["online"], true);
    let added = carol.post(&members, json!({"user_ids": [anna.user_id]})).await.expect(200);
    assert_eq!(added["added"], json!([anna.user_id]));
    anna.group(&[&ben]).await;

    // What they share goes on, and a member counts as added, whoever names them.
    ben.say(&shared, "to all").await;
    while a.until("messages").await["messages"][0]["text"] != "to all" {}
    let members = format!("/v1/conversations/{shared}/members");
    let added = ben.post(&members, json!({"user_ids": [anna.user_id]})).await.expect(200);
    assert_eq!(added, json!({"added": [anna.user_id], "not_added": []}));

    // Both ways: two blocks, of which one goes.
    ben.put(&path(&anna), json!({})).await.expect(204);
    for _ in 0..2 {
        anna.delete(&path(&ben)).await.expect(204);
        assert_eq!(blocked_by(&anna).await, json!([]));
    }
    for reply in writes(&anna, &ben, &direct).await {
        reply.refused(403, "not_allowed");
    }
    ben.delete(&path(&anna)).await.expect(204);
    for (person, other) in [(&anna, &ben), (&ben, &anna)] {
        for reply in writes(person, other, &direct).await {
            assert!(reply.status.is_success(), "{}", reply.body);
        }
    }
    assert_eq!(seen(&ben, &anna).await["online"], true);

    // Before anything was said: nothing is there for either.
    carol.put(&path(&anna), json!({})).await.expect(204);
    anna.post("/v1/conversations", json!({"kind": "direct", "user_id": carol.user_id}))
        .await
        .refused(403, "not_allowed");
    anna.get(&format!("/v1/conversations/{}", between(&anna, &carol))).await.refused(404, "not_found");
    carol.delete(&path(&anna)).await.expect(204);
    assert_eq!(anna.direct(&carol).await, between(&anna, &carol));
}

fn between(one: &Person, other: &Person) -> String {
    let id = |person: &Person| person.user_id.parse().unwrap();
    skep_protocol::ConversationId::direct(id(one), id(other)).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_and_its_home_come_to_agree_whatever_either_has_lost() {
    let hive = Deployment::start(2).await;
    let anna = hive.sign_up_in(1, "anna").await;
    let mut homes = [None, None];
    for number in 0..40 {
        let ben = hive.sign_up_in(2, &format!("ben{number}x")).await;
        let home = hive.owner(&between(&anna, &ben)).await;
        homes[home as usize - 1].get_or_insert(ben);
        if homes.iter().all(Option::is_some) {
            break;
        }
    }
    let uuid = |person: &Person| person.user_id.parse::<UserId>().unwrap().uuid();
    for ben in homes.into_iter().flatten() {
        let direct = anna.direct(&ben).await;
        anna.say(&direct, "hello").await;
        let (a, b) = (uuid(&anna), uuid(&ben));
        let said = |version: u32, blocked: bool| {
            format!(
                "DELETE FROM blocks WHERE user_id = '{a}' AND other_id = '{b}';
                 INSERT INTO blocks SELECT '{a}', '{b}', {version}, {blocked}, false
                 WHERE EXISTS (SELECT 1 FROM users WHERE user_id = '{a}')"
            )
        };
        let send = async || {
            let body = json!({"client_message_id": uuid::Uuid::now_v7(), "text": "?"});
            ben.post(&format!("/v1/conversations/{direct}/messages"), body).await.status.as_u16()
        };
        let becomes = async |status: u16, what: &str| {
            eventually(Duration::from_secs(60), what, async || send().await == status).await;
        };
        // The cell died after it had taken the word down.
        hive.sql(&said(1, true)).await;
        becomes(403, "what is not confirmed is told").await;
        // It was restored to before a later word, which its home has.
        for _ in 0..2 {
            anna.delete(&path(&ben)).await.expect(204);
            anna.put(&path(&ben), json!({})).await.expect(204);
        }
        anna.delete(&path(&ben)).await.expect(204);
        assert_eq!(send().await, 201);
        hive.sql(&said(2, true)).await;
        becomes(403, "an old word goes above the home's newer one").await;
        // It has lost all of it, and the person says again what they want.
        hive.sql("DELETE FROM blocks").await;
        assert_eq!(blocked_by(&anna).await, json!([]));
        assert_eq!(send().await, 403);
        anna.delete(&path(&ben)).await.expect(204);
        assert_eq!(send().await, 201);
    }
}
