//! The servers really start, stop, and survive being killed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;

use skep_children::{Durability, Postgres, Redis};

async fn count(conninfo: &str, sql: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(conninfo, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn what_is_committed_survives_a_kill_and_a_start_over_what_it_left() {
    let mut postgres = Postgres::scratch().unwrap();
    postgres.create_database("bees").unwrap();
    postgres.create_database("bees").unwrap();
    assert_eq!(count(&postgres.conninfo("bees"), "select 1::int8").await, 1);
    postgres.kill();
    assert_eq!(postgres.pid(), None);
    postgres.start().unwrap();
    assert_eq!(count(&postgres.conninfo("bees"), "select count(*) from pg_database where datname = 'bees'").await, 1);
}

#[tokio::test]
async fn a_server_left_running_is_replaced() {
    let first = Postgres::scratch().unwrap();
    let second = Postgres::open(first.folder(), Durability::ForTests).unwrap();
    assert_ne!(first.pid(), second.pid());
    assert_eq!(count(&second.conninfo("postgres"), "select 1::int8").await, 1);
}

#[tokio::test]
async fn a_folder_that_only_its_owner_may_enter_will_do() {
    let outer = std::env::temp_dir().join(format!("skep-closed-{}", std::process::id()));
    std::fs::create_dir(&outer).unwrap();
    std::fs::set_permissions(&outer, std::fs::Permissions::from_mode(0o700)).unwrap();
    let postgres = Postgres::open(&outer.join("pg"), Durability::ForTests).unwrap();
    assert_eq!(count(&postgres.conninfo("postgres"), "select 1::int8").await, 1);
    drop(postgres);
    std::fs::remove_dir_all(&outer).unwrap();
}

#[test]
fn a_path_too_long_for_a_socket_is_refused_with_the_reason() {
    let folder = std::env::temp_dir().join("x".repeat(100));
    let error = Redis::open(&folder).unwrap_err().to_string();
    assert!(error.contains("shorter path"), "{error}");
    assert!(!folder.exists());
}

#[test]
fn redis_comes_back_over_its_folder() {
    let mut redis = Redis::scratch().unwrap();
    let first = redis.pid();
    redis.stop();
    redis.start().unwrap();
    assert_ne!(redis.pid(), first);
}
