use redis::AsyncCommands;
use skep_tests::Hive;

use crate::SKEP;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_comes_back_old_changes_nothing() {
    let hive = Hive::start(SKEP, 1).await;
    let (anna, ben) = (hive.sign_up("anna").await, hive.sign_up("ben").await);
    let direct = anna.direct(&ben).await;
    let path = format!("/v1/conversations/{direct}/messages");
    let whole = async |count: usize| {
        let mut have = Vec::new();
        loop {
            let page = ben.get(&format!("{path}?after={}", have.len())).await.expect(200);
            have.extend(page["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap().to_owned()));
            if page["has_more"] == false {
                assert_eq!(have, (0..count).map(|i| i.to_string()).collect::<Vec<_>>());
                return;
            }
        }
    };
    let say = async |from: usize, to: usize| {
        for i in from..to {
            anna.say(&direct, &i.to_string()).await;
        }
    };
    say(0, 70).await;
    whole(70).await;
    let url = format!("redis+unix://{}", hive.parts().cells[0].redis.socket.display());
    let mut cache = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = cache.keys("*").await.unwrap();
    assert!(!keys.is_empty(), "a whole block is kept");
    let mut old = Vec::new();
    for key in keys {
        let copy: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut cache).await.unwrap();
        old.push((key, copy));
    }
    say(70, 140).await;
    whole(140).await;

    () = redis::cmd("FLUSHALL").query_async(&mut cache).await.unwrap();
    for (key, copy) in old {
        () = redis::cmd("RESTORE").arg(key).arg(0).arg(copy).query_async(&mut cache).await.unwrap();
    }
    let cell = hive.parts().cells[0].pid;
    hive.kill(cell);
    hive.again(|parts| parts.cells[0].pid, cell).await;
    whole(140).await;
    say(140, 160).await;
    whole(160).await;
}
