//! The shell of a fan-out worker.

use std::sync::Arc;

use skep_core::Change;
use skep_core::fanout::{ConnectionId, Effect, Event, Outbox, Queued, Source};
use skep_protocol::{CellId, Pos};

use super::World;
use super::event::{DeviceEvent, Inner};
use super::process::AfterBarrier;
use crate::plan::Mutant;
use crate::trace::tell;

/// How much later than its mark a change comes, in the mutant that does so.
const LATE_MS: i64 = 2_000;

impl World {
    pub(super) fn worker(&mut self, cell: CellId, index: usize, event: Event) {
        let now = self.now;
        let mut effects = Vec::new();
        let backlog = &mut self.process(cell).backlogs[index];
        let event = match event {
            Event::Skipped(lane, _) => {
                let through = backlog.noted(lane);
                tell!(self, cell, "worker {index} was left out of {lane:?} up to {through:?}");
                Event::Skipped(lane, through)
            }
            Event::Change(change, source) => {
                backlog.taken(source.lane(&change), change.bytes());
                Event::Change(change, source)
            }
            event => event,
        };
        self.process(cell).workers[index].handle(now, event, &mut effects);
        for effect in effects {
            self.worker_effect(cell, index, effect);
        }
    }

    fn worker_effect(&mut self, cell: CellId, index: usize, effect: Effect) {
        match effect {
            Effect::Push(connection, id, frame) => self.write(cell, connection, |o| o.push(id, frame)),
            Effect::Answer(connection, id, frame) => self.write(cell, connection, |o| o.answer(id, frame)),
            Effect::Checkpoint(connection, frame) => self.write(cell, connection, |o| o.checkpoint(frame)),
            Effect::SyncFrom(connection, token) => self.begin_sync(cell, connection, token),
            Effect::Behind(connection) => self.write(cell, connection, Outbox::behind),
            Effect::Close(connection, _) => self.close(cell, connection),
            Effect::Load(id) => self.barrier_for(cell, id, AfterBarrier::Members(index, id)),
            Effect::Settled(request, answer) => self.settled(cell, request, answer),
        }
    }

    /// A change to all workers.
    pub(super) fn hand_out(&mut self, cell: CellId, change: &Arc<Change>, source: Source) {
        let late = self.plan.mutant == Some(Mutant::MarkBeforeChange);
        for index in 0..self.plan.workers {
            if late {
                let event = Event::Change(Arc::clone(change), Source::Mirror);
                self.tell_process(LATE_MS, cell, Inner::Worker(index, event));
            }
            let lane = source.lane(change);
            match self.process(cell).backlogs[index].put(lane, change.bytes(), change.through) {
                Queued::Change => {}
                Queued::Note => {
                    self.queue_to_worker(cell, index, Event::Skipped(lane, Pos::ZERO));
                    continue;
                }
                Queued::Nothing => continue,
            }
            let now = if late {
                Arc::new(Change { conversations: Vec::new(), ..(**change).clone() })
            } else {
                Arc::clone(change)
            };
            self.queue_to_worker(cell, index, Event::Change(now, source));
        }
    }

    /// The cell closes a connection.
    pub(super) fn close(&mut self, cell: CellId, connection: ConnectionId) {
        if let Some(state) = self.process(cell).connections.get(&connection) {
            let device = state.device;
            self.tell_device(5, device, DeviceEvent::Cut(connection));
            self.gone(cell, connection);
        }
    }
}
