use serde_json::json;
use skep_tests::Hive;

use crate::{SKEP, load::Load};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_part_is_killed_under_load_and_nothing_is_lost() {
    let mut hive = Hive::start(SKEP, 3).await;
    let load = Load::begin(&hive).await;

    // Those that are on nobody's path.
    let parts = hive.parts();
    hive.kill(parts.directory.pid);
    hive.kill(parts.cells[0].redis.pid);
    load.flows(&hive).await;
    hive.again(|parts| parts.directory.pid, parts.directory.pid).await;

    let router = parts.router.pid;
    hive.kill(router);
    hive.again(|parts| parts.router.pid, router).await;
    load.flows(&hive).await;

    let cell = hive.parts().cells[0].pid;
    hive.kill(cell);
    hive.again(|parts| parts.cells[0].pid, cell).await;
    load.flows(&hive).await;

    let postgres = hive.parts().cells[1].postgres.pid;
    hive.kill(postgres);
    hive.again(|parts| parts.cells[1].postgres.pid, postgres).await;
    load.flows(&hive).await;

    // Killed again while it recovers, and its database with it.
    let first = hive.parts().cells[2].pid;
    hive.kill(first);
    hive.again(|parts| parts.cells[2].pid, first).await;
    let second = hive.parts();
    hive.kill(second.cells[2].pid);
    hive.kill(second.cells[2].postgres.pid);
    hive.again(|parts| parts.cells[2].pid, second.cells[2].pid).await;
    load.flows(&hive).await;

    let report = load.audited().await;
    assert!(report.counts.reconnects > 0, "somebody felt it");
    assert_eq!(hive.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_skep_up_leaves_is_taken_over_by_the_next() {
    let mut hive = Hive::start(SKEP, 2).await;
    let load = Load::begin(&hive).await;
    let before = hive.parts();
    hive.kill_up();
    hive.up().await;
    assert_ne!(hive.parts().cells[0].pid, before.cells[0].pid);
    load.flows(&hive).await;
    load.audited().await;
    assert_eq!(hive.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_killed_cell_does_not_concern_sees_nothing_of_it() {
    let hive = Hive::start(SKEP, 3).await;
    let (anna, ben) = (hive.sign_up_in(2, "anna").await, hive.sign_up_in(2, "ben").await);
    let carol = hive.sign_up_in(3, "carol").await;
    // Within a cell, and from cell to cell: none of it by way of the first one.
    let talks = [ben.direct(&anna).await, carol.direct(&anna).await];
    let (mut a, _) = anna.online().await;
    let (mut b, _) = ben.online().await;
    let (mut c, _) = carol.online().await;
    let pid = hive.parts().cells[0].pid;
    for i in 0..400 {
        if i == 50 {
            hive.kill(pid);
        }
        for (socket, talk) in [(&mut b, &talks[0]), (&mut c, &talks[1])] {
            let id = uuid::Uuid::now_v7();
            socket
                .send(
                    json!({"type": "send", "ref": i, "conversation_id": talk, "client_message_id": id, "text": "hum"}),
                )
                .await;
            loop {
                let frame = socket.next().await;
                assert_ne!(frame["type"], "error", "{frame}");
                if frame["type"] == "sent" {
                    break;
                }
            }
        }
    }
    hive.again(|parts| parts.cells[0].pid, pid).await;
    let mut heard = 0;
    while heard < 800 {
        heard += a.until("messages").await["messages"].as_array().unwrap().len();
    }
}
