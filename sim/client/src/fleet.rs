//! Any number of clients in one process: what they share, and the one clock that wakes them.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    client::{Account, Client, Shared},
    event::Observer,
    http::Http,
};

/// How often clients are looked after: repeats, fetches and pings are late by this at most.
const TICK: Duration = Duration::from_millis(50);

/// What all clients of a fleet share.
pub struct FleetOptions {
    pub http: Arc<Http>,
    pub observer: Arc<dyn Observer>,
    /// How many older messages of a conversation a client wants at once; `u64::MAX` for all.
    pub backlog: u64,
    /// Handshakes at once.
    pub dials: usize,
    /// Frames that each client remembers, to tell them when something is wrong; 0 costs nothing.
    pub trace: usize,
}

/// The clients of one process.
pub struct Fleet {
    common: Arc<Common>,
    clients: Arc<Mutex<Vec<Weak<Shared>>>>,
    ticker: tokio::task::JoinHandle<()>,
}

pub(crate) struct Common {
    pub http: Arc<Http>,
    pub observer: Arc<dyn Observer>,
    pub backlog: u64,
    pub dials: Semaphore,
    pub trace: usize,
    origin: Instant,
}

impl Common {
    /// Milliseconds since the fleet was made.
    pub fn now_ms(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }
}

impl Fleet {
    /// Starts looking after clients; ends when the fleet is dropped.
    pub fn new(options: FleetOptions) -> Self {
        let FleetOptions { http, observer, backlog, dials, trace } = options;
        let dials = Semaphore::new(dials);
        let common = Arc::new(Common { http, observer, backlog, dials, trace, origin: Instant::now() });
        let clients: Arc<Mutex<Vec<Weak<Shared>>>> = Arc::default();
        let ticker = tokio::spawn(tick(Arc::clone(&clients)));
        Self { common, clients, ticker }
    }

    /// A client that knows nothing yet and is not connected. `who` names it to the observer.
    pub fn client(&self, who: usize, account: Account) -> Client {
        let client = Client::new(who, account, Arc::clone(&self.common));
        self.clients.lock().push(client.downgrade());
        client
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

async fn tick(clients: Arc<Mutex<Vec<Weak<Shared>>>>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        clients.lock().retain(|client| client.upgrade().inspect(|c| c.tick()).is_some());
    }
}
