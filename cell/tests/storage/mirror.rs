use skep_core::{Batch, Cursor, Mark, Membership};
use skep_protocol::{CellId, ConversationId, Era, Lane, Pos, Seq};

use crate::fixture::*;

fn cursor(era: u32, pos: u64) -> Cursor {
    Cursor { peer: CellId(2), lane: Lane(1), era: Era(era), pos: Pos(pos), rows: (Era(era), Pos(pos)) }
}

/// What a home at position `home` says of the conversation and its one member here.
fn told(lane: &Scribe, id: ConversationId, era: u32, home: u64, shown: u64) -> Batch {
    let mut batch = lane.batch();
    let mut row = row(id, Pos(home), &[user(1)]);
    row.shown_pos = Pos(shown);
    batch.conversations.push((Era(era), row));
    let member = member(user(1), Pos(home), 0);
    batch.memberships.push(Membership::of_home(id, &member, Era(era)));
    batch
}

#[tokio::test]
async fn what_comes_again_changes_nothing() {
    let world = World::new().await;
    let (mut lane, id) = (world.mirror().await, group(1));
    for round in 0..3 {
        for with_rows in [true, false] {
            let mut batch = if with_rows { told(&lane, id, 1, 5, 5) } else { lane.batch() };
            batch.messages = (1..=3).map(|seq| message(id, user(1), seq)).collect();
            batch.marks.push(Mark::of_own_message(user(1), id, Seq(3)));
            batch.cursors.push(cursor(1, 7));
            lane.done(batch).await;
            assert_eq!(world.messages().await, 3, "{round}");
            let place = world.shard.membership(user(1), id).await.unwrap().unwrap();
            assert_eq!((place.member.read_seq, place.head), (Seq(3), Seq(3)));
            assert_eq!(world.number("SELECT max(pos) FROM memberships").await, 1, "as first written");
            assert_eq!(world.number("SELECT max(pos) FROM conversations").await, 1);
            assert_eq!(world.number("SELECT max(pos) FROM messages").await, 1);
        }
    }
    assert_eq!(world.shard.cursors().await.unwrap(), [cursor(1, 7)]);
}

#[tokio::test]
async fn only_newer_rows_are_taken_and_shown_only_if_the_home_shows_them() {
    let world = World::new().await;
    let (mut lane, id) = (world.mirror().await, group(1));
    // Era, position at home, shown position at home; whether it is taken, and whether it is shown.
    let cases = [
        (1, 5, 5, true, true),
        (1, 4, 4, false, false),
        (1, 5, 5, false, false),
        (1, 6, 5, true, false),
        (1, 9, 8, true, true),
        (2, 3, 3, true, true),
        (1, 20, 20, false, false),
    ];
    let (mut taken_at, mut shown_at, mut home) = (0, 0, 0);
    for (era, pos, shown_pos, is_taken, is_shown) in cases {
        let batch = told(&lane, id, era, pos, shown_pos);
        let at = batch.pos.0 as i64;
        lane.done(batch).await;
        if is_taken {
            (taken_at, home) = (at, pos);
        }
        if is_shown {
            shown_at = at;
        }
        let case = format!("{era} {pos} {shown_pos}");
        let place = world.shard.membership(user(1), id).await.unwrap().unwrap();
        assert_eq!((place.row.pos, place.member.home_pos), (Pos(home), Pos(home)), "{case}");
        assert_eq!(world.number("SELECT pos FROM conversations").await, taken_at, "{case}");
        assert_eq!(world.number("SELECT pos FROM memberships").await, taken_at, "{case}");
        assert_eq!(world.number("SELECT shown_pos FROM conversations").await, shown_at, "{case}");
    }
}

#[tokio::test]
async fn a_persons_own_marks_survive_what_the_home_says() {
    let world = World::new().await;
    let (mut lane, id) = (world.mirror().await, ConversationId::direct(user(1), user(2)));
    lane.done(told(&lane, id, 1, 1, 1)).await;
    let mut batch = lane.batch();
    batch.messages = (1..=5).map(|seq| message(id, user(2), seq)).collect();
    batch.ask(user(1), id, read_clamped(4));
    batch.ask(user(1), id, skep_core::MarkKind::Hide { seq: Seq(5) });
    lane.done(batch).await;
    lane.done(told(&lane, id, 1, 2, 2)).await;
    let member = world.shard.membership(user(1), id).await.unwrap().unwrap().member;
    assert_eq!((member.read_seq, member.hidden_seq, member.home_pos), (Seq(4), Some(Seq(5)), Pos(2)));
}

#[tokio::test]
async fn cursors_go_forward_only_and_with_their_batch() {
    let world = World::new().await;
    let mut lane = world.mirror().await;
    for (given, stands) in [((1, 5), (1, 5)), ((1, 3), (1, 5)), ((1, 8), (1, 8)), ((2, 2), (2, 2)), ((1, 9), (2, 2))] {
        let mut batch = lane.batch();
        batch.cursors.push(cursor(given.0, given.1));
        lane.done(batch).await;
        assert_eq!(world.shard.cursors().await.unwrap(), [cursor(stands.0, stands.1)]);
    }
    let mut batch = lane.batch();
    batch.cursors.push(cursor(3, 1));
    batch.messages.push(message(group(1), user(1), 1));
    batch.messages[0].text = "\0".into();
    assert!(matches!(lane.commit(&batch).await, skep_core::Commit::Rejected(_)));
    assert_eq!(world.shard.cursors().await.unwrap(), [cursor(2, 2)]);
}
