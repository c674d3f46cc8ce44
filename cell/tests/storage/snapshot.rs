use skep_core::sync::{Listed, Snapshot, Token};
use skep_core::{MarkKind, Membership};
use skep_protocol::{ConversationId, Era, Lane, LeftReason, Pos, Seq, UserId};

use crate::fixture::*;

async fn full(world: &World, user: UserId) -> Snapshot {
    world.shard.snapshot(user, None).await.unwrap()
}

/// What is new since a token, which stands still.
async fn since(world: &World, user: UserId, token: &Token) -> Snapshot {
    assert!(world.shard.token_holds(token));
    world.shard.snapshot(user, Some(token)).await.unwrap()
}

/// Conversation, head, and above which seq the news is.
fn listed(snapshot: &Snapshot) -> Vec<(ConversationId, u64, u64)> {
    let entry = |l: &Listed| (l.row.conversation_id, l.head.0, l.news_above.0);
    snapshot.listed.iter().map(entry).collect()
}

fn left_ones(snapshot: &Snapshot) -> Vec<(ConversationId, u64, LeftReason)> {
    snapshot.left.iter().map(|l| (l.conversation_id, l.left_seq.0, l.reason)).collect()
}

#[tokio::test]
async fn what_is_new_is_listed_and_nothing_else() {
    let world = World::new().await;
    let (mut lane, anna, ben, id) = (world.home().await, user(1), user(2), group(1));
    let empty = full(&world, anna).await;
    assert_eq!((empty.listed.len(), empty.left.len()), (0, 0));
    assert_eq!(empty.token, Token { cell: CELL, era: Era(1), positions: vec![Pos(0); 3] });
    lane.make(id, &[anna, ben], 0).await;
    lane.make(group(2), &[ben], 0).await;
    let joined = since(&world, anna, &empty.token).await;
    assert_eq!(listed(&joined), [(id, 0, 0)], "a new conversation, though nothing is said in it");
    assert!(since(&world, anna, &joined.token).await.listed.is_empty());

    lane.say(id, ben, 1..=3).await;
    let three = since(&world, anna, &joined.token).await;
    assert_eq!(listed(&three), [(id, 3, 0)]);
    lane.say(id, ben, 4..=5).await;
    assert_eq!(listed(&since(&world, anna, &three.token).await), [(id, 5, 3)], "what is beyond the token");
    assert_eq!(listed(&since(&world, anna, &joined.token).await), [(id, 5, 0)]);

    let at_five = full(&world, anna).await;
    let mut batch = lane.batch();
    batch.ask(anna, id, read(2));
    lane.done(batch).await;
    let read_mark = since(&world, anna, &at_five.token).await;
    assert_eq!(listed(&read_mark), [(id, 5, 5)], "a read mark, and no message");
    assert_eq!(read_mark.listed[0].member.read_seq, Seq(2));
    assert!(since(&world, ben, &at_five.token).await.listed.is_empty(), "it is private");

    // A change that lists do not show, and one that they do.
    let token = read_mark.token;
    for (shown, is_listed) in [(false, false), (true, true)] {
        let mut batch = lane.batch();
        let mut changed = row(id, batch.pos, &[anna, ben]);
        changed.shown_pos = if shown { batch.pos } else { Pos(1) };
        batch.conversations.push((Era(1), changed));
        lane.done(batch).await;
        assert_eq!(!since(&world, anna, &token).await.listed.is_empty(), is_listed);
    }
    assert_eq!(listed(&full(&world, anna).await), [(id, 5, 0)]);
}

#[tokio::test]
async fn news_are_bounded_by_the_newest_fifty_and_by_the_joining() {
    let world = World::new().await;
    let (mut lane, anna, ben) = (world.home().await, user(1), user(2));
    let (talk, late) = (channel(1), group(2));
    lane.make(talk, &[anna, ben], 0).await;
    lane.make(late, &[ben], 0).await;
    lane.say(talk, ben, 1..=20).await;
    lane.say(late, ben, 1..=20).await;
    let token = full(&world, anna).await.token;
    // Seven, eight, nine, fifty and sixty messages since: the first look goes back eight, the second fifty.
    let mut head = 20;
    for (more, above) in [(7, 20), (1, 20), (1, 20), (41, 20), (10, 30)] {
        lane.say(talk, ben, head + 1..=head + more).await;
        head += more;
        assert_eq!(listed(&since(&world, anna, &token).await), [(talk, head, above)], "head {head}");
    }
    assert_eq!(listed(&full(&world, anna).await), [(talk, 80, 30)]);

    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(late, member(anna, pos, 20));
    lane.done(batch).await;
    let joined = since(&world, anna, &token).await;
    assert!(listed(&joined).contains(&(late, 0, 20)), "nothing of a group from before one's joining");
    lane.say(late, ben, 21..=22).await;
    assert!(listed(&since(&world, anna, &token).await).contains(&(late, 22, 20)));
    assert!(listed(&full(&world, anna).await).contains(&(late, 22, 20)));
}

#[tokio::test]
async fn the_left_and_the_hidden_are_told_once_and_not_in_a_full_sync() {
    let world = World::new().await;
    let (mut lane, anna, ben) = (world.home().await, user(1), user(2));
    let (room, direct) = (group(1), ConversationId::direct(anna, ben));
    lane.make(room, &[anna, ben], 0).await;
    lane.make(direct, &[anna, ben], 0).await;
    lane.say(room, ben, 1..=4).await;
    lane.say(direct, ben, 1..=2).await;
    let token = full(&world, anna).await.token;
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(room, left(member(anna, pos, 0), pos, 4));
    batch.ask(anna, direct, MarkKind::Hide { seq: Seq(2) });
    lane.done(batch).await;
    lane.say(room, ben, 5..=6).await;
    let gone = since(&world, anna, &token).await;
    assert!(gone.listed.is_empty());
    let mut told = left_ones(&gone);
    told.sort_unstable_by_key(|(_, seq, _)| *seq);
    assert_eq!(told, [(direct, 2, LeftReason::Hidden), (room, 4, LeftReason::Removed)]);
    let later = since(&world, anna, &gone.token).await;
    assert_eq!((later.listed.len(), later.left.len()), (0, 0));
    let all = full(&world, anna).await;
    assert_eq!((all.listed.len(), all.left.len()), (0, 0), "what is not listed is no longer theirs");

    lane.say(direct, ben, 3..=3).await;
    assert_eq!(listed(&since(&world, anna, &gone.token).await), [(direct, 3, 2)], "a message shows it again");
}

#[tokio::test]
async fn a_mirror_is_as_good_as_a_home_and_each_lane_counts_for_itself() {
    let world = World::new().await;
    let (mut home, mut mirror) = (world.home().await, world.mirror().await);
    let (anna, ben) = (user(1), user(2));
    home.make(group(1), &[anna], 0).await;
    let mut batch = mirror.batch();
    // The home's own positions are far ahead of this mirror's.
    batch.conversations.push((Era(1), row(group(2), Pos(700), &[anna, ben])));
    batch.memberships.push(Membership::of_home(group(2), &member(anna, Pos(700), 10), Era(1)));
    batch.messages = vec![message(group(2), ben, 11)];
    mirror.done(batch).await;
    let all = full(&world, anna).await;
    assert_eq!(all.token.positions, [Pos(1), Pos(1), Pos(0)]);
    assert_eq!(all.listed.len(), 2);
    home.say(group(1), anna, 1..=1).await;
    assert_eq!(listed(&since(&world, anna, &all.token).await), [(group(1), 1, 0)]);
    let mut batch = mirror.batch();
    batch.messages = vec![message(group(2), ben, 12)];
    mirror.done(batch).await;
    let mut both = listed(&since(&world, anna, &all.token).await);
    both.sort_unstable();
    let mut expected = [(group(1), 1, 0), (group(2), 12, 11)];
    expected.sort_unstable();
    assert_eq!(both, expected);
    // A token of fewer lanes: the new ones stand at zero.
    let short = Token { positions: vec![Pos(2)], ..all.token.clone() };
    assert_eq!(listed(&since(&world, anna, &short).await), [(group(1), 1, 0)]);
    assert_eq!(mirror.writer.lane(), Lane::MIRROR);
}

#[tokio::test]
async fn the_most_recently_active_come_first() {
    let world = World::new().await;
    let (mut lane, anna) = (world.home().await, user(1));
    for n in 1..=5_u64 {
        lane.make(group(u128::from(n)), &[anna], 0).await;
    }
    for n in [3_u64, 1, 5, 2, 4] {
        lane.say(group(u128::from(n)), anna, [9_000 + n]).await;
    }
    let order: Vec<ConversationId> =
        full(&world, anna).await.listed.into_iter().map(|l| l.row.conversation_id).collect();
    assert_eq!(order, [5, 4, 3, 2, 1].map(group));
}
