use serde_json::json;
use skep_tests::Deployment;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_message_travels_between_cells() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let (mut a, _) = anna.online().await;
    let (mut b, _) = ben.online().await;
    let direct = anna.direct(&ben).await;
    assert_eq!(a.until("conversation").await["conversation"]["conversation_id"], direct.as_str());

    let id = uuid::Uuid::now_v7();
    let send = json!({"type": "send", "ref": 1, "conversation_id": direct, "client_message_id": id, "text": "hello"});
    a.send(send.clone()).await;
    let sent = a.until("sent").await;
    assert_eq!((&sent["ref"], &sent["seq"]), (&json!(1), &json!(1)));
    let shown = b.until("conversation").await;
    assert_eq!(shown["conversation"]["peer_id"], anna.user_id.as_str());
    let pushed = b.until("messages").await;
    assert_eq!(pushed["messages"][0]["text"], "hello");
    assert_eq!(pushed["messages"][0]["seq"], 1);

    // A repeat is the same message.
    a.send(send).await;
    assert_eq!(a.until("sent").await["seq"], 1);
    assert_eq!(anna.texts(&direct).await, ["hello"]);
    assert_eq!(ben.texts(&direct).await, ["hello"]);

    // And back, over HTTP.
    assert_eq!(ben.say(&direct, "hello yourself").await["seq"], 2);
    assert_eq!(a.until("messages").await["messages"][0]["text"], "hello yourself");
}
