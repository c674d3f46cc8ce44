use std::sync::Arc;

use skep_cell::accounts::Accounts;
use skep_cell::accounts::blocks::{Heard, Word};
use skep_core::{Block, Blocked};
use skep_protocol::limits;

use crate::fixture::*;

fn yes(version: u64) -> Block {
    Block { version, blocked: Blocked::Yes }
}

fn no(version: u64) -> Block {
    Block { version, blocked: Blocked::No }
}

#[tokio::test]
async fn a_word_is_told_until_its_home_has_it_or_a_later_one() {
    let world = World::new().await;
    let accounts = Accounts::new(Arc::clone(&world.shard));
    let (user, other) = (user(1), user(2));
    let word = |block| Word { user, other, block };
    // What the person said (version, blocked), what the home has, and then: what is told next, what is kept, whether it
    // waits for its home.
    let cases = [
        (Some(yes(1)), yes(1), Heard::Settled, Some(yes(1)), false),
        (Some(no(2)), no(2), Heard::Settled, None, false),
        // A later word was said meanwhile: whoever said it tells it.
        (Some(no(3)), yes(2), Heard::Settled, Some(no(3)), true),
        // The home has what this shard has lost: the person's word goes above.
        (Some(yes(1)), no(4), Heard::Again(word(yes(5))), Some(yes(5)), true),
        (Some(no(4)), yes(4), Heard::Again(word(no(5))), Some(no(5)), true),
        (None, yes(7), Heard::Again(word(no(8))), Some(no(8)), true),
        (None, no(7), Heard::Settled, None, false),
    ];
    for (said, stands, heard, kept, waits) in cases {
        world.run("DELETE FROM blocks").await;
        if let Some(Block { version, blocked }) = said {
            let (a, b, is) = (user.uuid(), other.uuid(), blocked == Blocked::Yes);
            world.run(&format!("INSERT INTO blocks VALUES ('{a}', '{b}', {version}, {is}, false)")).await;
        }
        assert_eq!(accounts.heard(user, other, stands).await.unwrap(), heard, "{said:?} {stands:?}");
        let rows = world.sql.query("SELECT version, blocked, confirmed FROM blocks", &[]).await.unwrap();
        let row = rows.first().map(|row| {
            let blocked = if row.get(1) { Blocked::Yes } else { Blocked::No };
            Block { version: row.get::<_, i64>(0) as u64, blocked }
        });
        assert_eq!(row, kept, "{said:?} {stands:?}");
        let unconfirmed = accounts.unconfirmed(None, 10).await.unwrap();
        assert_eq!(unconfirmed, kept.filter(|_| waits).map(word).into_iter().collect::<Vec<_>>());
        assert_eq!(accounts.unconfirmed(Some((user, other)), 10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn each_change_of_mind_is_a_version_of_its_own() {
    let world = World::new().await;
    let accounts = Accounts::new(Arc::clone(&world.shard));
    let (user, other) = (user(1), user(2));
    let said = async |blocked| match blocked {
        Blocked::Yes => accounts.block(user, other).await.unwrap().unwrap().block,
        Blocked::No => accounts.unblock(user, other).await.unwrap().block,
    };
    assert_eq!(said(Blocked::No).await, no(1), "nothing is known of it: nothing is written");
    assert_eq!(world.number("SELECT count(*) FROM blocks").await, 0);
    for expected in [yes(1), yes(1), no(2), no(2), yes(3)] {
        assert_eq!(said(expected.blocked).await, expected);
        let blocked = accounts.blocked_by(user).await.unwrap();
        assert_eq!(blocked.contains(&other), expected.blocked == Blocked::Yes, "seen at once");
        assert_eq!(accounts.blockers(&[user, other], other).await.unwrap().contains(&user), !blocked.is_empty());
        assert!(accounts.blockers(&[other], user).await.unwrap().is_empty(), "it is no mutual thing");
    }
    // Said again, it is asked again: the home may have lost it.
    accounts.heard(user, other, yes(3)).await.unwrap();
    assert_eq!(accounts.unconfirmed(None, 10).await.unwrap(), []);
    assert_eq!(said(Blocked::Yes).await, yes(3));
    assert_eq!(accounts.unconfirmed(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn so_many_people_are_blocked_and_no_more() {
    let world = World::new().await;
    let accounts = Accounts::new(Arc::clone(&world.shard));
    let (anna, others) = (user(1), limits::BLOCKS_PER_USER - 1);
    world
        .run(&format!(
            "INSERT INTO blocks SELECT '{}', gen_random_uuid(), 1, true, true FROM generate_series(1, {others})",
            anna.uuid()
        ))
        .await;
    assert!(accounts.block(anna, user(2)).await.unwrap().is_some());
    assert!(accounts.block(anna, user(3)).await.unwrap().is_none());
    assert!(accounts.block(anna, user(2)).await.unwrap().is_some(), "one of them already");
    accounts.unblock(anna, user(2)).await.unwrap();
    accounts.heard(anna, user(2), no(2)).await.unwrap();
    assert!(accounts.block(anna, user(3)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_new_era_doubts_what_homes_have_confirmed() {
    let mut world = World::new().await;
    let accounts = Accounts::new(Arc::clone(&world.shard));
    accounts.block(user(1), user(2)).await.unwrap();
    accounts.heard(user(1), user(2), yes(1)).await.unwrap();
    drop(accounts);
    world.shard.close().await;
    let conninfo = world.postgres.conninfo("shard");
    let again = open(&conninfo).await;
    assert_eq!(Accounts::new(Arc::clone(&again.shard)).unconfirmed(None, 10).await.unwrap(), [], "the same era");
    again.shard.close().await;
    drop(again);
    world.run("UPDATE eras SET timeline = 'another history'").await;
    world.opening = open(&conninfo).await;
    let unconfirmed = Accounts::new(Arc::clone(&world.opening.shard)).unconfirmed(None, 10).await.unwrap();
    assert_eq!(unconfirmed, [Word { user: user(1), other: user(2), block: yes(1) }]);
}
