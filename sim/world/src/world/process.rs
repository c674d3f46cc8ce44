//! A cell's process: its memory, its start and its death.

use std::collections::BTreeMap;

use skep_core::fanout::{Backlog, ConnectionId, Worker};
use skep_core::home::HomeLane;
use skep_core::mirror::{BarrierId, MirrorLane};
use skep_core::peers::{Forward, Ring};
use skep_core::{Answer, fanout, home, mirror};
use skep_protocol::{CellId, ClientMessageId, ConversationId, Lane, Millis, RequestId, UserId};

use super::World;
use super::calls::CallId;
use super::event::{DeviceEvent, Event, Inner};
use super::relay::LinkId;
use super::sockets::Connection;
use crate::trace::tell;

/// What a cell forgets when it dies.
pub(super) struct Process {
    pub homes: Vec<HomeLane>,
    pub rings: Vec<Ring>,
    pub mirror: MirrorLane,
    pub workers: Vec<Worker>,
    /// What waits for each of them.
    pub backlogs: Vec<Backlog>,
    pub forwards: BTreeMap<CellId, Forward>,
    /// This process's right to write each lane, mirror lane first.
    pub writers: Vec<u64>,
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// Links to homes.
    pub links: BTreeMap<CellId, LinkId>,
    pub calls: BTreeMap<RequestId, CallId>,
    /// Who asked, for answers in words.
    pub askers: BTreeMap<RequestId, UserId>,
    /// Sends of this cell's people, for the mutant that answers them too early.
    pub sends: BTreeMap<(ConversationId, ClientMessageId), RequestId>,
    pub barriers: BTreeMap<BarrierId, AfterBarrier>,
    pub queues: Queues,
}

/// When the newest event of each task's queue is due: what comes later happens later.
#[derive(Default)]
pub(super) struct Queues {
    lanes: Vec<Millis>,
    workers: Vec<Millis>,
}

/// What goes on when a barrier opens.
pub(super) enum AfterBarrier {
    Snapshot(ConnectionId),
    Members(usize, ConversationId),
    History(ConnectionId, skep_protocol::ClientFrame),
    Call(CallId, Answer),
}

impl World {
    /// A process of a cell starts: it becomes the writer of every lane and goes on where its shard stands.
    pub(super) fn start(&mut self, cell: CellId) {
        let state = self.cells.get_mut(&cell).expect("cells stay");
        state.lives += 1;
        state.paused_until = self.now;
        let lanes = self.plan.home_lanes;
        let era = state.shard.era();
        let (writers, positions): (Vec<u64>, Vec<_>) = (0..=lanes).map(|l| state.shard.fence(Lane(l))).unzip();
        let home = |lane: u16| {
            let position = positions[usize::from(lane)];
            let options = home::Options { cell, lane: Lane(lane), era, position };
            HomeLane::new(options, self.map.clone()).keeping(self.plan.kept)
        };
        let options = mirror::Options { cell, position: positions[0], cursors: state.shard.cursors() };
        let worker = |index| {
            let positions = positions.clone();
            let options = fanout::Options { cell, era, index, workers: self.plan.workers, positions };
            Worker::new(options).keeping(self.plan.kept)
        };
        let others = (1..=self.plan.cells).map(CellId).filter(|c| *c != cell);
        state.process = Some(Process {
            homes: (1..=lanes).map(home).collect(),
            rings: (1..=lanes).map(|l| Ring::new(positions[usize::from(l)], self.plan.ring_bytes)).collect(),
            mirror: MirrorLane::new(options, self.map.clone(), self.now),
            workers: (0..self.plan.workers).map(worker).collect(),
            backlogs: (0..self.plan.workers)
                .map(|_| Backlog::new(usize::from(lanes) + 1, self.plan.backlog_bytes))
                .collect(),
            forwards: others.clone().map(|c| (c, Forward::default())).collect(),
            writers,
            connections: BTreeMap::new(),
            links: BTreeMap::new(),
            calls: BTreeMap::new(),
            askers: BTreeMap::new(),
            sends: BTreeMap::new(),
            barriers: BTreeMap::new(),
            queues: Queues {
                lanes: vec![self.now; usize::from(lanes) + 1],
                workers: vec![self.now; self.plan.workers],
            },
        });
        tell!(self, cell, "starts at {positions:?}");
        for home in others {
            self.tell_process(1, cell, Inner::Dial(home));
        }
        self.tell_process(1_000, cell, Inner::Tick);
    }

    /// The process dies: memory, sockets and streams are gone, batches on their way into the shard are not.
    pub(super) fn crash(&mut self, cell: CellId, restart_ms: i64) {
        let Some(process) = self.cells.get_mut(&cell).and_then(|c| c.process.take()) else { return };
        tell!(self, cell, "DIES, back in {restart_ms} ms");
        for (connection, state) in &process.connections {
            self.tell_device(10, state.device, DeviceEvent::Cut(*connection));
        }
        // Hellos on their way meet nobody.
        let sockets: Vec<_> = self.devices.iter().filter(|d| d.cell == cell).collect();
        let cut = sockets.iter().filter_map(|d| Some((d.id, d.socket.as_ref()?.connection))).collect::<Vec<_>>();
        for (device, connection) in cut {
            self.tell_device(10, device, DeviceEvent::Cut(connection));
        }
        self.break_links(|link| link.subscriber == cell || link.home == cell);
        self.calls_die(cell);
        self.after(restart_ms, Event::Start(cell));
    }

    pub(super) fn process(&mut self, cell: CellId) -> &mut Process {
        let state = self.cells.get_mut(&cell).expect("cells stay");
        state.process.as_mut().expect("only what lives is asked")
    }

    pub(super) fn is_alive(&self, cell: CellId) -> bool {
        self.cells[&cell].process.is_some()
    }

    /// To a lane's queue (the mirror lane's too), behind what is there.
    pub(super) fn queue_to_lane(&mut self, cell: CellId, lane: Lane, inner: Inner) {
        let at = self.now.plus(self.chance.queue.delay(self.plan.queue_ms));
        let due = &mut self.process(cell).queues.lanes[usize::from(lane.0)];
        *due = at.max(*due);
        let at = *due;
        let life = self.cells[&cell].lives;
        self.schedule.put(at, Event::Process(cell, life, inner));
    }

    /// To a worker's queue, behind what is there.
    pub(super) fn queue_to_worker(&mut self, cell: CellId, index: usize, event: fanout::Event) {
        let at = self.now.plus(self.chance.queue.delay(self.plan.queue_ms));
        let due = &mut self.process(cell).queues.workers[index];
        *due = at.max(*due);
        let at = *due;
        let life = self.cells[&cell].lives;
        self.schedule.put(at, Event::Process(cell, life, Inner::Worker(index, event)));
    }

    pub(super) fn worker_of(&self, user: UserId) -> usize {
        Worker::of(user, self.plan.workers)
    }

    /// Once a second.
    pub(super) fn tick(&mut self, cell: CellId) {
        for index in 0..self.plan.workers {
            self.queue_to_worker(cell, index, fanout::Event::Tick);
        }
        let now = self.now;
        for home in self.process(cell).forwards.keys().copied().collect::<Vec<_>>() {
            let mut effects = Vec::new();
            self.process(cell).forwards.get_mut(&home).expect("just seen").tick(now, &mut effects);
            self.forward_effects(cell, home, effects);
        }
        self.close_stalled(cell);
        self.tell_process(1_000, cell, Inner::Tick);
    }
}
