use serde_json::{Value, json};
use skep_tests::{Deployment, Person, Socket};

/// All pages of a sync as one, and its token.
async fn synced(socket: &mut Socket) -> (Value, String) {
    let (mut conversations, mut left, mut full) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let frame = socket.next().await;
        match frame["type"].as_str().unwrap() {
            "sync" => {
                full = frame["full"].clone();
                conversations.extend(frame["conversations"].as_array().unwrap().clone());
                left.extend(frame["left"].as_array().unwrap().clone());
            }
            "synced" => {
                let token = frame["sync_token"].as_str().unwrap().to_owned();
                return (json!({"full": full, "conversations": conversations, "left": left}), token);
            }
            "welcome" => {}
            other => panic!("{other} before synced"),
        }
    }
}

async fn back(person: &Person, token: Option<&str>) -> (Value, String) {
    let mut socket = person.hello(token).await;
    synced(&mut socket).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_returns_gets_what_is_new_and_nothing_else() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up_in(1, "carol").await;
    let (direct, group) = (anna.direct(&ben).await, anna.group(&[&ben, &carol]).await);
    anna.say(&direct, "one").await;
    anna.say(&group, "to all").await;
    assert_eq!(ben.texts(&group).await, ["to all"]);

    let (whole, token) = back(&ben, None).await;
    assert_eq!(whole["full"], true);
    assert_eq!(whole["conversations"].as_array().unwrap().len(), 2);
    let (nothing, token) = back(&ben, Some(&token)).await;
    assert_eq!(nothing, json!({"full": false, "conversations": [], "left": []}));

    for i in 0..60 {
        carol.say(&group, &format!("missed {i}")).await;
    }
    assert_eq!(ben.texts(&group).await.len(), 61);
    let (news, token) = back(&ben, Some(&token)).await;
    assert_eq!(news["conversations"].as_array().unwrap().len(), 1);
    let conversation = &news["conversations"][0];
    assert_eq!((&conversation["head_seq"], &conversation["unread"]), (&json!(61), &json!(61)));
    let messages = conversation["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 50, "the newest fifty; the rest by history");
    assert_eq!((&messages[0]["seq"], &messages[49]["seq"]), (&json!(12), &json!(61)));

    // Removed while away, and what a read mark on another device did.
    ben.put(&format!("/v1/conversations/{direct}/read"), json!({"seq": 1})).await.expect(200);
    anna.delete(&format!("/v1/conversations/{group}/members/{}", ben.user_id)).await.expect(204);
    ben.get(&format!("/v1/conversations/{group}/members")).await.refused(403, "not_allowed");
    let (news, token) = back(&ben, Some(&token)).await;
    assert_eq!(news["left"], json!([{"conversation_id": group, "first_seq": 1, "left_seq": 61, "reason": "removed"}]));
    assert_eq!(news["conversations"][0]["conversation_id"], direct.as_str());
    assert_eq!(news["conversations"][0]["unread"], 0);

    // A damaged token, or another's, is as none.
    for odd in [format!("{token}x"), "junk".to_owned(), back(&anna, None).await.1] {
        assert_eq!(back(&ben, Some(&odd)).await.0["full"], true, "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_wait_for_the_sync_and_then_continue_it() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    anna.say(&direct, "0").await;
    let writer = {
        let (anna, direct) = (anna.clone(), direct.clone());
        tokio::spawn(async move {
            for i in 1..150 {
                anna.say(&direct, &i.to_string()).await;
            }
        })
    };
    // New devices during traffic: sync and pushes together are whole and in order.
    for _ in 0..10 {
        let mut socket = ben.hello(None).await;
        let (page, _) = synced(&mut socket).await;
        let mut have: Vec<u64> = page["conversations"][0]["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["seq"].as_u64().unwrap())
            .collect();
        let last = *have.last().unwrap();
        if last > 120 {
            break;
        }
        while have.last() < Some(&(last + 10)) {
            let frame = socket.until("messages").await;
            for message in frame["messages"].as_array().unwrap() {
                let seq = message["seq"].as_u64().unwrap();
                if seq > *have.last().unwrap() {
                    assert_eq!(seq, have.last().unwrap() + 1, "no hole between sync and pushes");
                    have.push(seq);
                }
            }
        }
    }
    writer.await.unwrap();
}
