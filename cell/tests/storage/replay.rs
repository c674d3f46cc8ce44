use std::collections::BTreeSet;

use skep_protocol::{ConversationId, Era, Lane, Pos, Slot, UserId};

use crate::fixture::*;

#[tokio::test]
async fn a_replay_gives_every_row_and_message_in_whole_batches() {
    let world = World::new().await;
    let mut lane = world.home().await;
    let mut other = Scribe { writer: world.shard.lane_writer(Lane(2)).await.unwrap() };
    let ids: Vec<ConversationId> = (1..=5).map(group).collect();
    let users: Vec<UserId> = (1..=40).map(user).collect();
    for id in &ids {
        lane.make(*id, &users, 0).await;
        for round in 0..4 {
            lane.say(*id, users[0], round * 25 + 1..=round * 25 + 25).await;
        }
    }
    other.make(group(9), &users[..2], 0).await;
    let upto = world.shard.replay_position(HOME).await.unwrap();
    assert_eq!(upto, Pos(25));

    for limit in [1, 30, 1_000] {
        let (mut at, mut conversations, mut members) = (Pos(0), Vec::new(), 0);
        while at < upto {
            let page = world.shard.replay_rows(HOME, at, upto, limit).await.unwrap();
            assert!(page.through > at, "every page moves on");
            assert!(page.members.iter().all(|(_, m)| m.pos > at && m.pos <= page.through));
            at = page.through;
            conversations.extend(page.conversations.into_iter().map(|c| c.conversation_id));
            members += page.members.len();
        }
        assert_eq!((conversations, members), (ids.clone(), 200), "{limit}");
        let (mut at, mut messages) = (Pos(0), Vec::new());
        while at < upto {
            let page = world.shard.replay_messages(HOME, at, upto, limit).await.unwrap();
            assert!(page.through > at, "every page moves on");
            assert!(page.messages.iter().all(|(pos, _)| *pos > at && *pos <= page.through));
            let in_last = page.messages.iter().filter(|(pos, _)| *pos == page.through).count();
            assert!(in_last == 25 || in_last == 0, "batches are whole");
            at = page.through;
            messages.extend(page.messages.into_iter().map(|(_, m)| m));
        }
        let sent = ids.iter().flat_map(|id| (1..=100).map(|seq| message(*id, users[0], seq)));
        assert!(messages.into_iter().eq(sent), "{limit}: all, once, in order");
    }
    let part = world.shard.replay_messages(HOME, Pos(2), Pos(4), 1_000).await.unwrap();
    assert_eq!((part.messages.len(), part.through), (50, Pos(4)));
}

#[tokio::test]
async fn a_page_of_long_messages_ends_early_but_behind_a_batch() {
    let world = World::new().await;
    let (mut lane, id, anna) = (world.home().await, group(1), user(1));
    lane.make(id, &[anna], 0).await;
    for round in 0..5_u64 {
        let mut batch = lane.batch();
        batch.messages = (1..=20).map(|n| message(id, anna, round * 20 + n)).collect();
        batch.messages.iter_mut().for_each(|m| m.text = "x".repeat(40_000).into());
        lane.done(batch).await;
    }
    let (mut at, mut pages, mut count) = (Pos(1), 0, 0);
    while at < Pos(6) {
        let page = world.shard.replay_messages(HOME, at, Pos(6), 1_000).await.unwrap();
        assert_eq!(page.messages.len() % 20, 0);
        (at, pages, count) = (page.through, pages + 1, count + page.messages.len());
    }
    assert_eq!(count, 100);
    assert!(pages >= 3, "{pages}");
}

#[tokio::test]
async fn conversations_are_found_by_the_slots_of_their_people() {
    let world = World::new().await;
    let (mut lane, anna, ben, carl) = (world.home().await, user(1), user(2), user(3));
    lane.make(group(1), &[anna, ben], 0).await;
    lane.make(group(2), &[ben], 0).await;
    lane.make(group(3), &[carl, ben], 0).await;
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.conversations.push((Era(1), row(group(3), pos, &[ben])));
    batch.put(group(3), left(member(carl, pos, 0), pos, 0));
    lane.done(batch).await;
    let ids = [group(1), group(2), group(3), group(4)];
    let all: Vec<Slot> = (0..=u16::MAX).map(Slot).collect();
    for (slots, since, found) in [
        (vec![anna.slot()], 0, vec![group(1)]),
        (vec![ben.slot(), anna.slot()], 9, vec![group(1), group(2), group(3)]),
        (vec![carl.slot()], 3, vec![group(3)]),
        (vec![carl.slot()], 4, vec![]),
        (all, 9, vec![group(1), group(2), group(3)]),
        (vec![], 0, vec![]),
    ] {
        let answer = world.shard.conversations_with_members_in(&slots, &ids, Pos(since)).await.unwrap();
        assert_eq!(answer, BTreeSet::from_iter(found), "{} slots since {since}", slots.len());
    }
    let rows = world.shard.conversation_rows(&ids).await.unwrap();
    assert_eq!(rows.len(), 3);
}
