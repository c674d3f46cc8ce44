use skep_cell::storage::mark_restored;
use skep_core::{Cursor, sync::Token};
use skep_protocol::{CellId, Era, Lane, Pos};

use crate::fixture::*;

#[tokio::test]
async fn a_restored_shard_begins_an_era_where_it_stands() {
    let world = World::new().await;
    let conninfo = world.postgres.conninfo("shard");
    assert!(mark_restored(&conninfo, CELL).await.is_err(), "not while a cell runs on it");
    assert_eq!(world.shard.era(), Era(1));
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    drop(lane);
    world.shard.close().await;
    let began = mark_restored(&conninfo, CELL).await.unwrap();
    assert!(began > Era(2), "by the clock, so that no two histories have one number");

    let shard = open(&conninfo).await.shard;
    assert_eq!(shard.era(), began);
    assert_eq!(shard.eras()[1].starts, [Pos(0), Pos(1), Pos(0)]);
    let token = |cell, era: Era, home| Token { cell: CellId(cell), era, positions: vec![Pos(0), Pos(home), Pos(0)] };
    assert!(!shard.token_holds(&token(1, Era(1), 1)), "its client may have been pushed what was lost");
    assert!(shard.token_holds(&token(1, began, 2)));
    assert!(!shard.token_holds(&token(2, began, 1)), "another cell's");
    assert!(!shard.token_holds(&token(1, began.next(), 1)), "an era that has not been");
    let cursor = |pos, rows| {
        let rows = (Era(1), Pos(rows));
        Cursor { peer: CellId(2), lane: Lane(1), era: Era(1), pos: Pos(pos), rows }
    };
    assert!(shard.cursor_holds(&cursor(1, 1)), "what was there at the restore still is");
    assert!(!shard.cursor_holds(&cursor(2, 1)), "what was lost is not");
    assert!(!shard.cursor_holds(&cursor(1, 2)), "nor are rows that a replay had sent ahead");
    assert_eq!(shard.holds_up_to(Era(1), Lane(1), Pos(2)), Pos(1));
}

#[tokio::test]
async fn a_new_timeline_ends_the_writer_and_begins_an_era() {
    let world = World::new().await;
    let mut lane = world.home().await;
    lane.make(group(1), &[user(1)], 0).await;
    // As a failover would: the same tables, another history.
    world.run("UPDATE eras SET timeline = 'another'").await;
    world.shard.close().await;
    let shard = open(&world.postgres.conninfo("shard")).await.shard;
    assert!(shard.era() > Era(2));
}
