//! Between lanes and shards: delays, lost outcomes, refusals.

use std::sync::Arc;

use skep_core::{Batch, Commit, fanout, home, mirror};
use skep_protocol::{CellId, Lane};

use super::World;
use super::event::{Apply, Event, Inner, Read, Told};
use super::rest::Stage;
use crate::trace::tell;

impl World {
    /// Hands a batch to the shard.
    pub(super) fn commit(&mut self, cell: CellId, batch: Arc<Batch>) {
        let faults = if self.stage == Stage::Busy { self.plan.faults.clone() } else { Default::default() };
        let lane = batch.lane;
        let usual = if self.chance.storage.chance(faults.slow_commit) { 3_000 } else { self.plan.commit_ms };
        let delay = self.chance.storage.delay(usual);
        if self.chance.storage.chance(faults.again) {
            self.outcome(delay, cell, lane, Commit::Again);
            return;
        }
        // A mark alone is never rejected: one that is asked again after a lost result stands in the shard already.
        let holds_changes =
            !batch.messages.is_empty() || !batch.memberships.is_empty() || !batch.conversations.is_empty();
        if lane == Lane::MIRROR && holds_changes && self.chance.storage.chance(faults.rejected) {
            self.outcome(delay, cell, lane, Commit::Rejected("a fault of this world".to_owned()));
            return;
        }
        let (life, copies) = (self.cells[&cell].lives, self.cells[&cell].copies);
        let writer = self.process(cell).writers[usize::from(lane.0)];
        let mut apply = Apply { cell, life, copies, writer, batch, told: Told::Yes };
        if self.chance.storage.chance(faults.unknown) {
            apply.told = Told::No;
            let known_after = self.chance.storage.delay(usual);
            self.outcome(known_after, cell, lane, Commit::Unknown);
            if self.chance.storage.chance(3_000) {
                return;
            }
        }
        self.after(delay, Event::Apply(Box::new(apply)));
    }

    /// The batch reaches the shard.
    pub(super) fn apply(&mut self, apply: Apply) {
        let Apply { cell, life, copies, writer, batch, told } = apply;
        let state = self.cells.get_mut(&cell).expect("cells stay");
        if state.copies != copies {
            return;
        }
        let outcome = state.shard.commit(writer, &batch);
        let alive = state.lives == life && state.process.is_some();
        tell!(
            self,
            format_args!("{cell:?} {:?}", batch.lane),
            "{:?} {} messages {} rows {} marks: {}",
            batch.pos,
            batch.messages.len(),
            batch.conversations.len() + batch.members.len() + batch.memberships.len(),
            batch.marks.len(),
            if matches!(outcome, Commit::Done(_)) { "committed".to_owned() } else { format!("{outcome:?}") }
        );
        if matches!(outcome, Commit::Done(_)) {
            for m in &batch.memberships {
                let state = if m.left_seq.is_none() { "is in" } else { "has left" };
                let place = format_args!("{cell:?} {:?}", batch.lane);
                tell!(self, place, "  {} {state} {} ({:?})", m.user_id, m.conversation_id, m.home_pos);
            }
            self.truth.committed(&batch);
            let found = self.checkers.versions.never_go_back(&self.cells[&cell].shard);
            self.check(found);
        }
        if alive && told == Told::Yes {
            let delay = self.chance.storage.delay(self.plan.read_ms);
            self.outcome(delay, cell, batch.lane, outcome);
        }
    }

    fn outcome(&mut self, delay: i64, cell: CellId, lane: Lane, outcome: Commit) {
        let inner = if lane == Lane::MIRROR {
            Inner::Mirror(mirror::Event::Commit(outcome))
        } else {
            Inner::Lane(lane, home::Event::Commit(outcome))
        };
        self.tell_process(delay, cell, inner);
    }

    /// Asks the shard something: it is looked at later, and answered later still.
    pub(super) fn ask(&mut self, cell: CellId, read: Read) {
        let delay = self.chance.storage.delay(self.plan.read_ms);
        self.tell_process(delay, cell, Inner::Read(read));
    }

    pub(super) fn read(&mut self, cell: CellId, read: Read) {
        let delay = self.chance.storage.delay(self.plan.read_ms);
        let fails = self.stage == Stage::Busy && self.chance.storage.chance(self.plan.faults.not_loaded);
        match read {
            Read::Load(lane, load) => {
                let event = if fails {
                    home::Event::NotLoaded(load.conversation_id)
                } else {
                    home::Event::Loaded(self.cells[&cell].shard.load(&load))
                };
                self.tell_process(delay, cell, Inner::Lane(lane, event));
            }
            Read::Lookup(lane, ids) => {
                let found = self.cells[&cell].shard.lookup(&ids);
                self.tell_process(delay, cell, Inner::Lane(lane, home::Event::Found(found)));
            }
            Read::Resolve(lane) => self.resolve(delay, cell, lane),
            Read::Members(worker, id) => {
                let event = match self.cells[&cell].shard.local(id, self.plan.former) {
                    _ if fails => fanout::Event::NotLoaded(id),
                    Some(local) => fanout::Event::Loaded(local),
                    None => fanout::Event::NobodyHere(id),
                };
                self.queue_to_worker(cell, worker, event);
            }
            Read::Snapshot(connection) => self.snapshot(cell, connection),
            Read::Page(connection) => self.page(cell, connection),
            Read::History(connection, frame) => self.history(cell, connection, frame),
        }
    }

    fn resolve(&mut self, delay: i64, cell: CellId, lane: Lane) {
        let state = self.cells.get_mut(&cell).expect("cells stay");
        let (writer, pos) = state.shard.fence(lane);
        self.process(cell).writers[usize::from(lane.0)] = writer;
        tell!(self, format_args!("{cell:?} {lane:?}"), "fenced by writer {writer}, stands at {pos:?}");
        let inner = if lane == Lane::MIRROR {
            Inner::Mirror(mirror::Event::Resolved(pos))
        } else {
            Inner::Lane(lane, home::Event::Resolved(pos))
        };
        self.tell_process(delay, cell, inner);
    }
}
