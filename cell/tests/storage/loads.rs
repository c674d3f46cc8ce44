use skep_cell::storage::Activity;
use skep_core::home::{Load, Wanted};
use skep_protocol::{ConversationId, Era, LeftReason, Millis, Role, Seq, Slot, UserId};

use crate::fixture::*;

fn load(id: ConversationId, users: &[UserId]) -> Load {
    Load { conversation_id: id, header: Wanted::Yes, users: users.to_vec(), requests: Vec::new() }
}

#[tokio::test]
async fn a_lane_is_told_what_it_wrote() {
    let world = World::new().await;
    let (mut lane, id, anna, ben, carl) = (world.home().await, channel(1), user(1), user(2), user(3));
    let nothing = world.shard.load(&load(id, &[anna])).await.unwrap();
    assert_eq!((nothing.header, nothing.members), (None, vec![(anna, None)]));
    let request = uuid::Uuid::now_v7();
    let mut batch = lane.batch();
    let pos = batch.pos;
    let mut made = row(id, pos, &[anna, ben]);
    made.code = Some("secret".into());
    batch.conversations.push((Era(1), made.clone()));
    let mut admin = member(anna, pos, 0);
    admin.role = Role::Admin;
    batch.put(id, admin.clone());
    batch.put(id, member(ben, pos, 0));
    let gone = left(member(carl, pos, 0), pos, 0);
    batch.put(id, gone.clone());
    batch.outcomes.push((request, outcome(&[ben])));
    lane.done(batch).await;
    lane.say(id, anna, 1..=3).await;

    let asked = Load { requests: vec![request, uuid::Uuid::nil()], ..load(id, &[carl, anna, user(9)]) };
    let loaded = world.shard.load(&asked).await.unwrap();
    assert_eq!(loaded.members, [(carl, Some(gone)), (anna, Some(admin)), (user(9), None)]);
    assert_eq!(loaded.outcomes, [(request, (*outcome(&[ben])).clone())]);
    let header = loaded.header.unwrap();
    assert_eq!(header.row, made);
    assert_eq!((header.head, header.last_sent_at, header.admins), (Seq(3), Millis(3), 1));
    let mut slots: Vec<(Slot, u32)> = header.slots;
    slots.sort_unstable();
    let mut expected = [(anna.slot(), 1), (ben.slot(), 1)];
    expected.sort_unstable();
    assert_eq!(slots, expected, "current members only");
    assert_eq!(world.shard.link("secret").await.unwrap(), Some(made));
    assert_eq!(world.shard.link("other").await.unwrap(), None);

    let local = world.shard.local(id).await.unwrap().unwrap();
    assert_eq!((local.head, local.members.len()), (Seq(3), 3));
    let read: Vec<_> = [anna, ben].map(|u| local.members.iter().find(|m| m.user_id == u).unwrap().read_seq).into();
    assert_eq!(read, [Seq(3), Seq(0)]);
    assert_eq!(world.shard.local(group(9)).await.unwrap(), None);
}

#[tokio::test]
async fn seniors_that_left_are_followed_by_the_next_longest_standing() {
    let world = World::new().await;
    let (mut lane, id) = (world.home().await, group(1));
    let users: Vec<UserId> = (1..=30).map(user).collect();
    lane.make(id, &users, 0).await;
    let mut batch = lane.batch();
    let pos = batch.pos;
    let mut thinned = row(id, pos, &users[1..]);
    thinned.seniors = vec![users[4], users[2]];
    batch.conversations.push((Era(1), thinned));
    for user in [users[0], users[1]] {
        batch.put(id, left(member(user, pos, 0), pos, 0));
    }
    lane.done(batch).await;
    let seniors = world.shard.load(&load(id, &[])).await.unwrap().header.unwrap().row.seniors;
    assert_eq!(seniors[..2], [users[4], users[2]], "the stored ones stay first");
    assert_eq!(seniors.len(), 16);
    let rest: std::collections::BTreeSet<_> = seniors.iter().collect();
    assert_eq!(rest.len(), 16);
    assert!(!rest.contains(&users[0]) && !rest.contains(&users[1]));
}

#[tokio::test]
async fn a_persons_list_is_in_pages_most_recently_active_first() {
    let world = World::new().await;
    let (mut lane, anna, ben) = (world.home().await, user(1), user(2));
    for n in 1..=7_u64 {
        lane.make(group(u128::from(n)), &[anna, ben], 0).await;
        // Sent at seq milliseconds: all are older than the making of the conversation, but for these.
        lane.say(group(u128::from(n)), ben, [5_000 + n]).await;
    }
    let hidden = ConversationId::direct(anna, ben);
    lane.make(hidden, &[anna, ben], 0).await;
    let mut batch = lane.batch();
    batch.ask(anna, hidden, skep_core::MarkKind::Hide { seq: Seq(0) });
    lane.done(batch).await;
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(group(7), left(member(anna, pos, 0), pos, 5_007));
    lane.done(batch).await;
    let (mut seen, mut after): (Vec<ConversationId>, Option<Activity>) = (Vec::new(), None);
    loop {
        let page = world.shard.conversations_of(anna, after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.activity);
        for listed in &page {
            let message = listed.last_message.as_ref().unwrap();
            assert_eq!((message.seq, listed.place.head), (listed.place.head, message.seq));
        }
        seen.extend(page.iter().map(|l| l.activity.conversation_id));
    }
    assert_eq!(seen, (1..=6).rev().map(group).collect::<Vec<_>>());
    // A group's last message from before one's joining is not one's own to see.
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(group(7), member(anna, pos, 5_007));
    lane.done(batch).await;
    assert_eq!(world.shard.conversations_of(anna, None, 1).await.unwrap()[0].last_message, None);
}

#[tokio::test]
async fn members_are_in_pages_by_joining() {
    let world = World::new().await;
    let (mut lane, id) = (world.home().await, group(1));
    let users: Vec<UserId> = (1..=25).map(user).collect();
    for some in users.chunks(10) {
        let mut batch = lane.batch();
        let pos = batch.pos;
        batch.conversations.push((Era(1), row(id, pos, some)));
        some.iter().for_each(|u| batch.put(id, member(*u, pos, 0)));
        lane.done(batch).await;
    }
    let mut batch = lane.batch();
    let pos = batch.pos;
    batch.put(id, left(member(users[3], pos, 0), pos, 0));
    lane.done(batch).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = world.shard.members_page(id, after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.joined_at, last.user_id));
        seen.extend(page.into_iter().map(|m| (m.joined_at, m.user_id)));
    }
    assert_eq!(seen.len(), 24);
    assert!(seen.is_sorted());
    assert!(seen.iter().all(|(_, u)| *u != users[3]));
    let gone = world.shard.member(id, users[3]).await.unwrap().unwrap();
    assert_eq!(gone.left_reason, Some(LeftReason::Removed));
}
