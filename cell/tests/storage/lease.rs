use std::time::Duration;

use skep_cell::storage::{LeaseState, Shard, StorageError};
use skep_core::Commit;
use skep_protocol::Pos;

use crate::fixture::*;
use crate::proxy::Proxy;

#[tokio::test]
async fn a_closed_shard_is_opened_again_where_it_stood() {
    let world = World::new().await;
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    drop(lane);
    assert_eq!(world.opening.positions, [Pos(0), Pos(0), Pos(0)]);
    world.shard.close().await;
    let begun = std::time::Instant::now();
    let again = open(&world.postgres.conninfo("shard")).await;
    assert!(begun.elapsed() < Duration::from_millis(900), "a lease that was let go is not waited for");
    assert_eq!(again.shard.epoch(), world.shard.epoch().next());
    assert_eq!(again.positions, [Pos(0), Pos(1), Pos(0)]);
    assert_eq!(again.shard.era(), world.shard.era(), "the same history");
    assert!(again.shard.lease().is_held());
}

#[tokio::test]
async fn a_standby_waits_and_then_shuts_the_former_holder_out() {
    let world = World::new().await;
    let conninfo = world.postgres.conninfo("shard");
    let mut former = world.home().await;
    former.make(group(1), &[user(1)], 0).await;
    let mut connection = world.shard.connection().await.unwrap();
    world.shard.begin(&mut connection).await.unwrap().commit().await.unwrap();
    let standby = tokio::spawn(async move { open(&conninfo).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'skep/1/standby/%'";
    until("the standby is there", async || world.number(waits).await == 1).await;
    // The holder is alive: it may lose its session and take the lock again.
    let session = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity WHERE application_name LIKE '%/lease'";
    let before = world.number(session).await;
    world.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%/lease'").await;
    until("it has another session", async || ![0, before].contains(&world.number(session).await)).await;
    until("the lock is held again", async || world.shard.lease().is_held()).await;
    assert!(!standby.is_finished());

    world.shard.close().await;
    let opening = tokio::time::timeout(Duration::from_secs(20), standby).await.unwrap().unwrap();
    assert_eq!(opening.shard.epoch(), world.shard.epoch().next());
    let mut batch = former.batch();
    batch.messages.push(message(group(1), user(1), 1));
    let outcome = match former.commit(&batch).await {
        Commit::Unknown => Commit::Fenced(former.writer.resolve().await.unwrap_err().0),
        other => other,
    };
    assert!(matches!(outcome, Commit::Fenced(_)), "{outcome:?}");
    assert_eq!(world.messages().await, 0);
}

/// As a process that is stopped and continued, or cut off from its database: it can neither write nor answer.
#[tokio::test]
async fn a_frozen_holder_is_taken_over_and_finds_itself_shut_out() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.postgres).await;
    world.shard.close().await;
    let frozen = open(&proxy.conninfo()).await.shard;
    let mut lane = Scribe { writer: frozen.lane_writer(HOME).await.unwrap() };
    lane.make(group(1), &[user(1)], 0).await;
    let mut connection = frozen.connection().await.unwrap();
    proxy.freeze();
    let begun = std::time::Instant::now();
    let next = open(&world.postgres.conninfo("shard")).await.shard;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_ne!(frozen.lease().state(), LeaseState::Held, "it doubts before another takes over");
    let mut heir = Scribe { writer: next.lane_writer(HOME).await.unwrap() };
    heir.say(group(1), user(1), 1..=1).await;

    proxy.thaw();
    let mut batch = lane.batch();
    batch.messages.push(message(group(1), user(1), 1));
    let outcome = match lane.commit(&batch).await {
        Commit::Unknown => Commit::Fenced(lane.writer.resolve().await.unwrap_err().0),
        other => other,
    };
    assert!(matches!(outcome, Commit::Fenced(_)), "{outcome:?}");
    let refused = match frozen.begin(&mut connection).await {
        Ok(_) => panic!("a transaction of the former epoch began"),
        Err(e) => e,
    };
    assert!(matches!(refused, StorageError::Unavailable(_) | StorageError::Superseded), "{refused}");
    drop(connection);
    let mut connection = frozen.connection().await.unwrap();
    assert!(matches!(frozen.begin(&mut connection).await.err(), Some(StorageError::Superseded)));
    tokio::time::timeout(Duration::from_secs(10), frozen.lease().lost()).await.unwrap();
    assert_eq!(frozen.lease().state(), LeaseState::Lost);
    assert!(next.lease().is_held());
}

#[tokio::test]
async fn a_shard_is_opened_only_as_what_it_is() {
    let world = World::new().await;
    let conninfo = world.postgres.conninfo("shard");
    world.shard.close().await;
    let other_cell = Shard::open(&conninfo, skep_protocol::CellId(2), LANES, String::new()).await;
    assert!(matches!(other_cell, Err(StorageError::Mismatch(_))));
    let other_lanes = Shard::open(&conninfo, CELL, 3, String::new()).await.unwrap();
    assert_eq!((other_lanes.shard.home_lanes(), other_lanes.positions.len()), (LANES, 3), "as it was made");
    other_lanes.shard.close().await;
    let unsafe_server = format!("{conninfo} options='-c skep.fsync=no'");
    let unsafe_server = Shard::open(&unsafe_server, CELL, LANES, String::new()).await;
    assert!(matches!(unsafe_server, Err(StorageError::Mismatch(why)) if why.contains("fsync")));
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    let world = World::new().await;
    let insert = "INSERT INTO email_claims VALUES ($1, $2, false, 0)";
    let mut connection = world.shard.connection().await.unwrap();
    let tx = world.shard.begin(&mut connection).await.unwrap();
    tx.execute(insert, &[&"a@b.org", &user(1).uuid()]).await.unwrap();
    drop(tx);
    assert_eq!(world.number("SELECT count(*) FROM email_claims").await, 0);
    let tx = world.shard.begin(&mut connection).await.unwrap();
    tx.execute(insert, &[&"a@b.org", &user(1).uuid()]).await.unwrap();
    let twice = StorageError::from(tx.execute(insert, &[&"a@b.org", &user(2).uuid()]).await.unwrap_err());
    assert_eq!(twice.violated(), Some("email_claims_pkey"));
}
