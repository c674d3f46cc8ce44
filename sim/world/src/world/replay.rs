//! A home reads from its shard what the ring no longer holds (protocols.md 3): rows first, then messages.

use skep_core::Change;
use skep_protocol::{Lane, Pos};

use super::World;
use super::event::Event;
use super::relay::{Feed, LinkId};
use crate::plan::Mutant;
use crate::trace::tell;

/// Batches whose messages are read at once.
const BATCHES: u64 = 5;

/// A replay under way.
pub(super) struct Replaying {
    since: Pos,
    /// Where the messages sent so far end.
    at: Pos,
    /// The lane's position when it began; read first.
    upto: Option<Pos>,
    /// Where the rows sent so far end; `None` when there are no more.
    rows: Option<Pos>,
}

impl Replaying {
    /// From a cursor on.
    pub fn from(pos: Pos) -> Self {
        Self { since: pos, at: pos, upto: None, rows: Some(pos) }
    }

    /// All rows anew: the cursor is of an earlier era, in which the peer may have seen newer ones than there are now.
    pub fn anew(pos: Pos) -> Self {
        Self { rows: Some(Pos::ZERO), ..Self::from(pos) }
    }
}

impl World {
    /// One step of a replay: one read of the shard, one frame.
    pub(super) fn replay(&mut self, id: LinkId, lane: Lane) {
        let index = usize::from(lane.0) - 1;
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some((subscription, feed)) = link.subscriptions.get_mut(index) else { return };
        let Feed::Shard(state) = feed else { return };
        let (shard, peer) = (&self.cells[&link.home].shard, link.subscriber);
        let upto = *state.upto.get_or_insert(shard.position(lane));
        let change = if let Some(after) = state.rows {
            // Until none is left: a row that changes meanwhile stands behind what has been read.
            let is_cut = self.plan.mutant == Some(Mutant::NoRowsBeyondReplay);
            let last = if is_cut { upto } else { Pos(u64::MAX) };
            let page = shard.rows_after(lane, peer, (after, last), self.plan.replay_rows);
            state.rows = page.next;
            Change { lane, era: shard.era(), after: state.at, through: state.at, conversations: page.conversations }
        } else if state.at < upto {
            let change = shard.messages_after(lane, peer, (state.since, state.at, upto), BATCHES);
            state.at = change.through;
            subscription.pos = change.through;
            change
        } else {
            *feed = Feed::Ring;
            tell!(self, link.home, "has replayed {lane:?} up to {upto:?} for link {id}");
            self.pump(id, lane);
            return;
        };
        if !change.conversations.is_empty() || change.through > change.after {
            self.send_change(id, change);
        }
        let delay = self.chance.storage.delay(self.plan.replay_ms);
        self.after(delay, Event::Replay(id, lane));
    }
}
