//! X's side: one dialler per peer, which keeps a stream up and remembers what it has forwarded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use skep_core::{
    Cursor, Request,
    mirror::Event,
    peers::{Forward, ForwardEffect},
};
use skep_directory::MapWatch;
use skep_inside::{Inside, Seldom};
use skep_protocol::{CellEntry, CellId, Epoch, SlotMap, limits, wire};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use wire::{from_home::Frame as In, from_subscriber::Frame as Out};

use super::{Repair, convert};
use crate::shell::{Hub, MirrorCommand};

/// A stream that lasted so long was a good one.
const CALM: Duration = Duration::from_secs(30);
const HOLE_MS_MAX: u64 = 5_000;

/// What a cell keeps of one peer.
pub struct Dialler {
    peer: CellId,
    hub: Arc<Hub>,
    forward: Mutex<Forward>,
    /// The stream that is up.
    stream: Mutex<Option<mpsc::UnboundedSender<wire::FromSubscriber>>>,
    cursors: Mutex<Option<oneshot::Sender<Vec<Cursor>>>>,
    reopen: Notify,
    paused: watch::Sender<bool>,
    inside: Inside,
    refused: Seldom,
    repair: Arc<Repair>,
}

/// How often it is said that the peer refuses this cell.
const REFUSED_PERIOD: Duration = Duration::from_secs(30);

/// Starts a dialler for every other cell of the map, now and whenever a cell is added.
pub async fn dial_peers(hub: Arc<Hub>, map: Arc<MapWatch>, inside: Inside, repair: Arc<Repair>) {
    let mut epoch = Epoch::ZERO;
    loop {
        let current = map.current();
        for peer in current.cells.keys().filter(|c| **c != hub.cell) {
            if !hub.has_dialler(*peer) {
                let dialler = Arc::new(Dialler::new(*peer, Arc::clone(&hub), inside.clone(), Arc::clone(&repair)));
                hub.add_dialler(*peer, Arc::clone(&dialler));
                tokio::spawn(dialler.run(Arc::clone(&map)));
            }
        }
        if current.epoch > epoch {
            epoch = current.epoch;
            hub.new_map(&current);
        }
        tokio::select! {
            _ = map.changed_since(epoch) => {}
            () = hub.stopped() => return,
        }
    }
}

/// What goes to the peer, and what comes from it.
type Link = (mpsc::UnboundedSender<wire::FromSubscriber>, tonic::Streaming<wire::FromHome>);

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the peer serves elsewhere now")]
    Elsewhere,
    #[error("a newer process of the peer has been heard")]
    Superseded,
    #[error("{0}")]
    Transport(#[from] tonic::transport::Error),
    #[error("{0}")]
    Status(#[from] tonic::Status),
    #[error("it says nothing")]
    Silent,
    #[error("{0}")]
    Malformed(#[from] convert::Malformed),
    #[error("its frames do not fit together")]
    Hole,
}

impl Dialler {
    fn new(peer: CellId, hub: Arc<Hub>, inside: Inside, repair: Arc<Repair>) -> Self {
        Self {
            peer,
            hub,
            forward: Mutex::default(),
            stream: Mutex::default(),
            cursors: Mutex::default(),
            reopen: Notify::new(),
            paused: watch::Sender::new(false),
            inside,
            refused: Seldom::new(REFUSED_PERIOD),
            repair,
        }
    }

    /// A request for the peer's lanes.
    pub fn forward(&self, request: Request) {
        tracing::debug!(relay_request = %request.request_id, home = %self.peer, "asked of the home");
        self.with_forward(|forward, effects| forward.request(crate::shell::now(), request, effects));
    }

    /// What is to be sent goes while the order is held: nothing new overtakes what is sent again.
    fn with_forward(&self, act: impl FnOnce(&mut Forward, &mut Vec<ForwardEffect>)) {
        let mut forward = self.forward.lock();
        let mut effects = Vec::new();
        act(&mut forward, &mut effects);
        for effect in effects {
            match effect {
                ForwardEffect::Send(request) => {
                    if let Some(stream) = &*self.stream.lock() {
                        let requests = vec![convert::request_to_wire(&request)];
                        say(stream, Out::Requests(wire::Requests { requests }));
                    }
                }
                ForwardEffect::Answer(id, answer) => self.hub.mirror(MirrorCommand::Answer(id, answer)),
            }
        }
    }

    /// Where the mirror lane wants the stream to go on.
    pub fn subscribe(&self, cursors: Vec<Cursor>) {
        if let Some(waiting) = self.cursors.lock().take() {
            _ = waiting.send(cursors);
        }
    }

    /// Whether a stream is up.
    pub fn is_up(&self) -> bool {
        self.stream.lock().is_some()
    }

    pub fn reopen(&self) {
        self.reopen.notify_one();
    }

    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    async fn run(self: Arc<Self>, map: Arc<MapWatch>) {
        let ticking = Arc::clone(&self);
        tokio::spawn(async move { ticking.tick().await });
        let (mut wait_ms, mut hole_ms) = (50, 50);
        loop {
            let (known, begun) = (map.current(), Instant::now());
            let Some(entry) = known.cells.get(&self.peer) else { return };
            let ended = tokio::select! {
                ended = self.stream(entry, known.epoch, &mut wait_ms) => ended,
                () = self.is_elsewhere(&map, entry) => Err(Ended::Elsewhere),
                () = self.hub.stopped() => return,
            };
            self.with_forward(|forward, _| {
                *self.stream.lock() = None;
                forward.closed();
            });
            if let Err(error) = ended {
                if let Ended::Status(status) = &error
                    && status.message().starts_with("superseded")
                {
                    self.hub.stop("a newer process serves this cell");
                    return;
                }
                if let Ended::Status(status) = &error
                    && status.code() == tonic::Code::OutOfRange
                    && self.is_repaired(&known).await
                {
                    return self.hub.stop("a peer's loss was set aside: begin anew from the shard");
                }
                match &error {
                    Ended::Status(status) if status.code() == tonic::Code::Unauthenticated => {
                        if let Some(times) = self.refused.happened() {
                            let reason = status.message();
                            tracing::error!(peer = %self.peer, reason, times, "the peer refuses this cell");
                        }
                    }
                    _ => tracing::info!(peer = %self.peer, %error, "the stream ended; dialling again"),
                }
                // A change that is rejected again and again must not be fetched again and again at once.
                if matches!(error, Ended::Hole) {
                    hole_ms = if begun.elapsed() < CALM { (hole_ms * 2).min(HOLE_MS_MAX) } else { 50 };
                    wait_ms = hole_ms;
                }
            }
            let jitter = rand::random_range(0..=wait_ms / 2);
            tokio::time::sleep(Duration::from_millis(wait_ms / 2 + jitter)).await;
            wait_ms = (wait_ms * 2).min(1_000);
        }
    }

    /// The peer has lost what this cell has of it.
    async fn is_repaired(&self, map: &SlotMap) -> bool {
        match self.repair.run(self.peer, map).await {
            Ok(done) => done.is_some(),
            Err(refusal) => {
                tracing::error!(peer = %self.peer, %refusal, "the loss of a peer could not be set aside yet");
                false
            }
        }
    }

    /// Waits until the peer serves elsewhere, or by another process: a frozen one takes connections and says nothing.
    async fn is_elsewhere(&self, map: &MapWatch, dialled: &CellEntry) {
        let mut known = map.current();
        while known.cells.get(&self.peer) == Some(dialled) {
            known = map.changed_since(known.epoch).await;
        }
    }

    async fn stream(&self, entry: &CellEntry, map_epoch: Epoch, wait_ms: &mut u64) -> Result<(), Ended> {
        let silence = Duration::from_millis(limits::RELAY_SILENCE_MS);
        let linked = tokio::time::timeout(silence, self.link(entry, map_epoch)).await;
        let (frames, incoming) = linked.map_err(|_| Ended::Silent)??;
        self.with_forward(|forward, effects| {
            *self.stream.lock() = Some(frames);
            forward.opened(effects);
        });
        *wait_ms = 50;
        self.read(incoming).await
    }

    async fn link(&self, entry: &CellEntry, map_epoch: Epoch) -> Result<Link, Ended> {
        let endpoint = self
            .inside
            .endpoint(&entry.relay_address)?
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(2))
            .initial_stream_window_size(4 * 1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024);
        let channel = self.inside.connect(&endpoint).await?;
        let mut client = wire::relay_client::RelayClient::new(channel)
            .max_decoding_message_size(2 * limits::RELAY_FRAME_BYTES)
            .max_encoding_message_size(2 * limits::RELAY_FRAME_BYTES);
        let (frames, outgoing) = mpsc::unbounded_channel();
        let opening = wire::Opening {
            cell_id: self.hub.cell.0,
            process_epoch: self.hub.process_epoch.0,
            map_epoch: map_epoch.0,
            home_lanes: u32::from(self.hub.home_lanes()),
            era: self.hub.era.0,
        };
        say(&frames, Out::Opening(opening));
        let cursors = self.ask_cursors().await;
        let cursors = cursors.iter().map(convert::cursor_to_wire).collect();
        say(&frames, Out::Subscribe(wire::Subscribe { cursors }));
        let incoming = client.link(UnboundedReceiverStream::new(outgoing)).await?;
        Ok((frames, incoming.into_inner()))
    }

    /// In the order of the mirror lane, so that what arrived on an earlier stream is counted.
    async fn ask_cursors(&self) -> Vec<Cursor> {
        let (waiting, cursors) = oneshot::channel();
        *self.cursors.lock() = Some(waiting);
        self.hub.mirror(MirrorCommand::Event(Event::Opened(self.peer)));
        cursors.await.unwrap_or_default()
    }

    async fn read(&self, mut incoming: tonic::Streaming<wire::FromHome>) -> Result<(), Ended> {
        let silence = Duration::from_millis(limits::RELAY_SILENCE_MS);
        let mut paused = self.paused.subscribe();
        loop {
            tokio::select! {
                resumed = paused.wait_for(|paused| !paused) => if resumed.is_err() {
                    return Ok(());
                },
                () = self.reopen.notified() => return Err(Ended::Hole),
            }
            let frame = tokio::select! {
                frame = tokio::time::timeout(silence, incoming.next()) => frame.map_err(|_| Ended::Silent)?,
                () = self.reopen.notified() => return Err(Ended::Hole),
            };
            let Some(frame) = frame.transpose()? else { return Ok(()) };
            match frame.frame {
                Some(In::Changes(changes)) => {
                    let change = convert::change_from_wire(changes)?;
                    self.forward.lock().arrived(&change);
                    self.hub.mirror(MirrorCommand::Event(Event::Arrived(self.peer, change)));
                }
                Some(In::Opening(opening)) if !self.hub.is_newest(self.peer, Epoch(opening.process_epoch)) => {
                    return Err(Ended::Superseded);
                }
                Some(In::Answers(answers)) => {
                    for answer in answers.answers {
                        let asked = |id| self.forward.lock().get(id).cloned();
                        let (id, answer) = convert::answer_from_wire(answer, asked)?;
                        self.with_forward(|forward, effects| forward.answered(id, answer, effects));
                    }
                }
                _ => {}
            }
        }
    }

    /// Deadlines of what was forwarded, and a word to the peer: once a second.
    async fn tick(&self) {
        let mut second = tokio::time::interval(Duration::from_millis(limits::RELAY_HEARTBEAT_MS));
        loop {
            tokio::select! {
                _ = second.tick() => {}
                () = self.hub.stopped() => return,
            }
            self.with_forward(|forward, effects| forward.tick(crate::shell::now(), effects));
            if let Some(stream) = &*self.stream.lock() {
                say(stream, Out::Heartbeat(wire::Heartbeat {}));
            }
        }
    }
}

fn say(stream: &mpsc::UnboundedSender<wire::FromSubscriber>, frame: Out) {
    // A closed stream is noticed by its reader; what was forwarded is sent again on the next one.
    _ = stream.send(wire::FromSubscriber { frame: Some(frame) });
}
