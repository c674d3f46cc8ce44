//! Who was away gets everything, and nothing that is not theirs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use skep_tests::{Deployment, Person};

/// What one socket was told by its sync: conversations, and the `left` entries.
async fn sync(person: &Person, token: Option<&str>) -> (BTreeMap<String, Value>, Vec<Value>, String) {
    let mut socket = person.hello(token).await;
    let (mut conversations, mut left) = (BTreeMap::new(), Vec::new());
    loop {
        let frame = socket.next().await;
        match frame["type"].as_str().unwrap() {
            "sync" => {
                for conversation in frame["conversations"].as_array().unwrap() {
                    let id = conversation["conversation_id"].as_str().unwrap().to_owned();
                    assert!(conversations.insert(id, conversation.clone()).is_none(), "each in one page only");
                }
                left.extend(frame["left"].as_array().unwrap().clone());
            }
            "synced" => return (conversations, left, frame["sync_token"].as_str().unwrap().to_owned()),
            _ => {}
        }
    }
}

fn seqs(messages: &Value) -> Vec<u64> {
    messages.as_array().unwrap().iter().map(|m| m["seq"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_and_added_again_while_away() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let group = anna.group(&[&ben]).await;
    let members = format!("/v1/conversations/{group}/members");
    anna.say(&group, "1: seen").await;
    assert_eq!(ben.texts(&group).await.len(), 1);
    let (_, _, token) = sync(&ben, None).await;

    anna.say(&group, "2: missed").await;
    anna.delete(&format!("{members}/{}", ben.user_id)).await.expect(204);
    anna.say(&group, "3: not for ben").await;
    anna.post(&members, json!({"user_ids": [ben.user_id]})).await.expect(200);
    anna.say(&group, "4: for ben again").await;
    ben.texts(&group).await;

    let (conversations, left, _) = sync(&ben, Some(&token)).await;
    assert_eq!(left, [] as [Value; 0]);
    let back = &conversations[&group];
    assert_eq!((&back["first_seq"], &back["head_seq"], &back["read_seq"]), (&json!(4), &json!(4), &json!(3)));
    assert_eq!(seqs(&back["messages"]), [4]);
    assert_eq!(ben.texts(&group).await, ["4: for ben again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_missed_in_one_and_two_hundred_conversations() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let mut groups = Vec::new();
    for _ in 0..200 {
        groups.push(anna.group(&[&ben]).await);
    }
    let last = groups.last().unwrap();
    ben.texts(last).await;
    let (_, _, token) = sync(&ben, None).await;
    let (mut a, _) = anna.online().await;
    let text = "as long as a message often is ".repeat(20);
    for i in 0..520 {
        let id = uuid::Uuid::now_v7();
        a.send(json!({"type": "send", "ref": i, "conversation_id": groups[0], "client_message_id": id, "text": text}))
            .await;
    }
    for (i, group) in groups.iter().enumerate().skip(1) {
        let id = uuid::Uuid::now_v7();
        a.send(
            json!({"type": "send", "ref": 1000 + i, "conversation_id": group, "client_message_id": id, "text": text}),
        )
        .await;
    }
    for _ in 0..719 {
        a.until("sent").await;
    }
    ben.texts(last).await;

    let (conversations, _, _) = sync(&ben, Some(&token)).await;
    assert_eq!(conversations.len(), 200);
    assert!(groups[1..].iter().all(|group| seqs(&conversations[group]["messages"]) == [1]));
    let long = &conversations[&groups[0]];
    assert_eq!((&long["head_seq"], &long["unread"]), (&json!(520), &json!(520)));
    // The newest came with the sync, the rest by history, without a hole.
    let mut have = seqs(&long["messages"]);
    assert_eq!(have, (471..=520).collect::<Vec<_>>());
    while have[0] > 1 {
        let page = ben.get(&format!("/v1/conversations/{}/messages?before={}&limit=100", groups[0], have[0])).await;
        let mut older = seqs(&page.expect(200)["messages"]);
        assert_eq!(older.last(), Some(&(have[0] - 1)));
        older.append(&mut have);
        have = older;
    }
    assert_eq!(have, (1..=520).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_right_when_the_cache_is_emptied_or_gone() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    for i in 0..60 {
        anna.say(&direct, &i.to_string()).await;
    }
    let whole: Vec<String> = (0..60).map(|i| i.to_string()).collect();
    assert_eq!(ben.texts(&direct).await, whole);
    for cell in &hive.cells {
        cell.redis.lock().unwrap().stop();
    }
    assert_eq!(ben.texts(&direct).await, whole, "without a cache");
    assert_eq!(anna.get(&format!("/v1/users/{}", ben.user_id)).await.expect(200)["presence"]["online"], false);
    for cell in &hive.cells {
        cell.redis.lock().unwrap().start().unwrap();
    }
    assert_eq!(ben.texts(&direct).await, whole, "with an empty one");
    assert_eq!(ben.texts(&direct).await, whole, "and filled again");
}
