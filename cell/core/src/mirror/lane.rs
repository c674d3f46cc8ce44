//! The lane itself: cursors, its one batch in flight, pacing, barriers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use skep_protocol::{CellId, Code, Era, Lane, Millis, Pos, Refusal, RequestId, SlotMap, limits};

use super::queue::{Item, Queue, merge};
use crate::{Answer, Batch, Change, Commit, Cursor, MarkResult, Origin, Request};

/// Under load a batch fills for so long after the one before: unpaced, the mirror lane takes a third to a half of the
/// home lanes' rate (measured).
const PACE_MS: i64 = 5;
/// Cursors that moved over nothing for this cell are written at least so often.
const CURSOR_MS: i64 = 10_000;
const RETRY_MS: i64 = 50;
const RETRY_MS_MAX: i64 = 1_000;

/// Somebody who waits until all that had arrived is committed.
pub type BarrierId = u64;

/// Where the lane stands when its process starts.
#[derive(Clone, Debug)]
pub struct Options {
    pub cell: CellId,
    pub position: Pos,
    /// As stored.
    pub cursors: Vec<Cursor>,
}

/// What happens to the mirror lane.
#[derive(Debug)]
pub enum Event {
    /// A stream to a peer is up: it is told where to go on from.
    Opened(CellId),
    /// In the order of the peer's lane, on the stream that is up.
    Arrived(CellId, Change),
    /// A mark of a person who lives here, in a conversation homed elsewhere.
    Request(Request),
    Barrier(BarrierId),
    Commit(Commit),
    Resolved(Pos),
    Map(Arc<SlotMap>),
    Wake,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Tell the peer to send from here on.
    Subscribe(CellId, Vec<Cursor>),
    /// A hole: the stream's frames do not fit together. Close it and open it anew.
    Reopen(CellId),
    /// Stop reading, or read again, from a peer's stream.
    Pause(CellId),
    Resume(CellId),
    /// To fan-out, before it is committed here: it is durable at its home.
    Push(Arc<Change>),
    Commit(Arc<Batch>),
    Resolve,
    /// To fan-out: marks as stored.
    Marked(Vec<MarkResult>),
    /// To fan-out: all that was pushed so far up to this batch is committed.
    Committed(Pos),
    BarrierDone(BarrierId),
    Answer((Origin, RequestId, Answer)),
    WakeAt(Millis),
    Stop(String),
}

/// The mirror lane of a cell.
#[derive(Debug)]
pub struct MirrorLane {
    cell: CellId,
    map: Arc<SlotMap>,
    position: Pos,
    queue: Queue,
    arrived: BTreeMap<(CellId, Lane), Cursor>,
    durable: BTreeMap<(CellId, Lane), Cursor>,
    flight: Flight,
    /// The number of the last item that is committed.
    committed: u64,
    barriers: Vec<(u64, BarrierId)>,
    paused: BTreeSet<CellId>,
    /// Marks that are asked again because their results were lost.
    again: BTreeSet<RequestId>,
    /// Where peers' lanes stood when one of their changes was rejected: barriers wait until that is taken after all.
    parked: BTreeMap<(CellId, Lane), Parked>,
    last_commit: Millis,
    last_cursors: Millis,
    waking: Option<Millis>,
    most: usize,
    retry_ms: i64,
}

/// What had come of a peer's lane when a change of it was rejected by the shard.
#[derive(Debug)]
struct Parked {
    era: Era,
    pos: Pos,
    until: Millis,
}

#[derive(Debug)]
enum Flight {
    Idle,
    Committing(Pending),
    Waiting(Pending),
    Resolving(Pending),
    Stopped,
}

#[derive(Debug)]
struct Pending {
    batch: Arc<Batch>,
    items: Vec<Item>,
}

impl MirrorLane {
    /// A lane that stands where its shard does.
    pub fn new(options: Options, map: Arc<SlotMap>, now: Millis) -> Self {
        let durable: BTreeMap<_, _> = options.cursors.iter().map(|c| ((c.peer, c.lane), *c)).collect();
        Self {
            cell: options.cell,
            map,
            position: options.position,
            queue: Queue::default(),
            arrived: durable.clone(),
            durable,
            flight: Flight::Idle,
            committed: 0,
            barriers: Vec::new(),
            paused: BTreeSet::new(),
            again: BTreeSet::new(),
            parked: BTreeMap::new(),
            last_commit: Millis(0),
            last_cursors: now,
            waking: None,
            most: limits::BATCH_REQUESTS,
            retry_ms: RETRY_MS,
        }
    }

    /// The position of the last batch known to be committed.
    pub fn position(&self) -> Pos {
        self.position
    }

    /// How far the peers' lanes have arrived: durable at their homes, and on the way into this shard.
    pub fn arrived_cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.arrived.values()
    }

    /// Changes and requests that wait or are in flight.
    pub fn queued(&self) -> usize {
        let in_flight = match &self.flight {
            Flight::Committing(pending) | Flight::Waiting(pending) | Flight::Resolving(pending) => pending.items.len(),
            Flight::Idle | Flight::Stopped => 0,
        };
        self.queue.len() + in_flight
    }

    /// Takes an event and says what is to be done.
    pub fn handle(&mut self, now: Millis, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Opened(peer) => self.opened(peer, effects),
            Event::Arrived(peer, change) => self.arrived(peer, change, effects),
            Event::Request(request) => self.request(request, effects),
            Event::Barrier(id) => self.barriers.push((self.queue.last, id)),
            Event::Commit(outcome) => self.commit_outcome(now, outcome, effects),
            Event::Resolved(pos) => self.resolved(now, pos, effects),
            Event::Map(map) => self.map = map,
            Event::Wake => self.wake(effects),
        }
        if matches!(self.flight, Flight::Idle) {
            self.next_batch(now, effects);
        }
        self.open_barriers(now, effects);
    }

    /// A new stream knows nothing of the one before: whether it may be read is said anew.
    fn opened(&mut self, peer: CellId, effects: &mut Vec<Effect>) {
        let is_paused = self.paused.contains(&peer);
        effects.push(if is_paused { Effect::Pause(peer) } else { Effect::Resume(peer) });
        effects.push(Effect::Subscribe(peer, self.cursors_of(peer)));
    }

    fn cursors_of(&self, peer: CellId) -> Vec<Cursor> {
        self.arrived.values().filter(|c| c.peer == peer).copied().collect()
    }

    // --- arrivals

    fn arrived(&mut self, peer: CellId, change: Change, effects: &mut Vec<Effect>) {
        let key = (peer, change.lane);
        let cursor = self.arrived.get(&key).copied().unwrap_or(Cursor::start(peer, change.lane, change.era));
        // In a new era too: the home has taken this cell's cursor as it stood, or none.
        if change.after != cursor.pos {
            effects.push(Effect::Reopen(peer));
            return;
        }
        self.arrived.insert(key, cursor.past(&change));
        if change.conversations.is_empty() {
            return;
        }
        let change = Arc::new(change);
        effects.push(Effect::Push(Arc::clone(&change)));
        self.queue.push(Item::Change(peer, change));
        if self.queue.bytes_of(peer) > limits::MIRROR_QUEUE_BYTES_PER_PEER && self.paused.insert(peer) {
            effects.push(Effect::Pause(peer));
        }
    }

    fn request(&mut self, request: Request, effects: &mut Vec<Effect>) {
        if self.queue.len() >= limits::LANE_QUEUE_REQUESTS {
            let refusal = Refusal::new(Code::Busy, "too much to do at the moment: nothing was done, try again soon");
            effects.push(Effect::Answer((request.origin, request.request_id, Answer::Refused(refusal))));
            return;
        }
        self.queue.push(Item::Request(request));
    }

    /// What was rejected comes again on a new stream: until it is taken, what was pushed before is not in the shard.
    /// A peer that stays away, or a change that is rejected for ever, holds nobody up for longer than a request.
    fn open_barriers(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        let durable = &self.durable;
        self.parked.retain(|key, parked| durable.get(key).is_none_or(|c| (c.era, c.pos) < (parked.era, parked.pos)));
        if self.barriers.is_empty() {
            return;
        }
        if let Some(until) = self.parked.values().map(|p| p.until).filter(|until| now < *until).min() {
            self.wake_at(until, effects);
            return;
        }
        let committed =
            if self.queue.is_empty() && matches!(self.flight, Flight::Idle) { self.queue.last } else { self.committed };
        self.barriers.retain(|(number, id)| {
            let open = *number <= committed;
            if open {
                effects.push(Effect::BarrierDone(*id));
            }
            !open
        });
    }

    // --- batches

    fn next_batch(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if self.queue.is_empty() {
            self.write_cursors(now, effects);
            return;
        }
        let full = self.queue.len() >= limits::BATCH_REQUESTS;
        let due = self.last_commit.plus(PACE_MS);
        if self.barriers.is_empty() && !full && now < due {
            self.wake_at(due, effects);
            return;
        }
        let items = self.queue.take(self.most);
        let batch = Arc::new(merge(&items, self.position.next(), self.cell, &self.map, &self.durable));
        effects.push(Effect::Commit(Arc::clone(&batch)));
        self.flight = Flight::Committing(Pending { batch, items });
    }

    /// Cursors that moved without anything to write are written now and then, so that a start need not replay far.
    fn write_cursors(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        if self.arrived == self.durable {
            return;
        }
        let due = self.last_cursors.plus(CURSOR_MS);
        if now < due {
            self.wake_at(due, effects);
            return;
        }
        let moved = self.arrived.iter().filter(|(key, at)| self.durable.get(key) != Some(at));
        let cursors = moved.map(|(_, cursor)| *cursor);
        let batch =
            Batch { lane: Lane::MIRROR, pos: self.position.next(), cursors: cursors.collect(), ..Batch::default() };
        let batch = Arc::new(batch);
        effects.push(Effect::Commit(Arc::clone(&batch)));
        self.flight = Flight::Committing(Pending { batch, items: Vec::new() });
    }

    fn wake_at(&mut self, at: Millis, effects: &mut Vec<Effect>) {
        if self.waking.is_none_or(|waking| at < waking) {
            self.waking = Some(at);
            effects.push(Effect::WakeAt(at));
        }
    }

    fn commit_outcome(&mut self, now: Millis, outcome: Commit, effects: &mut Vec<Effect>) {
        let Flight::Committing(pending) = std::mem::replace(&mut self.flight, Flight::Idle) else {
            unreachable!("an outcome belongs to a batch in flight");
        };
        match outcome {
            Commit::Done(marks) => {
                let marks = pending.batch.results(marks, &mut self.again);
                self.committed(now, pending, &marks, effects);
            }
            Commit::Again => {
                effects.push(Effect::WakeAt(now.plus(self.retry_ms)));
                self.retry_ms = (self.retry_ms * 2).min(RETRY_MS_MAX);
                self.flight = Flight::Waiting(pending);
            }
            Commit::Unknown => {
                effects.push(Effect::Resolve);
                self.flight = Flight::Resolving(pending);
            }
            Commit::Rejected(_) | Commit::Duplicate => self.split(now, pending, effects),
            Commit::Fenced(reason) => {
                effects.push(Effect::Stop(reason));
                self.flight = Flight::Stopped;
            }
        }
    }

    fn resolved(&mut self, now: Millis, pos: Pos, effects: &mut Vec<Effect>) {
        let Flight::Resolving(mut pending) = std::mem::replace(&mut self.flight, Flight::Idle) else {
            unreachable!("a position is read for a batch of unknown outcome");
        };
        if pos == self.position {
            effects.push(Effect::Commit(Arc::clone(&pending.batch)));
            self.flight = Flight::Committing(pending);
        } else if pos == pending.batch.pos {
            // The results of its marks are lost. To ask them again, in order and before all others, changes nothing.
            let items = std::mem::take(&mut pending.items);
            let (lost, rest): (Vec<_>, Vec<_>) = items.into_iter().partition(|i| matches!(i, Item::Request(_)));
            pending.items = rest;
            for item in &lost {
                if let Item::Request(request) = item {
                    self.again.insert(request.request_id);
                }
            }
            self.queue.put_back(lost);
            self.committed(now, pending, &[], effects);
        } else {
            effects.push(Effect::Stop(format!("the mirror lane stands at {pos}, memory at {}", self.position)));
            self.flight = Flight::Stopped;
        }
    }

    fn committed(&mut self, now: Millis, pending: Pending, marks: &[MarkResult], effects: &mut Vec<Effect>) {
        self.position = pending.batch.pos;
        self.committed += pending.items.len() as u64;
        self.last_commit = now;
        self.retry_ms = RETRY_MS;
        self.most = limits::BATCH_REQUESTS;
        for cursor in &pending.batch.cursors {
            self.durable.insert((cursor.peer, cursor.lane), *cursor);
        }
        if !pending.batch.cursors.is_empty() {
            self.last_cursors = now;
        }
        if !marks.is_empty() {
            effects.push(Effect::Marked(marks.to_vec()));
        }
        effects.push(Effect::Committed(self.position));
        for mark in marks {
            effects.push(Effect::Answer((Origin::Local, mark.request, mark.answer())));
        }
        let queue = &self.queue;
        self.paused.retain(|peer| {
            let stays = queue.bytes_of(*peer) > limits::MIRROR_QUEUE_BYTES_PER_PEER / 2;
            if !stays {
                effects.push(Effect::Resume(*peer));
            }
            stays
        });
    }

    /// A batch that the shard rejects is halved until the item at fault stands alone. A peer's change that cannot be
    /// written stops that peer's stream, which begins again from the durable cursor; the others go on.
    fn split(&mut self, now: Millis, mut pending: Pending, effects: &mut Vec<Effect>) {
        if pending.items.len() > 1 {
            self.most = pending.items.len() / 2;
            self.queue.put_back(pending.items);
            return;
        }
        self.most = limits::BATCH_REQUESTS;
        match pending.items.pop() {
            Some(Item::Request(request)) => {
                self.committed += 1;
                let answer = Answer::refused(Code::Internal, "this could not be stored: a fault on our side");
                effects.push(Effect::Answer((request.origin, request.request_id, answer)));
            }
            Some(Item::Change(peer, _)) => {
                self.queue.drop_peer(peer);
                self.committed += 1;
                let until = now.plus(limits::REQUEST_DEADLINE_MS as i64);
                for Cursor { lane, era, pos, .. } in self.arrived.values().filter(|c| c.peer == peer) {
                    // Rejected again, it holds nobody up for longer than the first time.
                    let parked = self.parked.entry((peer, *lane)).or_insert(Parked { era: *era, pos: *pos, until });
                    (parked.era, parked.pos) = (parked.era, parked.pos).max((*era, *pos));
                }
                self.arrived.retain(|(p, _), _| *p != peer);
                let durable = self.durable.iter().filter(|((p, _), _)| *p == peer);
                self.arrived.extend(durable.map(|(key, at)| (*key, *at)));
                if self.paused.remove(&peer) {
                    effects.push(Effect::Resume(peer));
                }
                effects.push(Effect::Reopen(peer));
            }
            Some(Item::Dropped) => self.committed += 1,
            None => {}
        }
    }

    fn wake(&mut self, effects: &mut Vec<Effect>) {
        self.waking = None;
        match std::mem::replace(&mut self.flight, Flight::Idle) {
            Flight::Waiting(pending) => {
                effects.push(Effect::Commit(Arc::clone(&pending.batch)));
                self.flight = Flight::Committing(pending);
            }
            other => self.flight = other,
        }
    }
}
