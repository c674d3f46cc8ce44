//! A home lane's task.

use std::sync::Arc;
use std::time::Duration;

use skep_core::home::{Effect, Event, HomeLane, Load};
use tokio::sync::mpsc;

use super::{
    hub::{Hub, now},
    writer::{self, Done, Job},
};
use crate::storage::{LaneWriter, Shard};

/// What comes to a lane: events, and what its writer did.
pub(super) enum Input {
    Event(Event),
    Writer(Done),
}

/// Events taken at once before effects are carried out: a flood is answered in few rounds.
const ROUND: usize = 1_024;

/// Runs until the hub is gone or the lane has to stop, which stops the process.
pub(super) async fn run(
    hub: Arc<Hub>,
    shard: Arc<Shard>,
    mut lane: HomeLane,
    writer: LaneWriter,
    inputs: mpsc::UnboundedSender<Input>,
    mut queue: mpsc::UnboundedReceiver<Input>,
) {
    let jobs = writer::start(Arc::clone(&shard), writer, inputs.clone(), Input::Writer);
    let (mut events, mut effects) = (Vec::new(), Vec::new());
    while queue.recv_many(&mut events, ROUND).await > 0 {
        for input in events.drain(..) {
            match input {
                Input::Event(event) => lane.handle(now(), event, &mut effects),
                Input::Writer(Done::Commit(outcome)) => lane.handle(now(), Event::Commit(outcome), &mut effects),
                Input::Writer(Done::Found(found)) => lane.handle(now(), Event::Found(found), &mut effects),
                Input::Writer(Done::Resolved(pos)) => lane.handle(now(), Event::Resolved(pos), &mut effects),
                Input::Writer(Done::Lost(reason)) => hub.stop(&reason),
            }
        }
        for effect in effects.drain(..) {
            carry_out(&hub, &shard, &inputs, &jobs, effect);
        }
    }
}

fn carry_out(
    hub: &Arc<Hub>,
    shard: &Arc<Shard>,
    inputs: &mpsc::UnboundedSender<Input>,
    jobs: &mpsc::UnboundedSender<Job>,
    effect: Effect,
) {
    // A closed channel means that the process is ending.
    match effect {
        Effect::Load(load) => _ = tokio::spawn(load_for(Arc::clone(shard), inputs.clone(), load)),
        Effect::Commit(batch) => _ = jobs.send(Job::Commit(batch)),
        Effect::Lookup(ids) => _ = jobs.send(Job::Lookup(ids)),
        Effect::Resolve => _ = jobs.send(Job::Resolve),
        Effect::Publish(change) => hub.publish(change),
        Effect::Marked(marks) => hub.marked(marks),
        Effect::Answer((origin, request_id, answer)) => hub.answer(origin, request_id, answer),
        Effect::WakeAt(at) => wake(inputs.clone(), at.0 - now().0),
        Effect::Stop(reason) => hub.stop(&reason),
    }
}

async fn load_for(shard: Arc<Shard>, inputs: mpsc::UnboundedSender<Input>, load: Load) {
    let event = match shard.load(&load).await {
        Ok(loaded) => Event::Loaded(loaded),
        Err(error) => {
            tracing::warn!(%error, conversation = %load.conversation_id, "a conversation could not be loaded");
            Event::NotLoaded(load.conversation_id)
        }
    };
    _ = inputs.send(Input::Event(event));
}

fn wake(inputs: mpsc::UnboundedSender<Input>, in_ms: i64) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(in_ms.max(0) as u64)).await;
        _ = inputs.send(Input::Event(Event::Wake));
    });
}
