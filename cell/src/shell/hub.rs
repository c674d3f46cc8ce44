//! Where the running parts of a cell find each other: lanes, workers, peers, and who waits for an answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use skep_core::{
    Answer, Change, MarkResult, Op, Origin, Request,
    fanout::{self, Backlog, Queued, ReplyTo, Sessions, Source, Worker},
    home::{self, HomeLane},
    mirror::{self, MirrorLane},
    peers::Ring,
};
use skep_protocol::{
    CellId, CloseCode, Code, ConversationId, Epoch, Era, Lane, Millis, Pos, Refusal, RequestId, SlotMap, UserId, limits,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{fanout as worker_shell, home as home_shell, mirror as mirror_shell};
use crate::{
    metrics::Metrics,
    relay::{Answers, Dialler},
    storage::{LaneWriter, Shard},
};

pub use super::{fanout::WorkerCommand, mirror::MirrorCommand};

/// The running parts of a cell.
pub struct Hub {
    pub cell: CellId,
    pub era: Era,
    pub process_epoch: Epoch,
    pub map: ArcSwap<SlotMap>,
    pub metrics: Metrics,
    /// One per home lane, in order.
    pub rings: Vec<Mutex<Ring>>,
    /// Rung when a ring has grown.
    pub ring_moved: Notify,
    homes: Vec<mpsc::UnboundedSender<home_shell::Input>>,
    mirror: mpsc::UnboundedSender<MirrorCommand>,
    workers: Vec<mpsc::UnboundedSender<WorkerCommand>>,
    /// How much waits for each worker.
    backlogs: Vec<Mutex<Backlog>>,
    /// Connections of each person that are past `welcome`.
    pub online: RwLock<HashMap<UserId, u32>>,
    /// Those who wait for an answer and are no connection.
    replies: Mutex<HashMap<RequestId, oneshot::Sender<(Answer, AnsweredBy)>>>,
    /// Told of people whose last connection went.
    offline: mpsc::Sender<UserId>,
    /// Each peer's newest stream, and the answers that wait for it. Requests are taken from no other.
    pub answers: Mutex<HashMap<CellId, Arc<Answers>>>,
    diallers: RwLock<HashMap<CellId, Arc<Dialler>>>,
    /// The highest process epoch heard from each cell itself: the map may be older.
    epochs: Mutex<HashMap<CellId, Epoch>>,
    next_connection: AtomicU64,
    stop: CancellationToken,
}

/// What a cell's hub is made of.
pub struct Running {
    pub cell: CellId,
    pub map: Arc<SlotMap>,
    pub shard: Arc<Shard>,
    /// One writer per lane, mirror lane first.
    pub writers: Vec<LaneWriter>,
    pub cursors: Vec<skep_core::Cursor>,
    pub workers: usize,
    pub offline: mpsc::Sender<UserId>,
    pub stop: CancellationToken,
}

impl Hub {
    /// Starts all lanes and workers.
    pub fn start(running: Running) -> Arc<Self> {
        let Running { cell, map, shard, writers, cursors, workers, offline, stop } = running;
        let era = shard.era();
        let positions: Vec<Pos> = writers.iter().map(LaneWriter::position).collect();
        let (home_senders, home_queues): (Vec<_>, Vec<_>) =
            writers[1..].iter().map(|_| mpsc::unbounded_channel()).unzip();
        let (mirror_sender, mirror_queue) = mpsc::unbounded_channel();
        let (worker_senders, worker_queues): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
        let hub = Arc::new(Self {
            cell,
            era,
            process_epoch: shard.epoch(),
            map: ArcSwap::new(Arc::clone(&map)),
            metrics: Metrics::default(),
            rings: positions[1..].iter().map(|p| Mutex::new(Ring::new(*p, limits::RING_BYTES))).collect(),
            ring_moved: Notify::new(),
            homes: home_senders.clone(),
            mirror: mirror_sender.clone(),
            workers: worker_senders,
            backlogs: (0..workers)
                .map(|_| Mutex::new(Backlog::new(positions.len(), limits::WORKER_QUEUE_BYTES)))
                .collect(),
            online: RwLock::new(HashMap::new()),
            replies: Mutex::new(HashMap::new()),
            offline,
            answers: Mutex::new(HashMap::new()),
            diallers: RwLock::new(HashMap::new()),
            epochs: Mutex::new(HashMap::new()),
            next_connection: AtomicU64::new(1),
            stop,
        });
        let mut writers = writers.into_iter();
        let mirror_writer = writers.next().expect("the mirror lane has a writer");
        let options = mirror::Options { cell, position: positions[0], cursors };
        let lane = MirrorLane::new(options, Arc::clone(&map), now());
        tokio::spawn(mirror_shell::run(
            Arc::clone(&hub),
            Arc::clone(&shard),
            lane,
            mirror_writer,
            mirror_sender,
            mirror_queue,
        ));
        for (i, (writer, (inputs, queue))) in writers.zip(home_senders.into_iter().zip(home_queues)).enumerate() {
            let position = positions[i + 1];
            let lane = Lane(u16::try_from(i + 1).expect("few lanes"));
            let lane = HomeLane::new(home::Options { cell, lane, era, position }, Arc::clone(&map));
            tokio::spawn(home_shell::run(Arc::clone(&hub), Arc::clone(&shard), lane, writer, inputs, queue));
        }
        for (index, queue) in worker_queues.into_iter().enumerate() {
            let options = fanout::Options { cell, era, index, workers, positions: positions.clone() };
            let (hub, shard) = (Arc::clone(&hub), Arc::clone(&shard));
            tokio::spawn(worker_shell::run(hub, shard, index, Worker::new(options), queue));
        }
        hub
    }

    pub fn home_lanes(&self) -> u16 {
        u16::try_from(self.homes.len()).expect("few lanes")
    }

    pub fn next_connection(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends the process: another has the shard, or memory and shard differ.
    pub fn stop(&self, reason: &str) {
        tracing::error!(reason, "this cell has to stop");
        self.stop.cancel();
    }

    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Whether no newer process of that cell is known. It is remembered.
    pub fn is_newest(&self, cell: CellId, epoch: Epoch) -> bool {
        let in_map = self.map.load().cells.get(&cell).map_or(Epoch::ZERO, |entry| entry.process_epoch);
        let mut epochs = self.epochs.lock();
        let known = epochs.entry(cell).or_default();
        *known = (*known).max(in_map).max(epoch);
        *known == epoch
    }

    pub fn is_home_of(&self, conversation: ConversationId) -> bool {
        self.map.load().owner(conversation.slot()) == Some(self.cell)
    }

    /// A newer map: lanes judge by it from now on.
    pub fn new_map(&self, map: &Arc<SlotMap>) {
        self.map.store(Arc::clone(map));
        for lane in &self.homes {
            _ = lane.send(home_shell::Input::Event(home::Event::Map(Arc::clone(map))));
        }
        self.mirror(MirrorCommand::Event(mirror::Event::Map(Arc::clone(map))));
    }

    // --- requests

    /// Asks from outside of any connection, and waits for the answer.
    pub async fn ask(&self, actor: UserId, conversation_id: ConversationId, op: Op) -> (Answer, AnsweredBy) {
        let message = match &op {
            Op::Send { client_message_id, .. } => Some(*client_message_id),
            _ => None,
        };
        let request_id = self.request_id(actor, Whose::Outside);
        let (reply, answer) = oneshot::channel();
        self.replies.lock().insert(request_id, reply);
        if message.is_some() {
            let reply_to = ReplyTo::Elsewhere;
            let expect = fanout::Event::Expect { request_id, reply_to, user: actor, conversation_id, message };
            self.worker(actor, WorkerCommand::Event(expect));
        }
        self.request(Request { request_id, origin: Origin::Local, conversation_id, actor, op });
        let deadline = Duration::from_millis(limits::REQUEST_DEADLINE_MS + 500);
        let answered = tokio::time::timeout(deadline, answer).await;
        self.replies.lock().remove(&request_id);
        match answered {
            Ok(Ok(answer)) => answer,
            _ => {
                let late = Answer::refused(Code::Unavailable, "no answer came in time: trying again is safe");
                (late, AnsweredBy::Words)
            }
        }
    }

    /// A request of a connection; its answer goes to the connection's worker.
    pub fn ask_for(&self, connection: u64, reference: u64, actor: UserId, conversation_id: ConversationId, op: Op) {
        let message = match &op {
            Op::Send { client_message_id, .. } => Some(*client_message_id),
            _ => None,
        };
        let request_id = self.request_id(actor, Whose::Worker);
        let reply_to = ReplyTo::Socket { connection, reference };
        let expect = fanout::Event::Expect { request_id, reply_to, user: actor, conversation_id, message };
        self.worker(actor, WorkerCommand::Event(expect));
        self.request(Request { request_id, origin: Origin::Local, conversation_id, actor, op });
    }

    /// To the lane that decides: here, or at the peer that is the conversation's home.
    pub fn request(&self, request: Request) {
        let owner = self.map.load().owner(request.conversation_id.slot());
        match owner {
            Some(owner) if owner == self.cell => self.request_here(request),
            // One's own marks are written where one lives.
            _ if request.op.is_own_mark() => self.mirror(MirrorCommand::Event(mirror::Event::Request(request))),
            Some(owner) => {
                let (origin, request_id) = (request.origin, request.request_id);
                let dialler = self.diallers.read().get(&owner).cloned();
                match dialler {
                    Some(dialler) => dialler.forward(request),
                    None => self.answer(origin, request_id, unreachable_home()),
                }
            }
            None => self.answer(request.origin, request.request_id, unreachable_home()),
        }
    }

    /// To the lane of a conversation that is homed here.
    pub fn request_here(&self, request: Request) {
        let lane = Lane::of_home(request.conversation_id.slot(), self.home_lanes());
        let event = home_shell::Input::Event(home::Event::Request(request));
        _ = self.homes[usize::from(lane.0) - 1].send(event);
    }

    /// An answer in words, to whoever asked.
    pub fn answer(&self, origin: Origin, request_id: RequestId, answer: Answer) {
        match origin {
            Origin::Peer(peer, stream) => {
                let answers = self.answers.lock().get(&peer).cloned();
                if let Some(answers) = answers.filter(|a| a.stream == stream) {
                    answers.push(request_id, answer);
                    self.ring_moved.notify_waiters();
                }
            }
            Origin::Local if request_id.as_bytes()[1] == Whose::Worker as u8 => {
                let worker = usize::from(request_id.as_bytes()[0]);
                let event = WorkerCommand::Event(fanout::Event::Answered(request_id, answer));
                _ = self.workers[worker].send(event);
            }
            Origin::Local => self.settled(request_id, answer, AnsweredBy::Words),
        }
    }

    /// To somebody outside who waits.
    pub fn settled(&self, request_id: RequestId, answer: Answer, by: AnsweredBy) {
        if let Some(reply) = self.replies.lock().remove(&request_id) {
            _ = reply.send((answer, by));
        }
    }

    /// Until all that has arrived from other homes is committed here.
    pub async fn barrier(&self) -> Result<(), Refusal> {
        let (done, opened) = oneshot::channel();
        self.mirror(MirrorCommand::Barrier(done));
        match tokio::time::timeout(Duration::from_millis(limits::REQUEST_DEADLINE_MS), opened).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refusal::new(Code::Unavailable, "the database is not keeping up at the moment; try again soon")),
        }
    }

    // --- changes

    /// A committed change of a home lane: to peers and to this cell's connections.
    pub fn publish(&self, change: Arc<Change>) {
        let messages: usize = change.conversations.iter().map(|c| c.messages.len()).sum();
        self.metrics.committed(messages as u64);
        self.rings[usize::from(change.lane.0) - 1].lock().push(Arc::clone(&change));
        self.ring_moved.notify_waiters();
        self.hand_out(&change, Source::Home);
    }

    /// A change of another home, durable there.
    pub fn push(&self, change: Arc<Change>) {
        self.hand_out(&change, Source::Mirror);
    }

    /// To every worker that has room; the connections of one that has none must sync.
    fn hand_out(&self, change: &Arc<Change>, source: Source) {
        let (lane, bytes) = (source.lane(change), change.bytes());
        for (worker, backlog) in self.workers.iter().zip(&self.backlogs) {
            // Counted and queued in one: a note stands where changes were left out.
            let mut backlog = backlog.lock();
            let event = match backlog.put(lane, bytes, change.through) {
                Queued::Change => fanout::Event::Change(Arc::clone(change), source),
                Queued::Note => {
                    tracing::warn!(%lane, "a fan-out worker does not follow: its connections are told to sync");
                    fanout::Event::Skipped(lane, change.through)
                }
                Queued::Nothing => continue,
            };
            _ = worker.send(WorkerCommand::Event(event));
        }
    }

    /// A worker takes an event from its queue.
    pub(super) fn taken(&self, worker: usize, event: fanout::Event) -> fanout::Event {
        match event {
            fanout::Event::Change(change, source) => {
                self.backlogs[worker].lock().taken(source.lane(&change), change.bytes());
                fanout::Event::Change(change, source)
            }
            fanout::Event::Skipped(lane, _) => fanout::Event::Skipped(lane, self.backlogs[worker].lock().noted(lane)),
            event => event,
        }
    }

    pub fn mirror_committed(&self, pos: Pos) {
        self.to_workers(|| fanout::Event::MirrorCommitted(pos));
    }

    pub fn marked(&self, marks: Vec<MarkResult>) {
        for mark in marks {
            self.worker(mark.user_id, WorkerCommand::Event(fanout::Event::Marked(vec![mark])));
        }
    }

    /// Closes the connections of sessions that have ended.
    pub fn end_sessions(&self, user: UserId, which: Sessions, code: CloseCode) {
        self.worker(user, WorkerCommand::Event(fanout::Event::EndSessions { user, which, code }));
    }

    /// All counters, in Prometheus' text form.
    pub fn metrics_text(&self) -> String {
        self.metrics.text(self.presence().0)
    }

    /// Somebody's connection went.
    pub(super) fn gone(&self, user: UserId) {
        let mut online = self.online.write();
        let Some(count) = online.get_mut(&user) else { return };
        *count -= 1;
        if *count == 0 {
            online.remove(&user);
            // When so many go at once that this is full, some are last seen a little earlier.
            _ = self.offline.try_send(user);
        }
    }

    pub fn is_online(&self, user: UserId) -> bool {
        self.online.read().contains_key(&user)
    }

    /// Connections of this person that are past `welcome`.
    pub fn sockets_of(&self, user: UserId) -> u32 {
        self.online.read().get(&user).copied().unwrap_or(0)
    }

    /// Connections, and the people who have them.
    pub fn presence(&self) -> (u64, u64) {
        let online = self.online.read();
        (online.values().map(|count| u64::from(*count)).sum(), online.len() as u64)
    }

    /// Where the mirror lane stands, and how far the peers' lanes have arrived; `None` when the process is ending.
    pub async fn mirror_stand(&self) -> Option<(Pos, Vec<skep_core::Cursor>)> {
        let (told, stand) = oneshot::channel();
        self.mirror(MirrorCommand::Stand(told));
        stand.await.ok()
    }

    /// Whether the stream from this peer is up.
    pub fn hears(&self, peer: CellId) -> bool {
        self.diallers.read().get(&peer).is_some_and(|dialler| dialler.is_up())
    }

    // --- ways to the parts

    pub fn to_worker(&self, index: usize, event: fanout::Event) {
        _ = self.workers[index].send(WorkerCommand::Event(event));
    }

    pub fn worker(&self, user: UserId, command: WorkerCommand) {
        _ = self.workers[Worker::of(user, self.workers.len())].send(command);
    }

    pub fn to_workers(&self, event: impl Fn() -> fanout::Event) {
        for worker in &self.workers {
            _ = worker.send(WorkerCommand::Event(event()));
        }
    }

    pub fn mirror(&self, command: MirrorCommand) {
        _ = self.mirror.send(command);
    }

    pub(super) fn peer(&self, peer: CellId, what: impl FnOnce(&Dialler)) {
        let dialler = self.diallers.read().get(&peer).cloned();
        if let Some(dialler) = dialler {
            what(&dialler);
        }
    }

    pub fn add_dialler(&self, peer: CellId, dialler: Arc<Dialler>) {
        self.diallers.write().insert(peer, dialler);
    }

    pub fn has_dialler(&self, peer: CellId) -> bool {
        self.diallers.read().contains_key(&peer)
    }

    /// A new request's id says where its answer goes: which worker, and whether to a worker at all.
    fn request_id(&self, actor: UserId, whose: Whose) -> RequestId {
        let mut bytes: [u8; 16] = rand::random();
        bytes[0] = u8::try_from(Worker::of(actor, self.workers.len())).expect("few workers");
        bytes[1] = whose as u8;
        Uuid::from_bytes(bytes)
    }
}

/// How an answer came. A first send is answered by its own change; words about a message mean that it stood already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnsweredBy {
    Change,
    Words,
}

/// Who takes an answer in words.
#[derive(Clone, Copy)]
enum Whose {
    Outside = 0,
    Worker = 1,
}

/// Now, by the wall clock.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn unreachable_home() -> Answer {
    Answer::refused(Code::Unavailable, "that conversation cannot be reached at the moment; trying again is safe")
}
