//! Streams between cells: they break, they are slow, they never reorder.

use std::collections::VecDeque;

use skep_core::mirror::Event as MirrorEvent;
use skep_core::peers::{ForwardEffect, Step, Subscription};
use skep_core::{Answer, Change, Cursor, Origin, Request, mirror};
use skep_protocol::{CellId, Lane, Millis, Pos, RequestId, limits};

use super::World;
use super::event::{Event, Inner};
use super::replay::Replaying;
use super::rest::Stage;
use crate::plan::Mutant;
use crate::trace::tell;

/// A stream, unique in a world.
pub(super) type LinkId = u64;

/// A stream by which one cell subscribes to another.
pub(super) struct Link {
    pub subscriber: CellId,
    pub home: CellId,
    /// The home's side: per home lane, once subscribed.
    pub subscriptions: Vec<(Subscription, Feed)>,
    /// Answers that wait until the stream has passed the position at which they were given.
    pub answers: VecDeque<(Lane, Pos, RequestId, Answer)>,
    up_at: Millis,
    down_at: Millis,
    holed: Holed,
}

/// Whether a frame was lost on its way down. A real stream is over with that; here later changes still come for a
/// while, so that the subscriber must see the hole, but no answer passes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holed {
    No,
    Yes,
}

/// Where a subscription is fed from.
pub(super) enum Feed {
    Ring,
    Shard(Replaying),
}

pub(super) enum UpFrame {
    Subscribe(Vec<Cursor>),
    Request(Request),
}

pub(super) enum DownFrame {
    Change(Change),
    Answer(RequestId, Answer),
}

impl World {
    pub(super) fn dial(&mut self, cell: CellId, home: CellId) {
        if !self.is_alive(home) {
            self.tell_process(500, cell, Inner::Dial(home));
            return;
        }
        let id = self.number();
        let (up_at, down_at) = (self.now, self.now);
        let link = Link {
            subscriber: cell,
            home,
            subscriptions: Vec::new(),
            answers: VecDeque::new(),
            up_at,
            down_at,
            holed: Holed::No,
        };
        self.links.insert(id, link);
        self.process(cell).links.insert(home, id);
        tell!(self, cell, "link {id} to {home} is up");
        self.queue_to_lane(cell, Lane::MIRROR, Inner::Mirror(MirrorEvent::Opened(home)));
    }

    /// A stream that lost a frame ends.
    pub(super) fn break_link(&mut self, id: LinkId) {
        if let Some(link) = self.links.get(&id) {
            let (subscriber, home) = (link.subscriber, link.home);
            self.break_links(|l| l.subscriber == subscriber && l.home == home);
        }
    }

    /// Breaks streams: what is on its way is lost, and the subscriber notices after a while.
    pub(super) fn break_links(&mut self, which: impl Fn(&Link) -> bool) {
        let broken: Vec<LinkId> = self.links.iter().filter(|(_, l)| which(l)).map(|(id, _)| *id).collect();
        for id in broken {
            let Some(link) = self.links.remove(&id) else { continue };
            let delay = self.chance.wire.between(0, 2_000);
            tell!(self, link.subscriber, "link {id} to {} breaks", link.home);
            self.tell_process(delay, link.subscriber, Inner::LinkDown(link.home, id));
        }
    }

    pub(super) fn link_down(&mut self, cell: CellId, home: CellId, link: LinkId) {
        let delay = self.chance.wire.between(10, 500);
        let process = self.process(cell);
        if process.links.get(&home) == Some(&link) {
            process.links.remove(&home);
            process.forwards.get_mut(&home).expect("every other cell has one").closed();
            self.tell_process(delay, cell, Inner::Dial(home));
        }
    }

    /// The subscriber found a hole.
    pub(super) fn reopen(&mut self, cell: CellId, home: CellId) {
        if let Some(id) = self.process(cell).links.get(&home).copied() {
            tell!(self, cell, "reopens link {id} to {home}");
            self.links.remove(&id);
            self.link_down(cell, home, id);
        }
    }

    pub(super) fn subscribe(&mut self, cell: CellId, home: CellId, cursors: Vec<Cursor>) {
        let Some(id) = self.process(cell).links.get(&home).copied() else { return };
        self.send_up(id, UpFrame::Subscribe(cursors));
        let mut effects = Vec::new();
        self.process(cell).forwards.get_mut(&home).expect("every other cell has one").opened(&mut effects);
        self.forward_effects(cell, home, effects);
    }

    pub(super) fn forward_effects(&mut self, cell: CellId, home: CellId, effects: Vec<ForwardEffect>) {
        for effect in effects {
            match effect {
                ForwardEffect::Send(request) => {
                    if let Some(id) = self.process(cell).links.get(&home).copied() {
                        self.send_up(id, UpFrame::Request(request));
                    }
                }
                ForwardEffect::Answer(request, answer) => self.answer_here(cell, request, answer),
            }
        }
    }

    fn send_up(&mut self, id: LinkId, frame: UpFrame) {
        let at = self.now.plus(self.chance.wire.delay(self.plan.wire_ms));
        let Some(link) = self.links.get_mut(&id) else { return };
        link.up_at = link.up_at.max(at);
        let at = link.up_at;
        self.schedule.put(at, Event::Up(id, frame));
    }

    /// At the home.
    pub(super) fn up(&mut self, id: LinkId, frame: UpFrame) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (subscriber, home) = (link.subscriber, link.home);
        match frame {
            UpFrame::Subscribe(cursors) => {
                tell!(self, home, "{subscriber} subscribes from {cursors:?}");
                let shard = &self.cells[&home].shard;
                if !cursors.iter().all(|c| shard.cursor_holds(c)) {
                    tell!(self, home, "refuses {subscriber}, who has what is lost here");
                    self.links.remove(&id);
                    let delay = self.chance.wire.delay(self.plan.wire_ms);
                    self.tell_process(delay, subscriber, Inner::Refused(home, id));
                    return;
                }
                let era = shard.era();
                let lanes = (1..=self.plan.home_lanes).map(Lane);
                let of = |lane| {
                    let cursor = cursors.iter().find(|c| c.lane == lane);
                    let pos = cursor.map_or(Pos::ZERO, |c| c.pos);
                    let is_anew = cursor.is_some_and(|c| c.era < era) && pos > Pos::ZERO;
                    let feed = if is_anew { Feed::Shard(Replaying::anew(pos)) } else { Feed::Ring };
                    (Subscription { peer: subscriber, lane, pos }, feed)
                };
                link.subscriptions = lanes.clone().map(of).collect();
                for lane in lanes {
                    let delay = self.chance.storage.delay(self.plan.replay_ms);
                    self.after(delay, Event::Replay(id, lane));
                    self.pump(id, lane);
                }
            }
            UpFrame::Request(mut request) => {
                request.origin = Origin::Peer(subscriber, id);
                self.ask_home(home, request);
            }
        }
    }

    /// Sends what a subscription has not had, and the answers that may follow it.
    pub(super) fn pump(&mut self, id: LinkId, lane: Lane) {
        let index = usize::from(lane.0) - 1;
        loop {
            let Some(link) = self.links.get_mut(&id) else { return };
            let home = link.home;
            let Some((subscription, feed @ Feed::Ring)) = link.subscriptions.get_mut(index) else { break };
            let process = self.cells.get(&home).and_then(|c| c.process.as_ref()).expect("links end with their home");
            let era = self.cells[&home].shard.era();
            match subscription.next(&process.rings[index], era, &self.map, self.plan.frame_bytes) {
                Step::Frame(change) => self.send_change(id, change),
                Step::Idle => break,
                Step::Replay => {
                    *feed = Feed::Shard(Replaying::from(subscription.pos));
                    let from = subscription.pos;
                    tell!(self, home, "replays {lane:?} from {from:?} for link {id}");
                    let delay = self.chance.storage.delay(self.plan.replay_ms);
                    self.after(delay, Event::Replay(id, lane));
                }
            }
        }
        self.send_answers(id);
    }

    fn send_answers(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut due = Vec::new();
        let subscriptions = &link.subscriptions;
        link.answers.retain(|(lane, pos, request, answer)| {
            let stands = subscriptions.get(usize::from(lane.0) - 1).map_or(Pos::ZERO, |(s, _)| s.pos);
            let is_due = stands >= *pos;
            if is_due {
                due.push((*request, answer.clone()));
            }
            !is_due
        });
        for (request, answer) in due {
            self.send_down(id, DownFrame::Answer(request, answer));
        }
    }

    /// What crosses the wire: which cells host members is not told.
    pub(super) fn send_change(&mut self, id: LinkId, mut change: Change) {
        change.conversations.iter_mut().for_each(|c| c.cells = [].into());
        if !change.conversations.is_empty() && self.stage == Stage::Busy {
            if self.plan.mutant == Some(Mutant::DroppedChange) && self.chance.mutant.chance(10) {
                change.conversations.clear();
            }
            // A replay's rows do not move the cursor: that none of them is missing rests on the stream alone.
            let moves = change.through > change.after;
            if moves && self.chance.wire.chance(self.plan.faults.lost_frame) {
                tell!(self, "wire", "link {id} loses {:?} {:?}", change.lane, change.through);
                if let Some(link) = self.links.get_mut(&id) {
                    link.holed = Holed::Yes;
                }
                self.after(limits::RELAY_SILENCE_MS as i64, Event::Break(id));
                return;
            }
        }
        self.send_down(id, DownFrame::Change(change));
    }

    fn send_down(&mut self, id: LinkId, frame: DownFrame) {
        let at = self.now.plus(self.chance.wire.delay(self.plan.wire_ms));
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.holed == Holed::Yes && matches!(frame, DownFrame::Answer(..)) {
            return;
        }
        link.down_at = link.down_at.max(at);
        let at = link.down_at;
        self.schedule.put(at, Event::Down(id, frame));
    }

    /// At the subscriber.
    pub(super) fn down(&mut self, id: LinkId, frame: DownFrame) {
        let Some(link) = self.links.get(&id) else { return };
        let (cell, home) = (link.subscriber, link.home);
        if self.cells[&cell].paused_until > self.now {
            let until = self.cells[&cell].paused_until;
            self.schedule.put_off(until, Event::Down(id, frame));
            return;
        }
        let mut effects = Vec::new();
        match frame {
            DownFrame::Change(change) => {
                tell!(
                    self,
                    cell,
                    "takes {:?} {:?}..{:?} of {home}: {} conversations",
                    change.lane,
                    change.after,
                    change.through,
                    change.conversations.len()
                );
                let forward_change = change.clone();
                self.mirror(cell, mirror::Event::Arrived(home, change));
                // A hole: the stream begins again, and the change comes again.
                if !self.links.contains_key(&id) {
                    return;
                }
                self.process(cell).forwards.get_mut(&home).expect("every other cell has one").arrived(&forward_change);
            }
            DownFrame::Answer(request, answer) => {
                let forward = self.process(cell).forwards.get_mut(&home).expect("every other cell has one");
                forward.answered(request, answer, &mut effects);
            }
        }
        self.forward_effects(cell, home, effects);
    }
}
