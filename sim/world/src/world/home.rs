//! The shell of a home lane.

use std::sync::Arc;

use skep_core::home::{Effect, Event};
use skep_core::{Answer, Batch, Change, Origin, Request, fanout, fanout::Source};
use skep_protocol::{CellId, Lane, RequestId};

use super::World;
use super::event::{Event as WorldEvent, Inner, Read};
use crate::checkers::{Violation, queues_are_bounded, ring_is_bounded};
use crate::plan::Mutant;
use crate::trace::tell;

impl World {
    pub(super) fn lane(&mut self, cell: CellId, lane: Lane, event: Event) {
        let now = self.now;
        if let Event::Request(r) = &event {
            let (id, origin) = (r.request_id, r.origin);
            tell!(
                self,
                format_args!("{cell:?} {lane:?}"),
                "is asked {id} by {origin:?}: {:?} of {}",
                r.op,
                r.conversation_id
            );
        }
        let mut effects = Vec::new();
        let home = &mut self.process(cell).homes[usize::from(lane.0) - 1];
        home.handle(now, event, &mut effects);
        let found = queues_are_bounded(home);
        self.check(found);
        for effect in effects {
            self.lane_effect(cell, lane, effect);
        }
    }

    fn lane_effect(&mut self, cell: CellId, lane: Lane, effect: Effect) {
        match effect {
            Effect::Load(load) => self.ask(cell, Read::Load(lane, load)),
            Effect::Lookup(ids) => self.ask(cell, Read::Lookup(lane, ids)),
            Effect::Resolve => self.ask(cell, Read::Resolve(lane)),
            Effect::Commit(batch) => {
                if self.plan.mutant == Some(Mutant::AnswersBeforeCommit) {
                    self.answer_too_early(cell, &batch);
                }
                self.commit(cell, batch);
            }
            Effect::Publish(change) => self.publish(cell, lane, &change),
            Effect::Marked(marks) => self.marked(cell, marks),
            Effect::Answer((origin, request, answer)) => self.lane_answer(cell, lane, origin, request, answer),
            Effect::WakeAt(at) => {
                let life = self.cells[&cell].lives;
                self.schedule.put(at, WorldEvent::Process(cell, life, Inner::Lane(lane, Event::Wake)));
            }
            Effect::Stop(reason) => self.check(Err(Violation::of("stop", format!("{cell} {lane:?}: {reason}")))),
        }
    }

    fn publish(&mut self, cell: CellId, lane: Lane, change: &Arc<Change>) {
        let limit = self.plan.ring_bytes;
        let ring = &mut self.process(cell).rings[usize::from(lane.0) - 1];
        ring.push(Arc::clone(change));
        let found = ring_is_bounded(ring, limit);
        self.check(found);
        self.hand_out(cell, change, Source::Home);
        let links: Vec<_> = self.links.iter().filter(|(_, l)| l.home == cell).map(|(id, _)| *id).collect();
        for link in links {
            self.pump(link, lane);
        }
    }

    fn lane_answer(&mut self, cell: CellId, lane: Lane, origin: Origin, request: RequestId, answer: Answer) {
        tell!(self, format_args!("{cell:?} {lane:?}"), "answers {request} {answer:?}");
        match origin {
            Origin::Local => self.answer_here(cell, request, answer),
            Origin::Peer(_, id) => {
                let position = self.process(cell).homes[usize::from(lane.0) - 1].position();
                // Without its stream the answer is lost: the peer asks again.
                if let Some(link) = self.links.get_mut(&id) {
                    link.answers.push_back((lane, position, request, answer));
                    self.pump(id, lane);
                }
            }
        }
    }

    /// An answer in words for somebody in this cell, through the worker who remembers the request.
    pub(super) fn answer_here(&mut self, cell: CellId, request: RequestId, answer: Answer) {
        if let Some(user) = self.process(cell).askers.remove(&request) {
            self.queue_to_worker(cell, self.worker_of(user), fanout::Event::Answered(request, answer));
        }
    }

    /// To the lane of a conversation that is homed here.
    pub(super) fn ask_home(&mut self, cell: CellId, request: Request) {
        let lane = Lane::of_home(request.conversation_id.slot(), self.plan.home_lanes);
        self.queue_to_lane(cell, lane, Inner::Lane(lane, Event::Request(request)));
    }

    fn answer_too_early(&mut self, cell: CellId, batch: &Batch) {
        for message in &batch.messages {
            let key = (message.conversation_id, message.client_message_id);
            if let Some(request) = self.process(cell).sends.remove(&key) {
                self.answer_here(cell, request, Answer::Sent(message.clone()));
            }
        }
    }
}
