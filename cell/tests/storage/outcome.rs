//! What becomes of a batch that fails: known not committed, or unknown until resolved.

use skep_core::{Batch, Commit};
use skep_protocol::{Era, Pos};

use crate::fixture::*;
use crate::proxy::{Cut, Proxy};

/// A message, alone or with a row: the two ways in which batches are written.
fn batches(lane: &Scribe, seq: u64) -> [Batch; 2] {
    let (id, anna) = (group(1), user(1));
    let mut plain = lane.batch();
    plain.messages.push(message(id, anna, seq));
    let mut with_rows = plain.clone();
    with_rows.conversations.push((Era(1), row(id, plain.pos, &[anna])));
    [plain, with_rows]
}

#[tokio::test]
async fn an_error_says_whether_to_try_again_and_nothing_of_the_batch_stays() {
    let world = World::new().await;
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    world.run("CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'").await;
    world.run("CREATE TRIGGER trouble BEFORE INSERT ON messages EXECUTE FUNCTION trouble()").await;
    let mut seq = 0;
    for (sqlstate, again) in [
        ("40001", true),
        ("40P01", true),
        ("53100", true),
        ("55P03", true),
        ("57014", true),
        ("22003", false),
        ("P0001", false),
    ] {
        for which in 0..2 {
            seq += 1;
            let trouble = format!(
                "CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{sqlstate}'; END $$"
            );
            world.run(&trouble).await;
            let batch = batches(&lane, seq)[which].clone();
            let outcome = lane.commit(&batch).await;
            match again {
                true => assert_eq!(outcome, Commit::Again, "{sqlstate}"),
                false => assert!(matches!(outcome, Commit::Rejected(_)), "{sqlstate}: {outcome:?}"),
            }
            assert_eq!(world.messages().await, seq as i64 - 1, "{sqlstate}");
            assert_eq!(world.number("SELECT max(pos) FROM lane_log WHERE lane = 1").await, seq as i64);
            assert_eq!(world.number("SELECT home_pos FROM conversations").await, seq as i64 - (seq as i64 - 1) % 2);
            world
                .run("CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'")
                .await;
            lane.done(batch).await;
        }
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_stored_is_rejected_with_its_whole_batch() {
    let world = World::new().await;
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    for mut batch in batches(&lane, 1) {
        batch.messages.push(message(group(1), user(1), 2));
        batch.messages[1].text = "a\0b".into();
        assert!(matches!(lane.commit(&batch).await, Commit::Rejected(_)));
        assert_eq!(world.messages().await, 0);
    }
    lane.say(group(1), user(1), 1..=1).await;
}

#[tokio::test]
async fn a_backend_ended_in_mid_batch_leaves_it_unknown_until_resolved() {
    let world = World::new().await;
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    for (seq, which) in [(1, 0), (2, 1)] {
        let batch = batches(&lane, seq)[which].clone();
        world.run("BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").await;
        let ended = async {
            let waiting = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'skep/1/%/lane1'
                           AND wait_event_type = 'Lock'";
            until("the batch waits", async || !world.sql.query(waiting, &[]).await.unwrap().is_empty()).await;
            world.sql.query(&format!("SELECT pg_terminate_backend(pid) FROM ({waiting}) w"), &[]).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(lane.writer.commit(&batch), ended);
        assert_eq!(outcome, Commit::Unknown);
        assert_eq!(lane.commit(&batch).await, Commit::Unknown, "nothing goes on before it is resolved");
        world.run("COMMIT").await;
        assert_eq!(lane.writer.resolve().await, Ok(Pos(batch.pos.0 - 1)));
        lane.done(batch).await;
    }
}

/// The connection breaks in every phase of a batch. What the resolved position says is what is there.
#[tokio::test]
async fn a_connection_lost_in_mid_batch_is_resolved_to_what_is_there() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.postgres).await;
    world.shard.close().await;
    let through = open(&proxy.conninfo()).await;
    let mut lane = Scribe { writer: through.shard.lane_writer(HOME).await.unwrap() };
    lane.make(group(1), &[user(1)], 0).await;
    let mut seq = 0;
    for cut in [Cut::Request, Cut::HalfRequest, Cut::Answer] {
        for which in 0..2 {
            seq += 1;
            let mut batch = batches(&lane, seq)[which].clone();
            batch.messages[0].text = format!("cut here {seq}").into();
            proxy.cut(cut, &format!("cut here {seq}"));
            assert_eq!(lane.commit(&batch).await, Commit::Unknown, "{cut:?} {which}");
            let resolved = lane.writer.resolve().await.unwrap();
            let is_there = world.messages().await == seq as i64;
            assert_eq!(is_there, cut == Cut::Answer, "{cut:?} {which}");
            assert_eq!(resolved == batch.pos, is_there, "{cut:?} {which}");
            if !is_there {
                lane.done(batch).await;
            }
        }
    }
    assert_eq!(world.messages().await, 6);
}

#[tokio::test]
async fn a_shard_that_is_away_costs_nothing_but_time() {
    let mut world = World::new().await;
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    world.postgres.kill();
    let batch = batches(&lane, 1)[0].clone();
    // The first one may meet the broken connection before or after its first byte.
    let first = lane.commit(&batch).await;
    assert!(matches!(first, Commit::Again | Commit::Unknown), "{first:?}");
    until("the lock went with the server", async || !world.shard.lease().is_held()).await;
    world.postgres.start().unwrap();
    if first == Commit::Unknown {
        assert_eq!(lane.writer.resolve().await, Ok(Pos(1)));
    }
    lane.done(batch).await;
    until("the lease is held again", async || world.shard.lease().is_held()).await;
    let sql = client(&world.postgres.conninfo("shard")).await;
    assert_eq!(sql.query_one("SELECT count(*) FROM messages", &[]).await.unwrap().get::<_, i64>(0), 1);
}
