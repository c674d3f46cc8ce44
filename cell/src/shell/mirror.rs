//! The mirror lane's task.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use skep_core::{
    Answer, Cursor, Origin,
    mirror::{BarrierId, Effect, Event, MirrorLane},
};
use skep_protocol::{Pos, RequestId};
use tokio::sync::{mpsc, oneshot};

use super::{
    hub::{Hub, now},
    writer::{self, Done, Job},
};
use crate::storage::{LaneWriter, Shard};

/// What comes to the mirror lane, in order.
pub enum MirrorCommand {
    Event(Event),
    /// Until all that came before is committed.
    Barrier(oneshot::Sender<()>),
    /// Where the lane stands, and how far the peers' lanes have arrived.
    Stand(oneshot::Sender<(Pos, Vec<Cursor>)>),
    /// An answer in words from a peer: it must not overtake the changes that came before it.
    Answer(RequestId, Answer),
    #[doc(hidden)]
    Writer(WriterDone),
}

/// What the lane's writer did.
pub struct WriterDone(Done);

const ROUND: usize = 1_024;

/// Runs until the hub is gone or the lane has to stop, which stops the process.
pub(super) async fn run(
    hub: Arc<Hub>,
    shard: Arc<Shard>,
    mut lane: MirrorLane,
    writer: LaneWriter,
    inputs: mpsc::UnboundedSender<MirrorCommand>,
    mut queue: mpsc::UnboundedReceiver<MirrorCommand>,
) {
    let jobs = writer::start(shard, writer, inputs.clone(), |done| MirrorCommand::Writer(WriterDone(done)));
    let mut barriers: HashMap<BarrierId, oneshot::Sender<()>> = HashMap::new();
    let mut next_barrier: BarrierId = 0;
    let (mut commands, mut effects) = (Vec::new(), Vec::new());
    while queue.recv_many(&mut commands, ROUND).await > 0 {
        for command in commands.drain(..) {
            let event = match command {
                MirrorCommand::Event(event) => event,
                MirrorCommand::Barrier(done) => {
                    next_barrier += 1;
                    barriers.insert(next_barrier, done);
                    Event::Barrier(next_barrier)
                }
                MirrorCommand::Stand(told) => {
                    // Who asked may be gone.
                    _ = told.send((lane.position(), lane.arrived_cursors().copied().collect()));
                    continue;
                }
                MirrorCommand::Answer(request_id, answer) => {
                    run_effects(&hub, &inputs, &jobs, &mut barriers, &mut effects);
                    hub.answer(Origin::Local, request_id, answer);
                    continue;
                }
                MirrorCommand::Writer(WriterDone(done)) => match done {
                    Done::Commit(outcome) => Event::Commit(outcome),
                    Done::Resolved(pos) => Event::Resolved(pos),
                    Done::Found(_) => continue,
                    Done::Lost(reason) => {
                        hub.stop(&reason);
                        continue;
                    }
                },
            };
            lane.handle(now(), event, &mut effects);
        }
        run_effects(&hub, &inputs, &jobs, &mut barriers, &mut effects);
    }
}

fn run_effects(
    hub: &Arc<Hub>,
    inputs: &mpsc::UnboundedSender<MirrorCommand>,
    jobs: &mpsc::UnboundedSender<Job>,
    barriers: &mut HashMap<BarrierId, oneshot::Sender<()>>,
    effects: &mut Vec<Effect>,
) {
    for effect in effects.drain(..) {
        // A closed channel means that the process, or who asked, is gone.
        match effect {
            Effect::Subscribe(peer, cursors) => hub.peer(peer, |p| p.subscribe(cursors)),
            Effect::Reopen(peer) => hub.peer(peer, |p| p.reopen()),
            Effect::Pause(peer) => hub.peer(peer, |p| p.pause()),
            Effect::Resume(peer) => hub.peer(peer, |p| p.resume()),
            Effect::Push(change) => hub.push(change),
            Effect::Commit(batch) => _ = jobs.send(Job::Commit(batch)),
            Effect::Resolve => _ = jobs.send(Job::Resolve),
            Effect::Marked(marks) => hub.marked(marks),
            Effect::Committed(pos) => hub.mirror_committed(pos),
            Effect::BarrierDone(id) => {
                if let Some(done) = barriers.remove(&id) {
                    _ = done.send(());
                }
            }
            Effect::Answer((origin, request_id, answer)) => hub.answer(origin, request_id, answer),
            Effect::WakeAt(at) => {
                let (inputs, in_ms) = (inputs.clone(), (at.0 - now().0).max(0) as u64);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(in_ms)).await;
                    _ = inputs.send(MirrorCommand::Event(Event::Wake));
                });
            }
            Effect::Stop(reason) => hub.stop(&reason),
        }
    }
}
