//! A fan-out worker's task: it writes to its connections itself, once per connection and round.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skep_core::{
    fanout::{ConnectionId, Effect, Event, Worker},
    sync::Token,
};
use skep_protocol::{CloseCode, ConversationId, SessionId, UserId, limits};
use tokio::sync::{mpsc, oneshot};

use super::{
    connection::Connection,
    hub::{AnsweredBy, Hub, now},
};
use crate::storage::Shard;

/// What comes to a worker, in order.
pub enum WorkerCommand {
    Event(Event),
    /// A connection has said hello. `registered` is told when everything before has been handed out: the token of the
    /// sync that begins with it.
    Register {
        connection: Arc<Connection>,
        user: UserId,
        session: SessionId,
        registered: oneshot::Sender<Token>,
    },
    /// A connection asks to sync again. `begun` is dropped when one is under way.
    Sync {
        connection: ConnectionId,
        begun: oneshot::Sender<Token>,
    },
    /// A connection is gone.
    Gone {
        connection: ConnectionId,
        user: UserId,
    },
}

const ROUND: usize = 512;
/// How long pushes of a conversation wait for its members before their connections are told to sync.
const LOAD_WITHIN: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Runs until the hub is gone.
pub(super) async fn run(
    hub: Arc<Hub>,
    shard: Arc<Shard>,
    index: usize,
    mut worker: Worker,
    mut queue: mpsc::UnboundedReceiver<WorkerCommand>,
) {
    let mut connections: HashMap<ConnectionId, Arc<Connection>> = HashMap::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seconds = 0;
    // Those whose sync begins in this round.
    let mut begun: HashMap<ConnectionId, oneshot::Sender<Token>> = HashMap::new();
    let (mut commands, mut effects, mut dirty) = (Vec::new(), Vec::new(), BTreeSet::new());
    loop {
        tokio::select! {
            count = queue.recv_many(&mut commands, ROUND) => if count == 0 { return },
            _ = second.tick() => {
                worker.handle(now(), Event::Tick, &mut effects);
                seconds += 1;
                close_silent(&connections, seconds);
            }
        }
        for command in commands.drain(..) {
            match command {
                WorkerCommand::Event(event) => worker.handle(now(), hub.taken(index, event), &mut effects),
                WorkerCommand::Register { connection, user, session, registered } => {
                    let id = connection.id;
                    connections.insert(id, connection);
                    *hub.online.write().entry(user).or_insert(0) += 1;
                    worker.handle(now(), Event::Register { connection: id, user, session }, &mut effects);
                    begun.insert(id, registered);
                }
                WorkerCommand::Sync { connection, begun: asker } => {
                    let may_begin = connections.get(&connection).is_some_and(|c| c.may_sync());
                    if may_begin && !begun.contains_key(&connection) {
                        begun.insert(connection, asker);
                        worker.handle(now(), Event::Sync { connection }, &mut effects);
                    }
                }
                WorkerCommand::Gone { connection, user } => {
                    if connections.remove(&connection).is_some() {
                        hub.gone(user);
                        worker.handle(now(), Event::Gone { connection }, &mut effects);
                    }
                }
            }
        }
        for effect in effects.drain(..) {
            if let Effect::SyncFrom(id, token) = effect {
                if let Some(connection) = connections.get(&id) {
                    connection.begin_sync();
                }
                if let Some(asker) = begun.remove(&id) {
                    _ = asker.send(token);
                }
                continue;
            }
            carry_out(&hub, &shard, index, &connections, &mut dirty, effect);
        }
        for id in std::mem::take(&mut dirty) {
            if let Some(connection) = connections.get(&id) {
                connection.flush();
            }
        }
    }
}

fn carry_out(
    hub: &Arc<Hub>,
    shard: &Arc<Shard>,
    index: usize,
    connections: &HashMap<ConnectionId, Arc<Connection>>,
    dirty: &mut BTreeSet<ConnectionId>,
    effect: Effect,
) {
    let id = match &effect {
        Effect::Push(id, ..)
        | Effect::Answer(id, ..)
        | Effect::Checkpoint(id, _)
        | Effect::SyncFrom(id, _)
        | Effect::Behind(id)
        | Effect::Close(id, _) => *id,
        Effect::Load(conversation) => {
            tokio::spawn(load(Arc::clone(hub), Arc::clone(shard), index, *conversation));
            return;
        }
        Effect::Settled(request_id, answer) => {
            hub.settled(*request_id, answer.clone(), AnsweredBy::Change);
            return;
        }
    };
    let Some(connection) = connections.get(&id) else { return };
    dirty.insert(id);
    match effect {
        Effect::Push(_, conversation, frame) => {
            hub.metrics.delivered();
            connection.push(conversation, frame);
        }
        Effect::Answer(_, conversation, frame) => connection.answer(conversation, frame),
        Effect::Checkpoint(_, frame) => connection.checkpoint(frame),
        Effect::Behind(_) => connection.behind(),
        Effect::Close(_, code) => connection.close(code),
        Effect::Load(_) | Effect::Settled(..) | Effect::SyncFrom(..) => {}
    }
}

/// Members as stored, with everything that had arrived from the home before. A shard that is away is asked again: what
/// is pushed waits meanwhile, and the sockets stay. Only the worker that asked is told: another's answer may be older
/// than what this one has seen.
async fn load(hub: Arc<Hub>, shard: Arc<Shard>, worker: usize, conversation: ConversationId) {
    let given_up = Instant::now() + LOAD_WITHIN;
    let mut wait = FIRST_WAIT;
    let event = loop {
        let barrier = if hub.is_home_of(conversation) { Ok(()) } else { hub.barrier().await };
        let local = match barrier {
            Ok(()) => shard.local(conversation).await.map_err(|error| error.to_string()),
            Err(refusal) => Err(refusal.detail),
        };
        match local {
            Ok(Some(local)) => break Event::Loaded(local),
            // Nobody of this cell is in it, as far as this shard knows.
            Ok(None) => break Event::NobodyHere(conversation),
            Err(error) if Instant::now() > given_up => {
                tracing::warn!(%error, %conversation, "members could not be loaded: connections are told to sync");
                break Event::NotLoaded(conversation);
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            () = hub.stopped() => return,
        }
    };
    hub.to_worker(worker, event);
}

/// A fifth of the connections each second: no timer per connection.
fn close_silent(connections: &HashMap<ConnectionId, Arc<Connection>>, seconds: u64) {
    let now = crate::clock::uptime_ms();
    for (id, connection) in connections {
        let silent = now.saturating_sub(connection.last_heard.load(Ordering::Relaxed));
        if id % 5 == seconds % 5 && silent > limits::SILENCE_MS {
            connection.close(CloseCode::Silent);
        }
    }
}
