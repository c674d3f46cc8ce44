use skep_core::{MarkKind, Moved, NoPlace};
use skep_protocol::{ConversationId, Lane, Seq};

use crate::fixture::*;

#[tokio::test]
async fn marks_are_answered_by_the_rows_as_they_stand() {
    let world = World::new().await;
    let (mut lane, anna, ben, never) = (world.home().await, user(1), user(2), user(3));
    let id = ConversationId::direct(anna, ben);
    lane.make(id, &[anna, ben], 0).await;
    lane.say(id, ben, 1..=10).await;
    let hide = MarkKind::Hide { seq: Seq(10) };
    // What is asked, and then: read mark, hidden mark, whether it moved.
    let cases = [
        (read(4), 4, None, Moved::Yes),
        (read(3), 4, None, Moved::No),
        (read_clamped(7), 7, None, Moved::Yes),
        (read_clamped(u64::MAX), 10, None, Moved::Yes),
        (hide, 10, Some(10), Moved::Yes),
        (hide, 10, Some(10), Moved::No),
        (read_clamped(3), 10, Some(10), Moved::No),
        (MarkKind::Unhide, 10, None, Moved::Yes),
        (MarkKind::Unhide, 10, None, Moved::No),
    ];
    for (kind, read_seq, hidden, moved) in cases {
        let before = world.number("SELECT max(pos) FROM memberships").await;
        let mut batch = lane.batch();
        let pos = batch.pos.0 as i64;
        let request = batch.ask(anna, id, kind);
        let results = lane.done(batch).await;
        let row = results[0].row.unwrap();
        assert_eq!((results.len(), results[0].request), (1, request));
        assert_eq!((row.read_seq, row.hidden_seq, row.moved), (Seq(read_seq), hidden.map(Seq), moved), "{kind:?}");
        assert_eq!(row.head, Seq(10));
        let after = world.number("SELECT max(pos) FROM memberships").await;
        assert_eq!(after, if moved == Moved::Yes { pos } else { before }, "a row's position moves only with the row");
    }
    let mut batch = lane.batch();
    batch.ask(never, id, read(1));
    assert_eq!(lane.done(batch).await[0].row, Err(NoPlace::Never));
}

#[tokio::test]
async fn several_marks_of_a_row_in_a_batch_are_one_change() {
    let world = World::new().await;
    let (mut lane, anna, ben, id) = (world.home().await, user(1), user(2), group(1));
    lane.make(id, &[anna, ben], 0).await;
    let mut batch = lane.batch();
    batch.messages = (1..=5).map(|seq| message(id, anna, seq)).collect();
    batch.marks.push(skep_core::Mark::of_own_message(anna, id, Seq(5)));
    batch.ask(ben, id, read(2));
    batch.ask(anna, id, read(3));
    batch.ask(ben, id, read(4));
    let results = lane.done(batch).await;
    let stand: Vec<_> = results.iter().map(|r| (r.user_id, r.row.unwrap().read_seq, r.row.unwrap().head)).collect();
    let head = Seq(5);
    assert_eq!(stand, [(ben, Seq(4), head), (anna, Seq(5), head), (ben, Seq(4), head)]);
}

#[tokio::test]
async fn who_has_left_marks_nothing_and_who_comes_again_begins_anew() {
    let world = World::new().await;
    let (mut lane, anna, ben, id) = (world.home().await, user(1), user(2), group(1));
    lane.make(id, &[anna, ben], 0).await;
    lane.say(id, ben, 1..=5).await;
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(id, left(member(anna, pos, 0), pos, 5));
    batch.ask(anna, id, read(5));
    assert_eq!(lane.done(batch).await[0].row, Err(NoPlace::Left));
    lane.say(id, ben, 6..=9).await;
    world.run("UPDATE memberships SET hidden_seq = 5").await;
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(id, member(anna, pos, 9));
    lane.done(batch).await;
    let place = world.shard.membership(anna, id).await.unwrap().unwrap();
    assert_eq!((place.member.read_seq, place.member.joined_seq, place.member.hidden_seq), (Seq(9), Seq(9), None));
    assert_eq!(place.member.left_seq, None);
}

#[tokio::test]
async fn a_mirror_clamps_at_what_it_has_stored() {
    let world = World::new().await;
    let (mut lane, anna, id) = (world.mirror().await, user(1), group(1));
    assert_eq!(lane.writer.lane(), Lane::MIRROR);
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.conversations.push((skep_protocol::Era(1), row(id, pos, &[anna])));
    batch.put(id, member(anna, pos, 100));
    batch.members.clear();
    let none_yet = batch.ask(anna, id, read_clamped(500));
    let results = lane.done(batch).await;
    assert_eq!(results[0].request, none_yet);
    assert_eq!((results[0].row.unwrap().read_seq, results[0].row.unwrap().head), (Seq(100), Seq(100)));
    let mut batch = lane.batch();
    batch.messages = vec![message(id, user(2), 101), message(id, user(2), 102)];
    batch.ask(anna, id, read_clamped(500));
    let row = lane.done(batch).await[0].row.unwrap();
    assert_eq!((row.read_seq, row.head), (Seq(102), Seq(102)));
}
