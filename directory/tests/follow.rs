//! Cells register at a real directory over a real database; others follow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use skep_children::{HeldPort, Postgres};
use skep_directory::{Config, DirectoryError, MapWatch};
use skep_inside::{ClusterSecret, Inside};
use skep_protocol::{CellId, Epoch, wire};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

struct World {
    postgres: Postgres,
    folder: std::path::PathBuf,
    port: HeldPort,
}

impl World {
    fn new() -> Self {
        let postgres = Postgres::scratch().unwrap();
        postgres.create_database("directory").unwrap();
        let folder = postgres.folder().join("maps");
        std::fs::create_dir(&folder).unwrap();
        Self { postgres, folder, port: HeldPort::any().unwrap() }
    }

    fn directory(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        let config = Config {
            listen: self.port.address(),
            admin_listen: "127.0.0.1:0".parse().unwrap(),
            database: self.postgres.conninfo("directory"),
            cluster_secret: ClusterSecret::new(SECRET),
            inner_tls: None,
        };
        tokio::spawn(skep_directory::run(config, stop.clone()));
        stop
    }

    fn watch(&self, name: &str) -> Arc<MapWatch> {
        self.watch_as(name, SECRET)
    }

    fn watch_as(&self, name: &str, secret: &str) -> Arc<MapWatch> {
        let inside = Inside::plain(&ClusterSecret::new(secret).load().unwrap());
        let url = format!("http://{}", self.port.address());
        MapWatch::start(&url, &inside, self.folder.join(name), CancellationToken::new()).unwrap()
    }
}

fn cell(cell_id: u32, process_epoch: u64) -> wire::Cell {
    let address = format!("127.0.0.1:{cell_id}");
    wire::Cell {
        cell_id,
        relay_address: address.clone(),
        http_address: address.clone(),
        socket_url: address,
        process_epoch,
    }
}

async fn register(watch: &MapWatch, cell_id: u32, epoch: u64) -> Result<(), DirectoryError> {
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match watch.register(cell(cell_id, epoch), 2).await {
                Err(DirectoryError::Away(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                other => return other.map(|_| ()),
            }
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn cells_share_the_slots_and_everyone_follows() {
    let world = World::new();
    let stop = world.directory();
    let (one, two) = (world.watch("one"), world.watch("two"));
    register(&one, 1, 1).await.unwrap();
    assert!(!one.current().is_whole(), "slots are handed out when all expected cells are there");
    register(&two, 2, 1).await.unwrap();
    let map = tokio::time::timeout(Duration::from_secs(10), one.whole()).await.unwrap();
    assert_eq!(map.cells.len(), 2);
    assert_eq!(map.owners(), two.current().owners());

    // A third cell is known, and owns nothing yet: no slot changes its owner.
    register(&two, 3, 1).await.unwrap();
    let later = tokio::time::timeout(Duration::from_secs(10), one.changed_since(map.epoch)).await.unwrap();
    assert_eq!(later.owners(), map.owners());

    // A newer process of a cell replaces the older one, never the other way round.
    register(&one, 1, 5).await.unwrap();
    assert!(matches!(register(&one, 1, 4).await, Err(DirectoryError::Superseded)));
    stop.cancel();
}

#[tokio::test]
async fn the_map_kept_on_disk_serves_while_the_directory_is_away() {
    let world = World::new();
    let stop = world.directory();
    let watch = world.watch("one");
    register(&watch, 1, 1).await.unwrap();
    register(&watch, 2, 1).await.unwrap();
    let epoch = watch.current().epoch;
    stop.cancel();

    let again = world.watch("one");
    assert_eq!(again.current().epoch, epoch);
    assert!(again.current().is_whole());

    let stop = world.directory();
    register(&again, 1, 2).await.unwrap();
    let entry = again.current().cells[&CellId(1)].clone();
    assert_eq!(entry.process_epoch, Epoch(2));
    stop.cancel();
}

#[tokio::test]
async fn who_does_not_know_the_secret_is_told_so_and_learns_nothing() {
    let world = World::new();
    let stop = world.directory();
    let known = world.watch("known");
    register(&known, 1, 1).await.unwrap();
    register(&known, 2, 1).await.unwrap();
    let other = "another secret".repeat(3).replace(' ', "-");
    let stranger = world.watch_as("stranger", &other);
    for refused in [stranger.admitted().await, register(&stranger, 2, 9).await] {
        let Err(error @ DirectoryError::Refused(_)) = refused else { panic!("{refused:?}") };
        let sentence = error.to_string();
        assert!(sentence.contains("cluster secret does not match") && !sentence.contains(&other), "{sentence}");
    }
    assert!(stranger.current().cells.is_empty());
    // The secret is being changed: the new one is shown, and so far only the old one is known elsewhere.
    let both = world.watch_as("both", &format!("{SECRET} {other}"));
    both.admitted().await.unwrap();
    assert!(both.current().is_whole());
    stop.cancel();
}
