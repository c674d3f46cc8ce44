use hyper::Method;
use serde_json::{Value, json};
use skep_tests::{Deployment, Person};

fn ids(reply: &Value) -> Vec<&str> {
    reply["members"].as_array().unwrap().iter().map(|m| m["user_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_go_and_return_to_a_group() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up_in(2, "carol").await;
    let group = anna.group(&[&ben]).await;
    let members = format!("/v1/conversations/{group}/members");
    anna.say(&group, "before carol").await;
    carol.get(&members).await.refused(404, "not_found");

    // Anybody may add; what was said before is not for the new one.
    let (mut c, _) = carol.online().await;
    let added = ben.post(&members, json!({"user_ids": [carol.user_id, anna.user_id]})).await.expect(200);
    assert_eq!(added, json!({"added": [carol.user_id, anna.user_id], "not_added": []}));
    let shown = c.until("conversation").await;
    assert_eq!((&shown["conversation"]["first_seq"], &shown["conversation"]["read_seq"]), (&json!(2), &json!(1)));
    anna.say(&group, "to carol").await;
    assert_eq!(c.until("messages").await["messages"][0]["seq"], 2);
    assert_eq!(carol.texts(&group).await, ["to carol"]);
    let all = carol.get(&members).await.expect(200);
    assert_eq!(ids(&all)[2], carol.user_id, "by joining");
    assert_eq!(ids(&all).len(), 3);
    let page = carol.get(&format!("{members}?limit=2")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&carol.get(&format!("{members}?cursor={cursor}")).await.expect(200)), [&carol.user_id]);

    // Removed: what is said then is not for them, what was said before still is.
    let carols = format!("{members}/{}", carol.user_id);
    ben.delete(&carols).await.refused(403, "not_allowed");
    anna.delete(&carols).await.expect(204);
    anna.delete(&carols).await.expect(204);
    let left = c.until("left").await;
    assert_eq!((&left["reason"], &left["left_seq"]), (&json!("removed"), &json!(2)));
    anna.say(&group, "not for carol").await;
    assert_eq!(carol.texts(&group).await, ["to carol"]);
    carol.get(&members).await.refused(403, "not_allowed");
    let send = json!({"client_message_id": uuid::Uuid::now_v7(), "text": "me?"});
    carol.post(&format!("/v1/conversations/{group}/messages"), send).await.refused(403, "not_allowed");
    assert_eq!(carol.get("/v1/conversations").await.expect(200)["conversations"], json!([]));

    // Only an admin adds again, and it starts anew.
    let refused = ben.post(&members, json!({"user_ids": [carol.user_id]})).await.expect(200);
    assert_eq!(refused["not_added"], json!([{"user_id": carol.user_id, "code": "removed"}]));
    anna.post(&members, json!({"user_ids": [carol.user_id]})).await.expect(200);
    assert_eq!(c.until("conversation").await["conversation"]["first_seq"], 4);
    anna.say(&group, "welcome back").await;
    assert_eq!(c.until("messages").await["messages"][0]["text"], "welcome back");
    assert_eq!(carol.texts(&group).await, ["welcome back"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_admin_hands_over() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up_in(1, "carol").await;
    let group = anna.group(&[&ben, &carol]).await;
    let members = format!("/v1/conversations/{group}/members");
    let role =
        async |person: &Person| person.get(&format!("/v1/conversations/{group}")).await.expect(200)["role"].clone();
    anna.patch(&format!("{members}/{}", anna.user_id), json!({"role": "member"})).await.refused(409, "conflict");
    anna.patch(&format!("{members}/{}", ben.user_id), json!({"role": "queen"})).await.refused(400, "invalid");
    ben.patch(&format!("{members}/{}", ben.user_id), json!({"role": "admin"})).await.refused(403, "not_allowed");
    anna.patch(&format!("{members}/{}", carol.user_id), json!({"role": "admin"})).await.expect(204);
    assert_eq!(role(&carol).await, "admin");
    carol.patch(&format!("{members}/{}", carol.user_id), json!({"role": "member"})).await.expect(204);
    let (mut b, _) = ben.online().await;
    anna.delete(&format!("{members}/me")).await.expect(204);
    anna.delete(&format!("{members}/me")).await.expect(204);
    while b.until("conversation").await["conversation"]["role"] != "admin" {}
    assert_eq!(role(&ben).await, "admin", "the longest-standing member");
    assert_eq!(role(&carol).await, "member");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_join_channels_by_link() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let made = anna.post("/v1/conversations", json!({"kind": "channel", "title": "honey"})).await.expect(201);
    let channel = made["conversation"]["conversation_id"].as_str().unwrap();
    let code = made["link"]["code"].as_str().unwrap();
    anna.say(channel, "before ben").await;
    let joined = ben.post(&format!("/v1/links/{code}/join"), json!({})).await.expect(200);
    assert_eq!((&joined["first_seq"], &joined["read_seq"], &joined["unread"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(ben.texts(channel).await, ["before ben"], "a channel's history is for all");
    ben.post(&format!("/v1/links/{code}/join"), json!({})).await.expect(200);
    assert_eq!(ben.get(&format!("/v1/conversations/{channel}/link")).await.expect(200)["code"], code);
    ben.post(&format!("/v1/conversations/{channel}/link"), json!({})).await.refused(403, "not_allowed");
    let renewed = anna.post(&format!("/v1/conversations/{channel}/link"), json!({})).await.expect(200);
    assert_ne!(renewed["code"], code);
    for dead in [code, "none", "00000000000000000000000A"] {
        hive.call(Method::GET, &format!("/v1/links/{dead}"), None, None).await.refused(404, "not_found");
        ben.post(&format!("/v1/links/{dead}/join"), json!({})).await.refused(404, "not_found");
    }
    let code = renewed["code"].as_str().unwrap();
    let bens = format!("/v1/conversations/{channel}/members/{}", ben.user_id);
    anna.delete(&bens).await.expect(204);
    ben.post(&format!("/v1/links/{code}/join"), json!({})).await.refused(403, "not_allowed");
    // All have left: gone, its link too.
    anna.delete(&format!("/v1/conversations/{channel}/members/me")).await.expect(204);
    hive.call(Method::GET, &format!("/v1/links/{code}"), None, None).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_in_what_one_was_never_in_find_nothing_wherever_it_is_homed() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up_in(1, "carol").await;
    let (mut a, _) = anna.online().await;
    let (mut homes, mut reference) = (std::collections::BTreeSet::new(), 0);
    while homes.len() < 2 {
        let group = ben.group(&[&carol]).await;
        let members = format!("/v1/conversations/{group}/members");
        if !homes.insert(hive.owner(&group).await) {
            continue;
        }
        for (code, status) in [("not_found", 404), ("not_allowed", 403)] {
            reference += 1;
            a.send(json!({"type": "read", "ref": reference, "conversation_id": group, "seq": 1})).await;
            let error = a.until("error").await;
            assert_eq!((&error["code"], &error["ref"]), (&json!(code), &json!(reference)));
            anna.put(&format!("/v1/conversations/{group}/read"), json!({"seq": 1})).await.refused(status, code);
            ben.post(&members, json!({"user_ids": [anna.user_id]})).await.expect(200);
            ben.delete(&format!("{members}/{}", anna.user_id)).await.expect(204);
        }
    }
    // Of a direct conversation that is none of one's own.
    let mut homes = std::collections::BTreeSet::new();
    for i in 0..40 {
        let dora = hive.sign_up(&format!("dora{i}")).await;
        let direct = dora.direct(&ben).await;
        homes.insert(hive.owner(&direct).await);
        carol.delete(&format!("/v1/conversations/{direct}/members/me")).await.refused(404, "not_found");
        if homes.len() == 2 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_is_right_after_any_order_of_reads_joins_and_leaves() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    for kind in ["group", "channel"] {
        let mut homes = std::collections::BTreeSet::new();
        while homes.len() < 2 {
            let body = json!({"kind": kind, "title": "counted", "user_ids": [ben.user_id]});
            let made = anna.post("/v1/conversations", body).await.expect(201);
            let id = made["conversation"]["conversation_id"].as_str().unwrap().to_owned();
            if !homes.insert(hive.owner(&id).await) {
                continue;
            }
            let path = format!("/v1/conversations/{id}");
            let bens = format!("{path}/members/{}", ben.user_id);
            let stands = async |head: u64, read: u64| {
                skep_tests::eventually(std::time::Duration::from_secs(10), "ben's cell has it", async || {
                    // Who was added again by another is let in when their cell has heard of it.
                    let one = ben.get(&path).await;
                    one.status == 200 && one.body["head_seq"] == head
                })
                .await;
                let one = ben.get(&path).await.expect(200);
                assert_eq!((&one["read_seq"], &one["unread"]), (&json!(read), &json!(head - read)), "{kind}");
                let listed = ben.get("/v1/conversations").await.expect(200);
                assert_eq!(listed["conversations"][0]["unread"], one["unread"]);
                let mut socket = ben.hello(None).await;
                let synced = socket.until("sync").await["conversations"].as_array().unwrap().clone();
                let synced = synced.into_iter().find(|c| c["conversation_id"] == id.as_str()).unwrap();
                assert_eq!((&synced["read_seq"], &synced["unread"]), (&one["read_seq"], &one["unread"]));
            };
            let read = async |seq: u64| ben.put(&format!("{path}/read"), json!({"seq": seq})).await;
            anna.say(&id, "1").await;
            anna.say(&id, "2").await;
            stands(2, 0).await;
            assert_eq!(read(1).await.expect(200), json!({"read_seq": 1, "unread": 1}));
            assert_eq!(read(0).await.expect(200), json!({"read_seq": 1, "unread": 1}), "never back");
            stands(2, 1).await;
            ben.say(&id, "3").await;
            stands(3, 3).await;
            anna.say(&id, "4").await;
            stands(4, 3).await;
            assert_eq!(read(1_000_000).await.expect(200), json!({"read_seq": 4, "unread": 0}), "at most the head");
            anna.say(&id, "5").await;
            ben.delete(&format!("{path}/members/me")).await.expect(204);
            anna.say(&id, "6").await;
            read(6).await.refused(403, "not_allowed");
            let added = anna.post(&format!("{path}/members"), json!({"user_ids": [ben.user_id]})).await.expect(200);
            assert_eq!(added["added"], json!([ben.user_id]));
            stands(6, 6).await;
            anna.say(&id, "7").await;
            stands(7, 6).await;
            anna.delete(&bens).await.expect(204);
            anna.post(&format!("{path}/members"), json!({"user_ids": [ben.user_id]})).await.expect(200);
            stands(7, 7).await;
        }
    }
}
