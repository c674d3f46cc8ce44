use serde_json::{Value, json};
use skep_tests::Deployment;

fn seqs(page: &Value) -> Vec<u64> {
    page["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_read_in_pages_from_either_end() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    for i in 1..=120 {
        anna.say(&direct, &format!("message {i}")).await;
    }
    let messages = format!("/v1/conversations/{direct}/messages");
    // Twice: the second time whole blocks come from the cache.
    for _ in 0..2 {
        for person in [&anna, &ben] {
            let get = async |query: &str| person.get(&format!("{messages}{query}")).await.expect(200);
            let newest = get("").await;
            assert_eq!(seqs(&newest), (71..=120).collect::<Vec<_>>());
            assert_eq!(newest["has_more"], true);
            assert_eq!(newest["messages"][49]["text"], "message 120");
            let before = get("?before=71&limit=100").await;
            assert_eq!((seqs(&before), &before["has_more"]), ((1..=70).collect(), &json!(false)));
            let after = get("?after=0&limit=7").await;
            assert_eq!((seqs(&after), &after["has_more"]), ((1..=7).collect(), &json!(true)));
            let last = get("?after=110").await;
            assert_eq!((seqs(&last), &last["has_more"]), ((111..=120).collect(), &json!(false)));
            for beyond in ["?after=120", "?after=5000", "?after=18446744073709551615", "?before=1", "?before=0"] {
                assert_eq!(get(beyond).await, json!({"messages": [], "has_more": false}), "{beyond}");
            }
            for large in ["?limit=1000", "?limit=99999999999999999999"] {
                assert_eq!(seqs(&get(large).await).len(), 100);
            }
            for wrong in ["?limit=0", "?limit=x", "?before=x", "?after=-1", "?before=5&after=1"] {
                person.get(&format!("{messages}{wrong}")).await.refused(400, "invalid");
            }
        }
    }
    // The same over the socket.
    let (mut socket, _) = ben.online().await;
    socket.send(json!({"type": "history", "ref": 9, "conversation_id": direct, "before": 4})).await;
    let page = socket.until("history").await;
    assert_eq!((seqs(&page), &page["has_more"], &page["ref"]), (vec![1, 2, 3], &json!(false), &json!(9)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_never_grows_beyond_a_frame() {
    let hive = Deployment::start(1).await;
    let (anna, ben) = (hive.sign_up("anna").await, hive.sign_up("ben").await);
    let direct = anna.direct(&ben).await;
    let long = "\u{1f41d}".repeat(10_000);
    for _ in 0..10 {
        anna.say(&direct, &long).await;
    }
    let page = ben.get(&format!("/v1/conversations/{direct}/messages")).await.expect(200);
    assert_eq!(page["has_more"], true);
    assert_eq!(seqs(&page).last(), Some(&10));
    assert!(page.to_string().len() <= 256 * 1024);
    assert_eq!(page["messages"][0]["text"], long.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_marks_go_forward_and_reach_all_own_devices() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    for text in ["one", "two", "three"] {
        anna.say(&direct, text).await;
    }
    assert_eq!(ben.texts(&direct).await.len(), 3);
    let (mut phone, _) = ben.online().await;
    let (mut desk, _) = ben.online().await;
    let read = format!("/v1/conversations/{direct}/read");
    assert_eq!(ben.put(&read, json!({"seq": 2})).await.expect(200), json!({"read_seq": 2, "unread": 1}));
    for socket in [&mut phone, &mut desk] {
        let frame = socket.until("read").await;
        assert_eq!((&frame["read_seq"], &frame["unread"]), (&json!(2), &json!(1)));
    }
    assert_eq!(ben.put(&read, json!({"seq": 1})).await.expect(200), json!({"read_seq": 2, "unread": 1}));
    phone.send(json!({"type": "read", "ref": 3, "conversation_id": direct, "seq": 99})).await;
    let answer = phone.until("read").await;
    assert_eq!((&answer["ref"], &answer["read_seq"], &answer["unread"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(desk.until("read").await["read_seq"], 3);
    // Of what one was never in there is nothing, wherever its home is.
    for _ in 0..6 {
        let group = anna.group(&[]).await;
        ben.put(&format!("/v1/conversations/{group}/read"), json!({"seq": 1})).await.refused(404, "not_found");
    }
    // One's own message is read.
    anna.say(&direct, "four").await;
    let conversation = anna.get(&format!("/v1/conversations/{direct}")).await.expect(200);
    assert_eq!((&conversation["read_seq"], &conversation["unread"]), (&json!(4), &json!(0)));
}
