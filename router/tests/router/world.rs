//! A router, two cells of which each owns half of the slots, and a directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use prost::Message;
use skep_directory::MapWatch;
use skep_gate::{RateLimits, TrustedProxies};
use skep_inside::{ClusterSecret, Inside};
use skep_protocol::{
    CellEntry, CellId, ConversationId, Epoch, Millis, SECRET_BYTES, SLOTS, SessionId, SessionToken, Slot, SlotMap,
    UserId, wire,
};
use skep_router::{Options, Patience, Ports, Room};
use skep_tls::Acceptor;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{cells::FakeCell, directory::FakeDirectory};

/// What the router shows.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// How long a test waits for anything that is to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub cells: [FakeCell; 2],
    pub directory: FakeDirectory,
    pub stop: CancellationToken,
    router: Option<JoinHandle<()>>,
    folder: PathBuf,
}

/// A router's own patience, long enough for a busy machine.
pub fn patience() -> Patience {
    Patience { answer: Duration::from_secs(15), away: Duration::from_secs(10), ..Patience::default() }
}

/// A router without rate limits.
pub fn options() -> Options {
    Options {
        public_url: "https://chat.test".to_owned(),
        rate_limits: RateLimits::OFF,
        trusted_proxies: TrustedProxies::default(),
        allowed_origins: Vec::new(),
        patience: patience(),
        room: Room::default(),
    }
}

/// Which cell has what.
#[derive(Clone, Copy)]
pub enum Owners {
    Nobody,
    /// The first cell has the lower half of the slots.
    Halves,
    /// The first cell has nothing any more.
    AllOfSecond,
}

impl World {
    /// Both cells serve, and the router knows the map.
    pub async fn new() -> Self {
        Self::with(patience(), Owners::Halves).await
    }

    pub async fn with(patience: Patience, owners: Owners) -> Self {
        Self::with_options(Options { patience, ..options() }, owners).await
    }

    pub async fn with_options(options: Options, owners: Owners) -> Self {
        let world = Self::without_cells(options, owners).await;
        for cell in &world.cells {
            cell.serve().await;
        }
        world
    }

    /// The cells are known and do not serve yet.
    pub async fn without_cells(options: Options, owners: Owners) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("skep-router-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let cells = [FakeCell::away(1), FakeCell::away(2)];
        let map = map_of(&cells, owners, Epoch(1));
        std::fs::write(folder.join("map.bin"), wire::Map::from(&map).encode_to_vec()).unwrap();
        let directory = FakeDirectory::serve(map).await;
        let stop = CancellationToken::new();
        let url = format!("http://{}", directory.address);
        let inside = Inside::plain(&ClusterSecret::new(SECRET).load().unwrap());
        let map = MapWatch::start(&url, &inside, folder.join("map.bin"), CancellationToken::new()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, admin_address) = (listener.local_addr().unwrap(), admin.local_addr().unwrap());
        let ports = Ports { listener, acceptor: Acceptor::bare(), admin };
        let router = tokio::spawn(skep_router::serve(ports, map, inside, options, stop.clone()));
        Self { address, admin: admin_address, cells, directory, stop, router: Some(router), folder }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What the directory says when it is asked from now on.
    pub fn publish(&self, owners: Owners, epoch: u64) {
        self.directory.set(map_of(&self.cells, owners, Epoch(epoch)));
    }

    pub fn cell(&self, number: u32) -> &FakeCell {
        &self.cells[number as usize - 1]
    }

    /// Waits for the router to end.
    pub async fn ended(&mut self) {
        timeout(PATIENCE, self.router.take().unwrap()).await.expect("the router ends").unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The cell that owns a slot in `Owners::Halves`.
pub fn owner_of(slot: Slot) -> u32 {
    if slot.index() < SLOTS / 2 { 1 } else { 2 }
}

/// A username whose slot is the cell's.
pub fn name_in(cell: u32) -> String {
    let mut names = (0..).map(|i| format!("anna{i}"));
    names.find(|name| owner_of(Slot::of_username(name)) == cell).unwrap()
}

/// An e-mail address whose slot is the cell's.
pub fn address_in(cell: u32) -> String {
    let mut addresses = (0..).map(|i| format!("anna{i}@example.org"));
    addresses.find(|address| owner_of(Slot::of_email(address)) == cell).unwrap()
}

pub fn user_in(cell: u32) -> UserId {
    UserId::new(&name_in(cell), Millis(1), 7)
}

pub fn token_in(cell: u32) -> String {
    SessionToken::new(SessionId::new(user_in(cell), 3), [5; SECRET_BYTES]).to_text()
}

/// The code of a link to a channel of the cell's.
pub fn code_in(cell: u32) -> String {
    let mut channels = (0..).map(ConversationId::channel);
    let channel = channels.find(|channel| owner_of(channel.slot()) == cell).unwrap();
    format!("{:04x}abcdefghijABCDEFGH_-", channel.slot().0)
}

/// Waits until something holds. Panics when it does not.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn map_of(cells: &[FakeCell; 2], owners: Owners, epoch: Epoch) -> SlotMap {
    let mut map = SlotMap::default();
    map.epoch = epoch;
    for cell in cells {
        let entry = CellEntry {
            cell_id: CellId(cell.number),
            relay_address: String::new(),
            http_address: cell.address.to_string(),
            socket_url: String::new(),
            process_epoch: Epoch(1),
        };
        map.cells.insert(entry.cell_id, entry);
    }
    for slot in (0..=u16::MAX).map(Slot) {
        match owners {
            Owners::Nobody => {}
            Owners::Halves => map.assign(slot, CellId(owner_of(slot))),
            Owners::AllOfSecond => map.assign(slot, CellId(2)),
        }
    }
    map
}
