//! Ways between cells that are cut.

use std::time::Duration;

use serde_json::json;
use skep_tests::{Deployment, Door, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    // Both ways round: one homed in each cell, if need be several tries.
    let groups = [anna.group(&[&ben]).await, ben.group(&[&anna]).await, anna.direct(&ben).await];
    let (mut a, _) = anna.online().await;
    let (mut b, _) = ben.online().await;
    let mut refs = 0;
    for round in 0..30 {
        for group in &groups {
            let id = uuid::Uuid::now_v7();
            a.send(
                json!({"type": "send", "ref": refs, "conversation_id": group, "client_message_id": id, "text": "x"}),
            )
            .await;
            refs += 1;
        }
        if round % 3 == 0 {
            hive.cells.iter().for_each(|cell| cell.relay.cut());
        }
        for _ in &groups {
            let sent = a.until("sent").await;
            assert_eq!(sent["seq"], round + 1);
        }
    }
    // Everything arrives at the other side once, in order.
    let mut have = std::collections::BTreeMap::new();
    while have.values().sum::<u64>() < 90 {
        for message in b.until("messages").await["messages"].as_array().unwrap() {
            let id = message["conversation_id"].as_str().unwrap().to_owned();
            let last = have.entry(id).or_insert(0);
            assert_eq!(message["seq"], *last + 1);
            *last += 1;
        }
    }
    for group in &groups {
        assert_eq!(ben.texts(group).await.len(), 30);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_cannot_be_reached_takes_only_its_own_away() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let near = hive.sign_up_in(1, "near").await;
    let local = anna.direct(&near).await;
    let mut far = None;
    for _ in 0..50 {
        let group = ben.group(&[&anna]).await;
        anna.texts(&group).await;
        ben.say(&group, "hello").await;
        // Homed in ben's cell: its way is cut below.
        if hive.owner(&group).await == 2 {
            far = Some(group);
            break;
        }
    }
    let far = far.expect("one of fifty groups is homed in cell 2");
    eventually(Duration::from_secs(10), "the mirror has it", async || anna.texts(&far).await == ["hello"]).await;

    hive.cells[1].relay.close();
    let (mut a, _) = anna.online().await;
    let send = |group: &str, text: &str| {
        let id = uuid::Uuid::now_v7();
        json!({"type": "send", "ref": 1, "conversation_id": group, "client_message_id": id, "text": text})
    };
    a.send(send(&local, "as ever")).await;
    a.until("sent").await;
    assert_eq!(anna.texts(&far).await, ["hello"], "history is served by the own shard");
    let lost = send(&far, "into the dark");
    a.send(lost.clone()).await;
    assert_eq!(a.until("error").await["code"], "unavailable");

    hive.cells[1].relay.open();
    eventually(Duration::from_secs(20), "sent with the same id", async || {
        a.send(lost.clone()).await;
        loop {
            let frame = a.next().await;
            match frame["type"].as_str().unwrap() {
                "sent" => return true,
                "error" => return false,
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(ben.texts(&far).await, ["hello", "into the dark"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_was_away_longer_than_the_ring_reaches_back_is_replayed() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let mut group = ben.group(&[&anna]).await;
    while hive.owner(&group).await != 2 {
        group = ben.group(&[&anna]).await;
    }
    anna.texts(&group).await;
    let (_, token) = anna.online().await;
    let home = Door::new(hive.cells[1].admin_url.clone());
    let before = home.counter("skep_replays_total").await;

    // More than the 64 MiB that are kept for a peer that is away.
    hive.cells[1].relay.close();
    let (mut b, _) = ben.online().await;
    let text = "\u{1f41d}".repeat(10_000);
    let count = 1_800;
    for i in 0..count {
        let id = uuid::Uuid::now_v7();
        b.send(json!({"type": "send", "ref": i, "conversation_id": group, "client_message_id": id, "text": text}))
            .await;
        b.until("sent").await;
    }
    hive.cells[1].relay.open();
    let head = async || anna.get(&format!("/v1/conversations/{group}")).await.expect(200)["head_seq"].clone();
    eventually(Duration::from_secs(60), "the mirror has caught up", async || head().await == count).await;
    assert!(home.counter("skep_replays_total").await > before);

    let mut have = 0;
    loop {
        let page = anna.get(&format!("/v1/conversations/{group}/messages?after={have}&limit=100")).await.expect(200);
        for message in page["messages"].as_array().unwrap() {
            have += 1;
            assert_eq!(message["seq"], have);
            assert_eq!(message["text"], text.as_str());
        }
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(have, count);
    let mut back = anna.hello(Some(&token)).await;
    let page = back.until("sync").await;
    assert_eq!((&page["full"], &page["conversations"][0]["head_seq"]), (&json!(false), &json!(count)));
}
