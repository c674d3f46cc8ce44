use skep_core::Commit;
use skep_protocol::{Pos, Seq};

use crate::fixture::*;

#[tokio::test]
async fn a_batch_is_there_whole_and_reads_back_as_it_was() {
    let world = World::new().await;
    let (mut lane, id, anna, ben) = (world.home().await, group(1), user(1), user(2));
    lane.make(id, &[anna, ben], 0).await;
    lane.say(id, anna, 1..=3).await;
    lane.say(id, ben, 4..=4).await;
    assert_eq!(lane.writer.position(), Pos(3));
    assert_eq!(world.shard.replay_position(HOME).await.unwrap(), Pos(3));
    let stored = world.shard.newest(id, Seq(0), Seq(u64::MAX), 50).await.unwrap();
    let sent: Vec<_> = [(anna, 1), (anna, 2), (anna, 3), (ben, 4)].map(|(u, seq)| message(id, u, seq)).into();
    assert_eq!(stored, sent);
    let place = world.shard.membership(anna, id).await.unwrap().unwrap();
    assert_eq!((place.head, place.member.read_seq), (Seq(4), Seq(3)), "one's own messages are read");
    assert_eq!(place.row, row(id, Pos(1), &[anna, ben]));
}

#[tokio::test]
async fn a_client_id_that_is_there_is_a_duplicate_and_writes_nothing() {
    let world = World::new().await;
    let (mut lane, id, anna) = (world.home().await, group(1), user(1));
    lane.make(id, &[anna], 0).await;
    lane.say(id, anna, 1..=1).await;
    let mut batch = lane.batch();
    let mut again = message(id, anna, 3);
    again.client_message_id = message(id, anna, 1).client_message_id;
    batch.messages = vec![message(id, anna, 2), again];
    assert_eq!(lane.commit(&batch).await, Commit::Duplicate);
    assert_eq!(world.messages().await, 1);
    let ids: Vec<_> = batch.messages.iter().map(|m| (m.client_message_id, id)).collect();
    assert_eq!(world.shard.lookup(&ids).await.unwrap(), [message(id, anna, 1)]);
    lane.say(id, anna, 2..=2).await;
    assert_eq!(lane.writer.position(), Pos(3), "no position was used up");
}

#[tokio::test]
async fn a_seq_or_a_position_given_twice_ends_the_process() {
    let world = World::new().await;
    let (mut lane, id, anna) = (world.home().await, group(1), user(1));
    lane.make(id, &[anna], 0).await;
    lane.say(id, anna, 1..=1).await;
    let mut batch = lane.batch();
    batch.messages.push(message(id, anna, 1));
    batch.messages[0].client_message_id = uuid::Uuid::from_u128(7);
    assert!(matches!(lane.commit(&batch).await, Commit::Fenced(_)));
    world.run("INSERT INTO lane_log VALUES (1, 3)").await;
    batch.messages[0].seq = Seq(2);
    assert!(matches!(lane.commit(&batch).await, Commit::Fenced(_)));
    let mut ahead = lane.batch();
    ahead.pos = Pos(9);
    assert!(matches!(lane.commit(&ahead).await, Commit::Fenced(_)));
    assert_eq!(world.messages().await, 1);
}

#[tokio::test]
async fn a_second_writer_fences_the_first_in_either_kind_of_batch() {
    let world = World::new().await;
    let (mut first, id, anna) = (world.home().await, group(1), user(1));
    first.make(id, &[anna], 0).await;
    let mut second = world.home().await;
    assert_eq!(second.writer.position(), Pos(1));
    let mut plain = first.batch();
    plain.messages.push(message(id, anna, 1));
    assert!(matches!(first.commit(&plain).await, Commit::Fenced(_)));
    let mut with_rows = plain.clone();
    with_rows.conversations.push((skep_protocol::Era(1), row(id, Pos(2), &[anna])));
    assert!(matches!(first.commit(&with_rows).await, Commit::Fenced(_)));
    assert_eq!(world.messages().await, 0);
    assert_eq!(world.number("SELECT home_pos FROM conversations").await, 1);
    second.say(id, anna, 1..=1).await;
}
