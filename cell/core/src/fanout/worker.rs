//! A worker: the connections of its share of a cell's people, and what each of them is sent.

mod loading;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use bytes::Bytes;
use skep_protocol::{
    CellId, ClientMessageId, CloseCode, Code, ConversationId, Era, Lane, LeftReason, Millis, Pos, RequestId, Seq,
    ServerFrame, SessionId, UserId, limits,
};

use super::{
    LocalConversation, ReplyTo,
    conversation::{Entry, Held, When},
    frames::{error_frame, sent_frame, tell},
    pending::{Pending, Waiting},
};
use crate::{Answer, Change, ConversationChange, Generations, MarkResult, Moved, sync::Token};

type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// One connection of a person, unique in a process's life.
pub type ConnectionId = u64;

/// Which of a person's sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sessions {
    One(SessionId),
    AllBut(SessionId),
    All,
}

/// Which share of a cell's people is this worker's.
#[derive(Clone, Debug)]
pub struct Options {
    pub cell: CellId,
    pub era: Era,
    pub index: usize,
    pub workers: usize,
    /// The positions of all lanes when the process started, mirror lane first.
    pub positions: Vec<Pos>,
}

/// Where a change comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A home lane of this cell: committed in this shard.
    Home,
    /// Another home: durable there, on its way into this shard.
    Mirror,
}

impl Source {
    /// The lane of this cell that hands a change out.
    pub fn lane(self, change: &Change) -> Lane {
        match self {
            Self::Home => change.lane,
            Self::Mirror => Lane::MIRROR,
        }
    }
}

/// What happens to a worker.
#[derive(Debug)]
pub enum Event {
    /// A connection has said hello: from now on it is sent what happens.
    Register {
        connection: ConnectionId,
        user: UserId,
        session: SessionId,
    },
    Gone {
        connection: ConnectionId,
    },
    /// A connection asks to sync again.
    Sync {
        connection: ConnectionId,
    },
    /// Sessions of a person have ended: their connections are closed, with this code.
    EndSessions {
        user: UserId,
        which: Sessions,
        code: CloseCode,
    },
    /// A request is on its way to its lane.
    Expect {
        request_id: RequestId,
        reply_to: ReplyTo,
        user: UserId,
        conversation_id: ConversationId,
        message: Option<ClientMessageId>,
    },
    /// An answer in words.
    Answered(RequestId, Answer),
    Change(Arc<Change>, Source),
    /// Changes of a lane up to here were left out, for the worker's queue was full ([`super::Backlog`]).
    Skipped(Lane, Pos),
    Marked(Vec<MarkResult>),
    /// The mirror lane has committed all that it pushed up to this batch.
    MirrorCommitted(Pos),
    Loaded(LocalConversation),
    /// The conversation could not be loaded: its connections must sync.
    NotLoaded(ConversationId),
    /// This shard knows nothing of the conversation, so nobody here is in it.
    NobodyHere(ConversationId),
    /// Once a second.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// To one connection's outbox, as a push of that conversation.
    Push(ConnectionId, Option<ConversationId>, Bytes),
    /// To one connection's outbox, as an answer.
    Answer(ConnectionId, Option<ConversationId>, Bytes),
    Checkpoint(ConnectionId, Bytes),
    /// A connection's sync begins, after hello or asked for: from now on its pushes wait for `synced`, which gives this
    /// token and no newer one. For what it is pushed then may be older than the sync, and is put right by the pushes that
    /// follow: a client that goes away between them must be told once more.
    SyncFrom(ConnectionId, Token),
    /// A push to this connection is lost.
    Behind(ConnectionId),
    Close(ConnectionId, CloseCode),
    /// Load the conversation's members in this shard, behind the mirror lane's barrier where it is homed elsewhere.
    Load(ConversationId),
    /// An answer to somebody outside.
    Settled(RequestId, Answer),
}

/// A fan-out worker.
#[derive(Debug)]
pub struct Worker {
    options: Options,
    users: Map<UserId, Vec<ConnectionId>>,
    connections: Map<ConnectionId, Connection>,
    conversations: Generations<ConversationId, Entry>,
    pending: Pending,
    /// Per lane, what has wholly been handed out.
    positions: Vec<Pos>,
    /// What is held back while members are loaded: the positions that checkpoints must not reach.
    held: BTreeMap<ConversationId, BTreeMap<Lane, Pos>>,
    /// Conversations whose loading began before changes were left out: what comes of it is too old.
    outdated: BTreeSet<ConversationId>,
    /// Conversations whose number of members is told later: checkpoints stay before the change.
    counts: BTreeMap<ConversationId, BTreeMap<Lane, Pos>>,
    now: Millis,
    ticks: u64,
}

#[derive(Debug)]
struct Connection {
    user: UserId,
    session: SessionId,
    /// Whether it got something since its last checkpoint.
    got_something: bool,
}

impl Sessions {
    /// Whether this is one of them.
    pub fn cover(self, session: SessionId) -> bool {
        match self {
            Self::One(one) => session == one,
            Self::AllBut(kept) => session != kept,
            Self::All => true,
        }
    }
}

impl Worker {
    /// A worker without connections.
    pub fn new(options: Options) -> Self {
        let positions = options.positions.clone();
        Self {
            options,
            users: Map::default(),
            connections: Map::default(),
            conversations: Generations::new(limits::WORKER_MEMBERS / 20),
            pending: Pending::default(),
            positions,
            held: BTreeMap::new(),
            outdated: BTreeSet::new(),
            counts: BTreeMap::new(),
            now: Millis(0),
            ticks: 0,
        }
    }

    /// The same, but keeping about so many unused conversations in memory.
    pub fn keeping(mut self, conversations: usize) -> Self {
        self.conversations = Generations::new(conversations);
        self
    }

    /// Requests of this worker's people that wait for an answer.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Conversations whose number of members is still to be told.
    pub fn owes(&self) -> usize {
        self.counts.len()
    }

    /// The worker of a person, among so many.
    pub fn of(user: UserId, workers: usize) -> usize {
        (u128::from_be_bytes(user.to_bytes()) % workers as u128) as usize
    }

    /// Whether a person has a connection here.
    pub fn is_connected(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// Takes an event and says what is to be done.
    pub fn handle(&mut self, now: Millis, event: Event, effects: &mut Vec<Effect>) {
        self.now = now;
        match event {
            Event::Register { connection, user, session } => self.register(connection, user, session, effects),
            Event::Gone { connection } => self.gone(connection),
            Event::Sync { connection } => self.sync(connection, effects),
            Event::EndSessions { user, which, code } => self.end_sessions(user, which, code, effects),
            Event::Expect { request_id, reply_to, user, conversation_id, message } => {
                self.pending.expect(now, request_id, reply_to, user, conversation_id, message);
            }
            Event::Answered(request_id, answer) => self.answered(request_id, answer, effects),
            Event::Change(change, source) => self.change(&change, source, effects),
            Event::Skipped(lane, through) => self.skipped(lane, through, effects),
            Event::Marked(marks) => marks.into_iter().for_each(|mark| self.marked(mark, effects)),
            Event::MirrorCommitted(pos) => self.positions[0] = pos,
            Event::Loaded(local) => self.loaded(local, effects),
            Event::NotLoaded(id) => self.not_loaded(id, effects),
            Event::NobodyHere(id) => self.nobody_here(id, effects),
            Event::Tick => self.tick(now, effects),
        }
    }

    // --- connections

    fn register(&mut self, connection: ConnectionId, user: UserId, session: SessionId, effects: &mut Vec<Effect>) {
        let connections = self.users.entry(user).or_default();
        if connections.len() >= limits::CONNECTIONS_PER_USER {
            effects.push(Effect::Close(connection, CloseCode::TooManyConnections));
            return;
        }
        connections.push(connection);
        self.connections.insert(connection, Connection { user, session, got_something: false });
        self.sync(connection, effects);
    }

    fn sync(&self, connection: ConnectionId, effects: &mut Vec<Effect>) {
        if self.connections.contains_key(&connection) {
            effects.push(Effect::SyncFrom(connection, self.token()));
        }
    }

    fn gone(&mut self, connection: ConnectionId) {
        let Some(Connection { user, .. }) = self.connections.remove(&connection) else { return };
        if let Some(connections) = self.users.get_mut(&user) {
            connections.retain(|c| *c != connection);
            if connections.is_empty() {
                self.users.remove(&user);
            }
        }
    }

    fn end_sessions(&self, user: UserId, which: Sessions, code: CloseCode, effects: &mut Vec<Effect>) {
        for id in self.users.get(&user).into_iter().flatten() {
            if self.connections.get(id).is_some_and(|connection| which.cover(connection.session)) {
                effects.push(Effect::Close(*id, code));
            }
        }
    }

    // --- changes

    fn change(&mut self, change: &Arc<Change>, source: Source, effects: &mut Vec<Effect>) {
        for (index, c) in change.conversations.iter().enumerate() {
            match self.conversations.get_mut(&c.conversation_id) {
                Some(Entry::Ready(_)) => {
                    self.deliver(c, (change.era, change.after), effects);
                    self.hold_count(c.conversation_id, change, source);
                }
                Some(Entry::Loading(held)) => {
                    held.push_back(Held::Change(Arc::clone(change), index));
                    self.hold(c.conversation_id, change, source);
                }
                // Nobody is here who could get it.
                None if self.connections.is_empty() => self.settle_elsewhere(c, effects),
                None => {
                    let held = VecDeque::from([Held::Change(Arc::clone(change), index)]);
                    self.conversations.insert(c.conversation_id, Entry::Loading(held), is_in_use);
                    self.hold(c.conversation_id, change, source);
                    effects.push(Effect::Load(c.conversation_id));
                }
            }
        }
        if source == Source::Home {
            self.positions[usize::from(change.lane.0)] = change.through;
        }
    }

    fn deliver(&mut self, change: &ConversationChange, (era, after): (Era, Pos), effects: &mut Vec<Effect>) {
        let (index, workers) = (self.options.index, self.options.workers);
        let id = change.conversation_id;
        let Some(Entry::Ready(ready)) = self.conversations.get_mut(&id) else { return };
        let users = &self.users;
        let when = When { now: self.now, era, after };
        let told_before = effects.len();
        let news = ready.apply(change, when, |u| Self::of(u, workers) == index, |u| users.contains_key(&u));
        let mut sent: BTreeMap<ConnectionId, BTreeMap<skep_protocol::Seq, u64>> = BTreeMap::new();
        for message in &change.messages {
            for waiting in self.pending.sent(message) {
                match waiting.reply_to {
                    ReplyTo::Socket { connection, reference } => {
                        sent.entry(connection).or_default().insert(message.seq, reference);
                    }
                    ReplyTo::Elsewhere => {
                        effects.push(Effect::Settled(waiting.request_id, Answer::Sent(message.clone())));
                    }
                }
            }
        }
        let mut shared: Option<Vec<Bytes>> = None;
        for (user, news) in news {
            for connection in self.users.get(&user).into_iter().flatten() {
                if let Some(state) = self.connections.get_mut(connection) {
                    state.got_something = true;
                }
                tell(*connection, change, &news, sent.get(connection), &mut shared, effects);
            }
        }
        // A sender who sees nothing of it (they left in the same batch, say) still gets the answer.
        for (connection, sent) in sent {
            let told = effects[told_before..].iter().any(
                |e| matches!(e, Effect::Answer(c, Some(conversation), _) if *c == connection && *conversation == id),
            );
            if !told {
                for message in change.messages.iter() {
                    if let Some(reference) = sent.get(&message.seq) {
                        effects.push(Effect::Answer(connection, Some(id), sent_frame(message, *reference)));
                    }
                }
            }
        }
    }

    /// Answers to sends that do not go to a connection here.
    fn settle_elsewhere(&mut self, change: &ConversationChange, effects: &mut Vec<Effect>) {
        for message in &change.messages {
            for waiting in self.pending.sent(message) {
                self.reply(&waiting, Answer::Sent(message.clone()), effects);
            }
        }
    }

    fn marked(&mut self, mark: MarkResult, effects: &mut Vec<Effect>) {
        let (id, user) = (mark.conversation_id, mark.user_id);
        let moved = mark.row.map_or(Moved::No, |row| row.moved);
        let view = match self.conversations.get_mut(&id) {
            Some(Entry::Loading(held)) => {
                held.push_back(Held::Marked(mark));
                return;
            }
            Some(Entry::Ready(ready)) => {
                ready.marked(&mark);
                ready.view_if_shown(user, moved)
            }
            // What becomes of it in lists depends on what has been pushed of it.
            None if matches!(moved, Moved::Hidden | Moved::Shown) && self.users.contains_key(&user) => {
                let held = VecDeque::from([Held::Marked(mark)]);
                self.conversations.insert(id, Entry::Loading(held), is_in_use);
                self.hold_marks(id);
                effects.push(Effect::Load(id));
                return;
            }
            None => None,
        };
        let Ok(row) = mark.row else { return };
        let unread = row.head.0.saturating_sub(row.read_seq.0);
        let asker = self.pending.take(mark.request);
        if let Some(Waiting { request_id, reply_to: ReplyTo::Elsewhere, .. }) = asker {
            effects.push(Effect::Settled(request_id, Answer::Read { read_seq: row.read_seq, unread }));
        }
        let read = |reference| ServerFrame::Read { reference, conversation_id: id, read_seq: row.read_seq, unread };
        let news = match (view, moved, row.hidden_seq) {
            (Some(conversation), ..) => Some(ServerFrame::Conversation { conversation }),
            (None, Moved::Hidden, Some(left_seq)) => {
                let reason = LeftReason::Hidden;
                Some(ServerFrame::Left { conversation_id: id, first_seq: Seq(1), left_seq, reason })
            }
            (None, Moved::No, _) => None,
            (None, ..) => Some(read(None)),
        };
        for connection in self.users.get(&user).into_iter().flatten() {
            if let Some(state) = self.connections.get_mut(connection) {
                state.got_something = true;
            }
            match asker.map(|a| a.reply_to) {
                Some(ReplyTo::Socket { connection: asking, reference }) if asking == *connection => {
                    effects.push(Effect::Answer(*connection, Some(id), read(Some(reference)).to_websocket()));
                }
                _ => {
                    let frame = news.as_ref().map(ServerFrame::to_websocket);
                    effects.extend(frame.map(|frame| Effect::Push(*connection, Some(id), frame)));
                }
            }
        }
    }

    /// The same for a mark: its batch has passed already where the conversation is homed here.
    fn hold_marks(&mut self, id: ConversationId) {
        let home = Lane::of_home(id.slot(), (self.positions.len() - 1) as u16);
        let passed = self.positions[usize::from(home.0)];
        let held = self.held.entry(id).or_default();
        held.entry(Lane::MIRROR).or_insert(self.positions[0]);
        held.entry(home).or_insert(Pos(passed.0.saturating_sub(1)));
    }

    // --- answers in words

    fn answered(&mut self, request_id: RequestId, answer: Answer, effects: &mut Vec<Effect>) {
        if let Answer::Sent(message) = &answer
            && let Some(Entry::Loading(held)) = self.conversations.get_mut(&message.conversation_id)
        {
            held.push_back(Held::Answered(request_id, answer));
            return;
        }
        if let Some(waiting) = self.pending.take(request_id) {
            self.reply(&waiting, answer, effects);
        }
    }

    fn reply(&mut self, waiting: &Waiting, answer: Answer, effects: &mut Vec<Effect>) {
        let ReplyTo::Socket { connection, reference } = waiting.reply_to else {
            effects.push(Effect::Settled(waiting.request_id, answer));
            return;
        };
        let id = waiting.conversation_id;
        let frame = match answer {
            Answer::Sent(message) => sent_frame(&message, reference),
            Answer::Read { read_seq, unread } => {
                ServerFrame::Read { reference: Some(reference), conversation_id: id, read_seq, unread }.to_websocket()
            }
            Answer::Refused(refusal) => error_frame(Some(reference), refusal),
            Answer::Members(_) | Answer::Block(_) => return,
        };
        effects.push(Effect::Answer(connection, Some(id), frame));
    }

    // --- time

    fn tick(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        self.ticks += 1;
        for waiting in self.pending.expired(now) {
            let detail = "no answer came in time: trying again with the same id is safe";
            self.reply(&waiting, Answer::refused(Code::Unavailable, detail), effects);
        }
        self.tell_counts(now, effects);
        let turn = self.ticks % limits::CHECKPOINT_S;
        let mut due = BTreeSet::new();
        for (id, connection) in &mut self.connections {
            if id % limits::CHECKPOINT_S == turn && std::mem::take(&mut connection.got_something) {
                due.insert(*id);
            }
        }
        if due.is_empty() {
            return;
        }
        let frame = ServerFrame::Checkpoint { sync_token: self.token().to_text() }.to_websocket();
        effects.extend(due.into_iter().map(|id| Effect::Checkpoint(id, frame.clone())));
    }

    /// The numbers of members that were not told at once.
    fn tell_counts(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        for id in self.counts.keys().copied().collect::<Vec<_>>() {
            let Some(Entry::Ready(ready)) = self.conversations.get_mut(&id) else { continue };
            let users = &self.users;
            let Some(news) = ready.count_told(now, |user| users.contains_key(&user)) else { continue };
            let mut shared = None;
            for (user, news) in news {
                for connection in self.users.get(&user).into_iter().flatten() {
                    if let Some(state) = self.connections.get_mut(connection) {
                        state.got_something = true;
                    }
                    tell(*connection, &ConversationChange::new(id), &news, None, &mut shared, effects);
                }
            }
            self.counts.remove(&id);
        }
    }

    /// Where everything before has been handed out.
    fn token(&self) -> Token {
        let mut positions = self.positions.clone();
        for (lane, before) in self.held.values().chain(self.counts.values()).flatten() {
            let position = &mut positions[usize::from(lane.0)];
            *position = (*position).min(*before);
        }
        Token { cell: self.options.cell, era: self.options.era, positions }
    }
}
/// What must not be forgotten.
fn is_in_use(entry: &Entry) -> bool {
    match entry {
        Entry::Loading(_) => true,
        Entry::Ready(ready) => ready.owes_count(),
    }
}

fn is_loading(entry: &Entry) -> bool {
    matches!(entry, Entry::Loading(_))
}
