//! Clients that do not read.

use std::sync::Arc;

use serde_json::json;
use skep_tests::{Deployment, Received};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_slows_nobody_and_is_whole_in_the_end() {
    reads_nothing(&Deployment::start(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_too_who_reads_nothing_slows_nobody_and_is_whole_in_the_end() {
    reads_nothing(&Deployment::start_over_tls(1).await).await;
}

async fn reads_nothing(hive: &Arc<Deployment>) {
    let (anna, ben) = (hive.sign_up("anna").await, hive.sign_up("ben").await);
    let carol = hive.sign_up("carol").await;
    let group = anna.group(&[&ben, &carol]).await;
    let (mut slow, token) = ben.online().await;
    let (mut quick, _) = carol.online().await;
    let (mut a, _) = anna.online().await;
    // Some 16 MB: far more than any buffer between the two.
    let text = "x".repeat(8_000);
    for i in 0..2_000 {
        let id = uuid::Uuid::now_v7();
        a.send(json!({"type": "send", "ref": i, "conversation_id": group, "client_message_id": id, "text": text}))
            .await;
        a.until("sent").await;
        let mut last = 0;
        while last < i + 1 {
            let messages = quick.until("messages").await;
            last = messages["messages"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap();
        }
    }
    // The slow one reads on: what fitted, then that it missed something; after a sync it is whole.
    let mut have = 0;
    loop {
        match slow.receive().await {
            Received::Frame(frame) if frame["type"] == "resync" => break,
            Received::Frame(frame) if frame["type"] == "messages" => {
                for message in frame["messages"].as_array().unwrap() {
                    have += 1;
                    assert_eq!(message["seq"], have, "no hole before it was told");
                }
            }
            Received::Frame(_) => {}
            Received::Closed(code) => panic!("closed: {code:?}"),
        }
    }
    assert!(have < 2_000);
    slow.send(json!({"type": "sync", "sync_token": token})).await;
    let page = slow.until("sync").await;
    assert_eq!(page["conversations"][0]["head_seq"], 2_000);
    slow.until("synced").await;
    anna.say(&group, "and on").await;
    assert_eq!(slow.until("messages").await["messages"][0]["seq"], 2_001);
}
