//! The people of a run with their sockets.

use std::sync::Arc;
use std::time::Duration;

use skep_client::{Client, Fleet, FleetOptions, Http, Observer, State};
use tokio_util::sync::CancellationToken;

use crate::{accounts::Person, progress::Stage};

/// Everybody, by number.
pub struct Crowd {
    pub http: Arc<Http>,
    pub people: Arc<Vec<Person>>,
    pub clients: Vec<Client>,
    _fleet: Fleet,
}

/// Handshakes at once: more would only wait in the listener's queue.
const DIALS: usize = 64;

impl Crowd {
    /// Clients that know nothing yet, none connected.
    pub fn new(
        http: Arc<Http>,
        people: Arc<Vec<Person>>,
        observer: Arc<dyn Observer>,
        backlog: u64,
        trace: usize,
    ) -> Self {
        let fleet = Fleet::new(FleetOptions { http: Arc::clone(&http), observer, backlog, dials: DIALS, trace });
        let clients = people.iter().enumerate().map(|(who, p)| fleet.client(who, p.account())).collect();
        Self { http, people, clients, _fleet: fleet }
    }

    /// Connects everybody, and waits until all are live and have what they want of the past.
    pub async fn connect(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let within = Duration::from_secs(60) + Duration::from_millis(20) * self.clients.len() as u32;
        let until = tokio::time::Instant::now() + within;
        let stage = Stage::new("sockets", self.clients.len() as u64);
        self.clients.iter().for_each(Client::connect);
        loop {
            let live = self.clients.iter().filter(|c| c.look(State::is_whole)).count();
            stage.at(live as u64, String::new());
            if live == self.clients.len() {
                stage.done(&format!("{live} live and whole"));
                return Ok(());
            }
            anyhow::ensure!(!stop.is_cancelled(), "stopped before all sockets were there");
            anyhow::ensure!(
                tokio::time::Instant::now() < until,
                "only {live} of {} sockets were live and whole after {within:?}",
                self.clients.len()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everybody goes; waits a few seconds for the last ones.
    pub async fn disconnect(&self) {
        self.clients.iter().for_each(Client::disconnect);
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        while !self.clients.iter().all(Client::is_still) && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
