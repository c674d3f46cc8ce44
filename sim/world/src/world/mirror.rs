//! The shell of the mirror lane.

use skep_core::mirror::{Effect, Event};
use skep_core::{MarkResult, fanout, fanout::Source};
use skep_protocol::{CellId, ConversationId, Lane};

use super::World;
use super::event::{Event as WorldEvent, Inner, Read};
use super::process::AfterBarrier;
use crate::checkers::Violation;
use crate::plan::Mutant;

impl World {
    pub(super) fn mirror(&mut self, cell: CellId, event: Event) {
        let now = self.now;
        let mut effects = Vec::new();
        self.process(cell).mirror.handle(now, event, &mut effects);
        for effect in effects {
            self.mirror_effect(cell, effect);
        }
    }

    fn mirror_effect(&mut self, cell: CellId, effect: Effect) {
        match effect {
            Effect::Subscribe(home, cursors) => self.subscribe(cell, home, cursors),
            Effect::Reopen(home) => self.reopen(cell, home),
            Effect::Resume(_) => {}
            Effect::Pause(home) => {
                let story = format!("{cell} stops reading from {home}: a world never has so much to say");
                self.check(Err(Violation::of("I8", story)));
            }
            Effect::Push(change) => self.hand_out(cell, &change, Source::Mirror),
            Effect::Commit(batch) => self.commit(cell, batch),
            Effect::Resolve => self.ask(cell, Read::Resolve(Lane::MIRROR)),
            Effect::Marked(marks) => self.marked(cell, marks),
            Effect::Committed(pos) => {
                for index in 0..self.plan.workers {
                    self.queue_to_worker(cell, index, fanout::Event::MirrorCommitted(pos));
                }
            }
            Effect::BarrierDone(id) => {
                if let Some(then) = self.process(cell).barriers.remove(&id) {
                    self.after_barrier(cell, then);
                }
            }
            Effect::Answer((_, request, answer)) => self.answer_here(cell, request, answer),
            Effect::WakeAt(at) => {
                let life = self.cells[&cell].lives;
                self.schedule.put(at, WorldEvent::Process(cell, life, Inner::Mirror(Event::Wake)));
            }
            Effect::Stop(reason) => self.check(Err(Violation::of("stop", format!("{cell} mirror: {reason}")))),
        }
    }

    /// Marks go to the worker of their person.
    pub(super) fn marked(&mut self, cell: CellId, marks: Vec<MarkResult>) {
        for mark in marks {
            let index = self.worker_of(mark.user_id);
            self.queue_to_worker(cell, index, fanout::Event::Marked(vec![mark]));
        }
    }

    /// Goes on when all that had arrived is committed.
    pub(super) fn barrier(&mut self, cell: CellId, then: AfterBarrier) {
        if self.plan.mutant == Some(Mutant::NoSyncBarrier) && matches!(then, AfterBarrier::Snapshot(_)) {
            self.after_barrier(cell, then);
            return;
        }
        let id = self.number();
        self.process(cell).barriers.insert(id, then);
        self.queue_to_lane(cell, Lane::MIRROR, Inner::Mirror(Event::Barrier(id)));
    }

    /// What concerns a conversation homed elsewhere waits for the barrier; what is homed here is in the shard already.
    pub(super) fn barrier_for(&mut self, cell: CellId, id: ConversationId, then: AfterBarrier) {
        if self.owner(id.slot()) == cell {
            self.after_barrier(cell, then);
        } else {
            self.barrier(cell, then);
        }
    }

    fn after_barrier(&mut self, cell: CellId, then: AfterBarrier) {
        match then {
            AfterBarrier::Snapshot(connection) => self.ask(cell, Read::Snapshot(connection)),
            AfterBarrier::Members(worker, id) => self.ask(cell, Read::Members(worker, id)),
            AfterBarrier::History(connection, frame) => self.ask(cell, Read::History(connection, frame)),
            AfterBarrier::Call(call, answer) => self.respond(call, answer),
        }
    }
}
