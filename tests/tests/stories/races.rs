//! Two things at once, and the same thing twice.

use hyper::Method;
use serde_json::json;
use skep_tests::{Deployment, PASSWORD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_who_open_the_same_conversation_at_once_open_one() {
    let hive = Deployment::start(2).await;
    for i in 0..5 {
        let (anna, ben) = (hive.sign_up(&format!("anna{i}")).await, hive.sign_up(&format!("ben{i}")).await);
        let (ours, theirs) = tokio::join!(anna.direct(&ben), ben.direct(&anna));
        assert_eq!(ours, theirs);
        let (mine, yours) = tokio::join!(anna.say(&ours, "hi ben"), ben.say(&ours, "hi anna"));
        let mut seqs = [mine["seq"].as_u64().unwrap(), yours["seq"].as_u64().unwrap()];
        seqs.sort_unstable();
        assert_eq!(seqs, [1, 2]);
        assert_eq!(anna.texts(&ours).await, ben.texts(&ours).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_not_hear_the_answer_asks_again_and_nothing_doubles() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    let mut ids = Vec::new();
    for round in 0..20 {
        let id = uuid::Uuid::now_v7();
        let send = json!({"type": "send", "ref": 1, "conversation_id": direct, "client_message_id": id, "text": round.to_string()});
        // The first socket is gone before it can have heard anything.
        let (mut lost, _) = anna.online().await;
        lost.send(send.clone()).await;
        drop(lost);
        let (mut again, _) = anna.online().await;
        again.send(send).await;
        let sent = again.until("sent").await;
        ids.push(sent["seq"].as_u64().unwrap());
    }
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    let texts: Vec<String> = (0..20).map(|i| i.to_string()).collect();
    assert_eq!(ben.texts(&direct).await, texts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_one_name_or_address_one_gets_it() {
    let hive = Deployment::start(2).await;
    let sign_up = async |username: &str, email: &str| {
        let body = json!({"username": username, "display_name": "x", "email": email, "password": PASSWORD});
        hive.call(Method::POST, "/v1/users", None, Some(body)).await.status.as_u16()
    };
    for (names, addresses) in [
        (["queen", "queen", "queen", "queen"], ["a@x", "b@x", "c@x", "d@x"]),
        (["maya", "willi", "flip", "thekla"], ["one@x", "one@x", "one@x", "one@x"]),
    ] {
        let mut answers: Vec<u16> = Vec::new();
        let (a, b, c, d) = tokio::join!(
            sign_up(names[0], addresses[0]),
            sign_up(names[1], addresses[1]),
            sign_up(names[2], addresses[2]),
            sign_up(names[3], addresses[3]),
        );
        answers.extend([a, b, c, d]);
        assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [201, 409, 503].contains(status)), "{answers:?}");
    }
}
