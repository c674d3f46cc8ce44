//! The lane itself: its queue, and the one batch that is in flight.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use skep_protocol::{
    CellId, ClientMessageId, Code, ConversationId, Era, Lane, Message, Millis, Pos, Refusal, RequestId, Seq, SlotMap,
    limits,
};

use super::{
    build::{Addressed, Building},
    conversation::{Conversation, making_of},
    judge::{Verdict, judge, reused_id},
    load::{Load, Loaded},
};
use crate::{Answer, Batch, Change, Commit, Generations, MarkResult, Op, Origin, Request};

/// After a batch that may succeed the next time: 50 ms, doubled each time up to a second.
const RETRY_MS: i64 = 50;
const RETRY_MS_MAX: i64 = 1_000;

/// Which lane, and where it stands.
#[derive(Clone, Debug)]
pub struct Options {
    pub cell: CellId,
    pub lane: Lane,
    pub era: Era,
    /// The position found in the shard after this process became its writer.
    pub position: Pos,
}

/// What happens to a lane.
#[derive(Debug)]
pub enum Event {
    Request(Request),
    Loaded(Loaded),
    /// A load failed: its requests are answered `unavailable`.
    NotLoaded(ConversationId),
    /// What came of the batch in flight.
    Commit(Commit),
    /// The stored messages of the ids that were looked up.
    Found(Vec<Message>),
    /// The position behind a new fence, after an unknown outcome.
    Resolved(Pos),
    Map(Arc<SlotMap>),
    /// A time asked for by [`Effect::WakeAt`] has come.
    Wake,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Effect {
    Load(Load),
    Commit(Arc<Batch>),
    Lookup(Vec<(ClientMessageId, ConversationId)>),
    /// Fence this lane's former connection off and read the position.
    Resolve,
    /// Durable: to the peers' ring and to fan-out.
    Publish(Arc<Change>),
    /// Marks that were asked for, as stored: to fan-out, behind the change.
    Marked(Vec<MarkResult>),
    Answer(Addressed),
    WakeAt(Millis),
    /// The process must end: another writes this shard, or memory and shard differ.
    Stop(String),
}

/// A home lane.
#[derive(Debug)]
pub struct HomeLane {
    options: Options,
    map: Arc<SlotMap>,
    position: Pos,
    conversations: Generations<ConversationId, Conversation>,
    /// What each outstanding load asked for.
    asked: BTreeMap<ConversationId, Load>,
    ready: VecDeque<Request>,
    queued: usize,
    queued_bytes: usize,
    flight: Flight,
    /// Batches that look their ids up before they commit.
    wary: u32,
    /// Marks that are asked again because their results were lost.
    again: BTreeSet<RequestId>,
    /// Requests of a batch at most: halved to find one that the shard rejects.
    batch_requests: usize,
    retry_ms: i64,
}

#[derive(Debug)]
enum Flight {
    Idle,
    /// Ids are looked up before the commit, or because it met a duplicate.
    LookingUp(Pending),
    Committing(Pending),
    Waiting(Pending),
    Resolving(Pending),
    /// Refused sends may be repeats of what was accepted before: looked up before they are refused.
    Doubting(Vec<(Request, Answer)>),
    Stopped,
}

#[derive(Debug)]
struct Pending {
    /// All but the doubtful ones.
    requests: Vec<Request>,
    building: Building,
    batch: Arc<Batch>,
    change: Arc<Change>,
    answers: Vec<Addressed>,
    /// Refused sends. The same one may have come twice, and be accepted in the same batch the second time.
    doubtful: Vec<(Request, Answer)>,
    /// All of them, as they came.
    order: Vec<RequestId>,
    /// Requests answered by the stored result of their mark.
    marked: BTreeMap<RequestId, Request>,
    repeats: Vec<(Origin, RequestId, ConversationId, Seq)>,
}

impl HomeLane {
    /// A lane that stands where its shard does.
    pub fn new(options: Options, map: Arc<SlotMap>) -> Self {
        Self {
            position: options.position,
            options,
            map,
            conversations: Generations::new(limits::LANE_CONVERSATIONS),
            asked: BTreeMap::new(),
            ready: VecDeque::new(),
            queued: 0,
            queued_bytes: 0,
            flight: Flight::Idle,
            wary: 0,
            again: BTreeSet::new(),
            batch_requests: limits::BATCH_REQUESTS,
            retry_ms: RETRY_MS,
        }
    }

    /// The same, but keeping about so many unused conversations in memory.
    pub fn keeping(mut self, conversations: usize) -> Self {
        self.conversations = Generations::new(conversations);
        self
    }

    /// The position of the last batch known to be committed.
    pub fn position(&self) -> Pos {
        self.position
    }

    /// Requests that wait or are in flight.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Takes an event and says what is to be done.
    pub fn handle(&mut self, now: Millis, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Request(request) => self.request(request, effects),
            Event::Loaded(loaded) => self.loaded(loaded, effects),
            Event::NotLoaded(id) => self.not_loaded(id, effects),
            Event::Commit(outcome) => self.commit_outcome(now, outcome, effects),
            Event::Found(found) => self.found(&found, effects),
            Event::Resolved(pos) => self.resolved(pos, effects),
            Event::Map(map) => self.map = map,
            Event::Wake => self.retry(effects),
        }
        if matches!(self.flight, Flight::Idle) {
            self.next_batch(now, effects);
        }
    }

    // --- arrivals

    fn request(&mut self, request: Request, effects: &mut Vec<Effect>) {
        let bytes = request.bytes();
        if self.queued >= limits::LANE_QUEUE_REQUESTS || self.queued_bytes + bytes > limits::LANE_QUEUE_BYTES {
            let refusal = Refusal::new(Code::Busy, "too much to do at the moment: nothing was done, try again soon");
            effects.push(Effect::Answer((request.origin, request.request_id, Answer::Refused(refusal))));
            return;
        }
        self.queued += 1;
        self.queued_bytes += bytes;
        let id = request.conversation_id;
        if self.conversations.get_mut(&id).is_none() {
            self.conversations.insert(id, Conversation::default(), Conversation::in_use);
        }
        let conversation = self.conversations.get_mut(&id).expect("just put in");
        conversation.waiting.push_back(request);
        self.admit(id, effects);
    }

    /// Moves what can be judged to the queue, in order, and asks for what the rest needs.
    fn admit(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        while let Some(request) = conversation.waiting.front() {
            if conversation.loading || conversation.missing(request).is_some() {
                break;
            }
            conversation.under_way += 1;
            self.ready.extend(conversation.waiting.pop_front());
        }
        if conversation.loading {
            return;
        }
        if let Some(load) = conversation.next_load() {
            conversation.loading = true;
            self.asked.insert(id, load.clone());
            effects.push(Effect::Load(load));
        }
    }

    fn loaded(&mut self, loaded: Loaded, effects: &mut Vec<Effect>) {
        let id = loaded.conversation_id;
        let asked = self.asked.remove(&id).expect("every answer belongs to a question");
        let conversation = self.conversations.get_mut(&id).expect("a conversation stays while it is loaded");
        conversation.loaded(loaded, &asked, &self.map);
        self.admit(id, effects);
    }

    fn not_loaded(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        self.asked.remove(&id);
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.loading = false;
        let waiting = std::mem::take(&mut conversation.waiting);
        for request in waiting {
            let answer = Answer::refused(Code::Unavailable, "this conversation cannot be read at the moment");
            self.settled(&request);
            effects.push(Effect::Answer((request.origin, request.request_id, answer)));
        }
    }

    // --- batches

    fn next_batch(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        while matches!(self.flight, Flight::Idle) && !self.ready.is_empty() {
            let pending = self.build(now);
            if pending.batch.is_empty() {
                self.finish(pending, Vec::new(), effects);
            } else if self.wary > 0 && !pending.batch.messages.is_empty() {
                self.wary -= 1;
                effects.push(Effect::Lookup(ids_of(&pending.batch)));
                self.flight = Flight::LookingUp(pending);
            } else {
                effects.push(Effect::Commit(Arc::clone(&pending.batch)));
                self.flight = Flight::Committing(pending);
            }
        }
    }

    fn build(&mut self, now: Millis) -> Pending {
        let options = &self.options;
        let mut building = Building::new(options.lane, options.cell, options.era, self.position.next());
        let (mut requests, mut answers, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
        let (mut marked, mut repeats) = (BTreeMap::new(), Vec::new());
        let mut order = Vec::new();
        while requests.len() + doubtful.len() < self.batch_requests
            && building.rows < limits::BATCH_ROWS
            && building.bytes < limits::BATCH_BYTES
        {
            let Some(request) = self.ready.pop_front() else { break };
            let id = request.conversation_id;
            let conversation = self.conversations.get_mut(&id).expect("a queued request keeps its conversation");
            let (origin, request_id) = (request.origin, request.request_id);
            order.push(request_id);
            match judge(&request, conversation, &mut building, &self.map, now) {
                Verdict::Accepted => {}
                Verdict::Marked => _ = marked.insert(request_id, request.clone()),
                Verdict::Repeat(seq) => repeats.push((origin, request_id, id, seq)),
                Verdict::Answer(answer @ Answer::Refused(_)) if matches!(request.op, Op::Send { .. }) => {
                    doubtful.push((request, answer));
                    continue;
                }
                Verdict::Answer(answer) => answers.push((origin, request_id, answer)),
            }
            requests.push(request);
        }
        let (batch, change) = building.finish(&self.conversations, &self.map, self.position);
        let (batch, change) = (Arc::new(batch), Arc::new(change));
        Pending { requests, building, batch, change, answers, doubtful, order, marked, repeats }
    }

    fn commit_outcome(&mut self, now: Millis, outcome: Commit, effects: &mut Vec<Effect>) {
        let Flight::Committing(mut pending) = std::mem::replace(&mut self.flight, Flight::Idle) else {
            unreachable!("an outcome belongs to a batch in flight");
        };
        match outcome {
            Commit::Done(marks) => {
                let marks = pending.batch.results(marks, &mut self.again);
                self.committed(pending, marks, effects);
            }
            Commit::Duplicate => {
                self.wary = limits::WARY_BATCHES;
                effects.push(Effect::Lookup(ids_of(&pending.batch)));
                self.flight = Flight::LookingUp(pending);
            }
            Commit::Again => {
                effects.push(Effect::WakeAt(now.plus(self.retry_ms)));
                self.retry_ms = (self.retry_ms * 2).min(RETRY_MS_MAX);
                self.flight = Flight::Waiting(pending);
            }
            Commit::Rejected(reason) if pending.requests.len() == 1 => {
                let request = pending.requests.pop().expect("just counted");
                let detail = "the message could not be stored: this is a fault on our side";
                self.take_back(pending);
                self.settled(&request);
                let answer = Answer::refused(Code::Internal, detail);
                effects.push(Effect::Answer((request.origin, request.request_id, answer)));
                self.release(request.conversation_id, effects);
                self.batch_requests = limits::BATCH_REQUESTS;
                debug_assert!(!reason.is_empty(), "a shell says why");
            }
            Commit::Rejected(_) => {
                self.batch_requests = pending.requests.len() / 2;
                self.take_back(pending);
            }
            Commit::Unknown => {
                effects.push(Effect::Resolve);
                self.flight = Flight::Resolving(pending);
            }
            Commit::Fenced(reason) => {
                effects.push(Effect::Stop(reason));
                self.flight = Flight::Stopped;
            }
        }
    }

    fn resolved(&mut self, pos: Pos, effects: &mut Vec<Effect>) {
        let Flight::Resolving(mut pending) = std::mem::replace(&mut self.flight, Flight::Idle) else {
            unreachable!("a position is read for a batch of unknown outcome");
        };
        if pos == self.position {
            effects.push(Effect::Commit(Arc::clone(&pending.batch)));
            self.flight = Flight::Committing(pending);
        } else if pos == pending.batch.pos {
            // The results of its marks are lost. To ask them again, in order and before all others, changes nothing.
            let marked = std::mem::take(&mut pending.marked);
            let (lost, rest) = pending.requests.into_iter().partition(|r| marked.contains_key(&r.request_id));
            pending.requests = rest;
            let lost: Vec<Request> = lost;
            for request in lost.into_iter().rev() {
                self.again.insert(request.request_id);
                self.ready.push_front(request);
            }
            self.committed(pending, Vec::new(), effects);
        } else {
            effects.push(Effect::Stop(format!("the lane stands at {pos}, memory at {}", self.position)));
            self.flight = Flight::Stopped;
        }
    }

    fn retry(&mut self, effects: &mut Vec<Effect>) {
        match std::mem::replace(&mut self.flight, Flight::Idle) {
            Flight::Waiting(pending) => {
                effects.push(Effect::Commit(Arc::clone(&pending.batch)));
                self.flight = Flight::Committing(pending);
            }
            other => self.flight = other,
        }
    }

    /// What is found stands: it is answered, and the batch is made anew from the rest.
    fn found(&mut self, found: &[Message], effects: &mut Vec<Effect>) {
        match std::mem::replace(&mut self.flight, Flight::Idle) {
            Flight::LookingUp(pending) if found.is_empty() => {
                effects.push(Effect::Commit(Arc::clone(&pending.batch)));
                self.flight = Flight::Committing(pending);
            }
            Flight::LookingUp(mut pending) => {
                let (there, rest): (Vec<Request>, Vec<Request>) =
                    pending.requests.drain(..).partition(|r| stored(r, found).is_some());
                pending.requests = rest;
                self.take_back(pending);
                for request in there {
                    let message = stored(&request, found).expect("partitioned by it");
                    self.answer_stored(&request, message, effects);
                }
            }
            Flight::Doubting(doubtful) => {
                for (request, refusal) in doubtful {
                    match stored(&request, found) {
                        Some(message) => self.answer_stored(&request, message, effects),
                        None => {
                            self.settled(&request);
                            effects.push(Effect::Answer((request.origin, request.request_id, refusal)));
                            self.release(request.conversation_id, effects);
                        }
                    }
                }
            }
            _ => unreachable!("ids are looked up for a batch"),
        }
    }

    fn answer_stored(&mut self, request: &Request, message: &Message, effects: &mut Vec<Effect>) {
        let same =
            matches!(&request.op, Op::Send { text, .. } if *text == message.text) && message.sender_id == request.actor;
        let answer = if same { Answer::Sent(message.clone()) } else { reused_id() };
        self.settled(request);
        effects.push(Effect::Answer((request.origin, request.request_id, answer)));
        self.release(request.conversation_id, effects);
    }

    /// Durable: heads stand, the change goes out, and then the answers.
    fn committed(&mut self, pending: Pending, marks: Vec<MarkResult>, effects: &mut Vec<Effect>) {
        self.position = pending.batch.pos;
        self.batch_requests = limits::BATCH_REQUESTS;
        self.retry_ms = RETRY_MS;
        effects.push(Effect::Publish(Arc::clone(&pending.change)));
        if !marks.is_empty() {
            effects.push(Effect::Marked(marks.clone()));
        }
        self.finish(pending, marks, effects);
    }

    fn finish(&mut self, pending: Pending, marks: Vec<MarkResult>, effects: &mut Vec<Effect>) {
        effects.extend(pending.answers.into_iter().map(Effect::Answer));
        for (origin, request_id, id, seq) in pending.repeats {
            let change = pending.change.conversations.iter().find(|c| c.conversation_id == id);
            let message = change.and_then(|c| c.messages.iter().find(|m| m.seq == seq));
            let message = message.expect("a repeat follows its message in the same batch").clone();
            effects.push(Effect::Answer((origin, request_id, Answer::Sent(message))));
        }
        for mark in marks {
            let Some(request) = pending.marked.get(&mark.request) else { continue };
            effects.push(Effect::Answer((request.origin, request.request_id, mark.answer())));
        }
        for request in &pending.requests {
            self.settled(request);
            self.release(request.conversation_id, effects);
        }
        let doubtful = pending.doubtful;
        if !doubtful.is_empty() {
            let ids = doubtful.iter().filter_map(|(r, _)| id_of(r)).collect();
            effects.push(Effect::Lookup(ids));
            self.flight = Flight::Doubting(doubtful);
        }
    }

    /// Undoes a batch that was not committed; its requests are judged anew, first of all.
    fn take_back(&mut self, pending: Pending) {
        pending.building.undo(&mut self.conversations);
        let undone: BTreeSet<RequestId> = pending.batch.outcomes.iter().map(|(id, _)| *id).collect();
        // As they came: a send that was refused has its place among the sender's others.
        let mut back: BTreeMap<RequestId, Vec<Request>> = BTreeMap::new();
        for request in pending.requests {
            if let Some(conversation) = self.conversations.get_mut(&request.conversation_id) {
                let keys = [request.request_id, making_of(request.conversation_id)];
                for key in keys.into_iter().filter(|key| undone.contains(key)) {
                    conversation.outcomes.insert(key, None);
                }
            }
            back.entry(request.request_id).or_default().push(request);
        }
        for (request, _) in pending.doubtful {
            back.entry(request.request_id).or_default().push(request);
        }
        for id in pending.order.iter().rev() {
            if let Some(request) = back.get_mut(id).and_then(Vec::pop) {
                self.ready.push_front(request);
            }
        }
        debug_assert!(back.values().all(Vec::is_empty), "every request has its place");
    }

    /// A request has its answer.
    fn settled(&mut self, request: &Request) {
        self.queued -= 1;
        self.queued_bytes -= request.bytes();
    }

    /// A request of this conversation is no longer under way.
    fn release(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        let conversation = self.conversations.get_mut(&id).expect("a request under way keeps its conversation");
        conversation.under_way -= 1;
        if conversation.under_way == 0 {
            conversation.outcomes.retain(|id, _| conversation.waiting.iter().any(|r| r.request_id == *id));
            conversation.trim();
        }
        if !conversation.waiting.is_empty() {
            self.admit(id, effects);
        }
    }
}

fn id_of(request: &Request) -> Option<(ClientMessageId, ConversationId)> {
    match &request.op {
        Op::Send { client_message_id, .. } => Some((*client_message_id, request.conversation_id)),
        _ => None,
    }
}

fn ids_of(batch: &Batch) -> Vec<(ClientMessageId, ConversationId)> {
    batch.messages.iter().map(|m| (m.client_message_id, m.conversation_id)).collect()
}

fn stored<'a>(request: &Request, found: &'a [Message]) -> Option<&'a Message> {
    let (client_message_id, id) = id_of(request)?;
    found.iter().find(|m| m.conversation_id == id && m.client_message_id == client_message_id)
}
