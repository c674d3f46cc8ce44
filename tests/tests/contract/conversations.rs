use hyper::Method;
use serde_json::{Value, json};
use skep_protocol::{Millis, UserId};
use skep_tests::Deployment;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_of_the_three_kinds_are_made_listed_and_changed() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);

    // A direct one: the same from both sides, seen by the other from its first message on.
    let direct = anna.direct(&ben).await;
    let again = anna.post("/v1/conversations", json!({"kind": "direct", "user_id": ben.user_id})).await.expect(200);
    assert_eq!(again["conversation"]["conversation_id"], direct.as_str());
    ben.get(&format!("/v1/conversations/{direct}")).await.refused(404, "not_found");
    anna.say(&direct, "hi").await;
    assert_eq!(ben.texts(&direct).await, ["hi"]);
    let conversation = ben.get(&format!("/v1/conversations/{direct}")).await.expect(200);
    assert_eq!(conversation["peer_id"], anna.user_id.as_str());
    assert_eq!((&conversation["head_seq"], &conversation["unread"]), (&json!(1), &json!(1)));
    for (method, path, body) in [
        (Method::PATCH, format!("/v1/conversations/{direct}"), Some(json!({"title": "no"}))),
        (Method::POST, format!("/v1/conversations/{direct}/members"), Some(json!({"user_ids": []}))),
        (Method::GET, format!("/v1/conversations/{direct}/link"), None),
        (Method::POST, format!("/v1/conversations/{direct}/link"), None),
    ] {
        anna.call(method, &path, body).await.refused(400, "invalid");
    }
    let oneself = anna.post("/v1/conversations", json!({"kind": "direct", "user_id": anna.user_id})).await;
    oneself.refused(400, "invalid");

    // A group: read from its making on.
    let body = json!({"kind": "group", "user_ids": [ben.user_id, ben.user_id, anna.user_id]});
    let made = anna.post("/v1/conversations", body).await.expect(201);
    let group = made["conversation"].clone();
    assert_eq!((&group["role"], &group["member_count"]), (&json!("admin"), &json!(2)));
    assert_eq!(group["heroes"], json!([ben.user_id]));
    assert_eq!(group["title"], Value::Null);
    assert_eq!(made["link"], Value::Null);
    let path = format!("/v1/conversations/{}", group["conversation_id"].as_str().unwrap());
    ben.patch(&path, json!({"title": "mine"})).await.refused(403, "not_allowed");
    let renamed = anna.patch(&path, json!({"title": "bees"})).await.expect(200);
    assert_eq!((&renamed["title"], &renamed["heroes"]), (&json!("bees"), &json!([])));
    assert_eq!(anna.patch(&path, json!({})).await.expect(200)["title"], "bees");
    anna.patch(&path, json!({"title": ""})).await.refused(400, "invalid");
    assert_eq!(anna.patch(&path, json!({"title": null})).await.expect(200)["title"], Value::Null);

    // A channel: with a link.
    anna.post("/v1/conversations", json!({"kind": "channel"})).await.refused(400, "invalid");
    let body = json!({"kind": "channel", "title": "honey", "topic": "all of it"});
    let made = anna.post("/v1/conversations", body).await.expect(201);
    let code = made["link"]["code"].as_str().unwrap();
    assert_eq!(made["link"]["url"], format!("http://chat.test/c/{code}"));
    let preview = hive.call(Method::GET, &format!("/v1/links/{code}"), None, None).await.expect(200);
    assert_eq!((&preview["title"], &preview["member_count"]), (&json!("honey"), &json!(1)));

    // Most recently active first, page by page.
    anna.say(&direct, "me again").await;
    let listed = anna.get("/v1/conversations").await.expect(200);
    assert_eq!(listed["conversations"].as_array().unwrap().len(), 3);
    assert_eq!(listed["conversations"][0]["conversation_id"], direct.as_str());
    assert_eq!(listed["conversations"][0]["last_message"]["text"], "me again");
    assert_eq!(listed["next_cursor"], Value::Null);
    let (mut ids, mut path) = (Vec::new(), "/v1/conversations?limit=2".to_owned());
    loop {
        let page = anna.get(&path).await.expect(200);
        ids.extend(page["conversations"].as_array().unwrap().iter().map(|c| c["conversation_id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=2&cursor={cursor}");
    }
    let whole: Vec<Value> =
        listed["conversations"].as_array().unwrap().iter().map(|c| c["conversation_id"].clone()).collect();
    assert_eq!(ids, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_conversation() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    for _ in 0..3 {
        let key = uuid::Uuid::now_v7().to_string();
        let body = json!({"kind": "group", "title": "one", "user_ids": [ben.user_id]});
        let first = anna.with_key(&key).post("/v1/conversations", body.clone()).await.expect(201);
        let again = anna.with_key(&key).post("/v1/conversations", body.clone()).await.expect(200);
        assert_eq!(first["conversation"], again["conversation"]);
        let path = format!("/v1/conversations/{}", first["conversation"]["conversation_id"].as_str().unwrap());
        anna.patch(&path, json!({"title": "renamed"})).await.expect(200);
        let later = anna.with_key(&key).post("/v1/conversations", body.clone()).await.expect(200);
        assert_eq!(later["conversation"]["title"], "renamed", "as it is now");
        // Another's key is another conversation.
        let bens = ben.with_key(&key).post("/v1/conversations", body).await.expect(201);
        assert_ne!(bens["conversation"]["conversation_id"], first["conversation"]["conversation_id"]);
    }
    anna.with_key("not visible")
        .post("/v1/conversations", json!({"kind": "group", "user_ids": []}))
        .await
        .refused(400, "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_opens_and_sends_and_can_be_repeated() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up("carol").await;
    for users in [json!([ben.user_id]), json!([ben.user_id, carol.user_id])] {
        let body = json!({"user_ids": users, "text": "hello", "client_message_id": uuid::Uuid::now_v7()});
        let first = anna.post("/v1/messages", body.clone()).await.expect(201);
        let again = anna.post("/v1/messages", body).await.expect(200);
        assert_eq!(first["message"], again["message"]);
        assert_eq!(first["conversation"]["conversation_id"], again["conversation"]["conversation_id"]);
        let id = first["conversation"]["conversation_id"].as_str().unwrap();
        assert_eq!(ben.texts(id).await, ["hello"]);
    }
    let body = json!({"user_ids": [], "text": "hello", "client_message_id": uuid::Uuid::now_v7()});
    anna.post("/v1/messages", body).await.refused(400, "invalid");
    let nobody = |i| UserId::new("nobody", Millis(1), i).to_string();
    for users in [json!([nobody(1)]), json!([nobody(1), nobody(2)])] {
        let body = json!({"user_ids": users, "text": "hello", "client_message_id": uuid::Uuid::now_v7()});
        anna.post("/v1/messages", body).await.refused(403, "not_allowed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_direct_conversation_comes_back_with_its_next_message() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    anna.say(&direct, "one").await;
    let (mut a, _) = anna.online().await;
    anna.delete(&format!("/v1/conversations/{direct}/members/me")).await.expect(204);
    assert_eq!(a.until("left").await["reason"], "hidden");
    assert_eq!(anna.get("/v1/conversations").await.expect(200)["conversations"], json!([]));
    assert_eq!(anna.texts(&direct).await, ["one"], "history stays");
    ben.say(&direct, "two").await;
    assert_eq!(a.until("conversation").await["conversation"]["conversation_id"], direct.as_str());
    assert_eq!(a.until("messages").await["messages"][0]["text"], "two");
    assert_eq!(anna.get("/v1/conversations").await.expect(200)["conversations"].as_array().unwrap().len(), 1);
    // Hidden again, and opened again.
    anna.delete(&format!("/v1/conversations/{direct}/members/me")).await.expect(204);
    anna.direct(&ben).await;
    assert_eq!(anna.get("/v1/conversations").await.expect(200)["conversations"].as_array().unwrap().len(), 1);
}
