use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use skep_children::{Durability, Postgres};
use skep_tests::{Hive, Person};

use crate::SKEP;

const PATIENCE: Duration = Duration::from_secs(60);

/// A whole folder, with its owners.
fn copy(from: &Path, to: &Path) {
    _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

async fn finds(asker: &Person, query: &str, username: &str) -> bool {
    let page = asker.get(&format!("/v1/users?query={query}")).await.body;
    page["users"].as_array().is_some_and(|users| users.iter().any(|user| user["username"] == username))
}

async fn group_in_cell_1(hive: &Hive, anna: &Person, ben: &Person) -> String {
    loop {
        let group = anna.group(&[ben]).await;
        if hive.owner(&group).await == 1 {
            return group;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restored_cell_has_lost_is_set_aside_by_the_others() {
    let mut hive = Hive::start(SKEP, 2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let (kept, gone) = (group_in_cell_1(&hive, &anna, &ben).await, group_in_cell_1(&hive, &anna, &ben).await);
    for text in ["1", "2", "3"] {
        anna.say(&kept, text).await;
    }
    assert_eq!(ben.texts(&kept).await.len(), 3);
    hive.stop().await;
    let (data, backup) = (hive.data.join("cell-1/postgres"), hive.data.join("backup"));
    copy(&data, &backup);

    hive.up().await;
    let lost = group_in_cell_1(&hive, &anna, &ben).await;
    for text in ["4: lost", "5: lost"] {
        anna.say(&kept, text).await;
    }
    anna.say(&lost, "lost with its group").await;
    anna.patch(&format!("/v1/conversations/{gone}"), json!({"title": "a lost title"})).await.expect(200);
    assert_eq!(ben.texts(&kept).await.len(), 5);
    assert_eq!(ben.texts(&lost).await.len(), 1);
    let (ghost, late) = (hive.sign_up_in(1, "ghost").await, hive.sign_up_in(2, "late").await);
    skep_tests::eventually(PATIENCE, "those who are new are found", async || {
        finds(&ben, "ghos", &ghost.username).await && finds(&ben, "late", &late.username).await
    })
    .await;
    let (_, token) = ben.online().await;
    hive.stop().await;

    // The older copy is put back, and that is noted.
    copy(&backup, &data);
    let mut postgres = Postgres::open(&data, Durability::Durable).unwrap();
    let config = hive.data.join("cell-1/config.toml");
    let noted = Command::new(SKEP).args(["cell", "--restored", "--config"]).arg(config).output().unwrap();
    assert!(noted.status.success(), "{}", String::from_utf8_lossy(&noted.stderr));
    postgres.stop();
    hive.up().await;

    // The others come to the same, and everything goes on from there. Until then their cell may be away for a moment.
    let reads = async |path: String| {
        let reply = ben.get(&path).await;
        (reply.status.as_u16(), reply.body)
    };
    skep_tests::eventually(PATIENCE, "what was lost is set aside, an older row counts", async || {
        let (_, kept) = reads(format!("/v1/conversations/{kept}/messages")).await;
        let (lost, _) = reads(format!("/v1/conversations/{lost}")).await;
        let (found, gone) = reads(format!("/v1/conversations/{gone}")).await;
        kept["messages"].as_array().is_some_and(|messages| messages.len() == 3)
            && (lost, found) == (404, 200)
            && gone["title"].is_null()
    })
    .await;
    assert_eq!(anna.texts(&kept).await, ["1", "2", "3"]);
    assert_eq!(anna.say(&kept, "4: anew").await["seq"], 4);
    skep_tests::eventually(PATIENCE, "the mirror goes on", async || {
        let (_, page) = reads(format!("/v1/conversations/{kept}/messages")).await;
        page["messages"].as_array().is_some_and(|m| m.len() == 4 && m[3]["text"] == "4: anew")
    })
    .await;
    let mut socket = ben.hello(Some(&token)).await;
    let page = socket.until("sync").await;
    assert_eq!(page["full"], true, "a token from before means nothing");
    assert_eq!(
        page["conversations"].as_array().unwrap().len(),
        ben.get("/v1/conversations?limit=100").await.expect(200)["conversations"].as_array().unwrap().len()
    );
    let (mut b, _) = ben.online().await;
    anna.say(&kept, "5: live").await;
    assert_eq!(b.until("messages").await["messages"][0]["seq"], 5);
    // Nobody finds who was lost, and whom the restored cell has lost as an entry is found again.
    skep_tests::eventually(PATIENCE, "search follows", async || {
        !finds(&ben, "ghos", &ghost.username).await
            && finds(&ben, "late", &late.username).await
            && finds(&anna, &format!("hive%20{}", late.username), &late.username).await
    })
    .await;
    // The other way round nothing was touched.
    assert_eq!(ben.direct(&anna).await, anna.direct(&ben).await);
}
