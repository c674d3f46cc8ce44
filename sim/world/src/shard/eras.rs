//! Histories of a shard: after a restore from an older copy, positions that were given before name other batches.

use std::collections::BTreeMap;

use skep_core::Cursor;
use skep_core::sync::Token;
use skep_protocol::{CellId, ConversationId, Era, Lane, Pos, Seq, UserId};

use super::Shard;

/// Where an era began.
#[derive(Clone, Debug)]
pub(super) struct EraStart {
    pub era: Era,
    /// Per lane, mirror lane first.
    pub starts: Vec<Pos>,
}

/// How a conversation stands at its home, for a cell that hosts some of its people.
#[derive(Debug)]
pub struct Standing {
    head: Seq,
    members: Vec<UserId>,
}

impl Shard {
    /// The present era.
    pub fn era(&self) -> Era {
        self.eras.last().map_or(Era(1), |last| last.era)
    }

    /// This copy is the shard from now on: an era begins where it stands. `last`: the newest era that was lost.
    pub fn restored(&mut self, last: Era) {
        let starts = self.positions();
        self.eras.push(EraStart { era: self.era().max(last).next(), starts });
    }

    /// How far a position that was given in an era still means the same.
    pub fn holds_up_to(&self, era: Era, lane: Lane, pos: Pos) -> Pos {
        let later = self.eras.iter().filter(|e| e.era > era);
        later.map(|e| e.starts[usize::from(lane.0)]).fold(pos, Pos::min)
    }

    /// Whether all that a peer has taken of a home lane is still there.
    pub fn cursor_holds(&self, cursor: &Cursor) -> bool {
        let (era, rows) = cursor.rows;
        self.holds_up_to(cursor.era, cursor.lane, cursor.pos) == cursor.pos
            && self.holds_up_to(era, cursor.lane, rows) == rows
    }

    /// Whether a client may go on from a token. Not from one of an earlier era, however low it stands: what the client
    /// has been pushed since may be lost.
    pub fn token_holds(&self, token: &Token) -> bool {
        token.cell == self.cell && token.era == self.era()
    }

    /// What a mutant takes for the same.
    pub fn token_stands_before_loss(&self, token: &Token) -> bool {
        let mut lanes = (0..=self.home_lanes).map(|lane| (Lane(lane), token.position(Lane(lane))));
        token.cell == self.cell && lanes.all(|(lane, pos)| self.holds_up_to(token.era, lane, pos) == pos)
    }

    /// The conversations of a home lane that have, or had, people of a peer in them, as they stood at a position.
    pub fn standing(&self, lane: Lane, pos: Pos, peer: CellId) -> BTreeMap<ConversationId, Standing> {
        let here = self.members.iter().filter(|(id, _)| self.is_home(**id) && self.lane_of(**id) == lane);
        let standing = here.filter_map(|(id, members)| {
            let of_peer = members.keys().filter(|user| self.map.owner(user.slot()) == Some(peer));
            let members: Vec<UserId> = of_peer.copied().collect();
            let log = self.messages.get(id).into_iter().flatten();
            let head = log.filter(|(_, m)| m.at.pos <= pos).map(|(seq, _)| *seq).max().unwrap_or_default();
            (!members.is_empty()).then_some((*id, Standing { head, members }))
        });
        standing.collect()
    }

    /// Brings the mirror of a peer's lane back to how the peer stands; messages that the peer has lost go. Tokens from
    /// before do not hold any more, and this process's mirror writer is shut out.
    pub fn set_aside(&mut self, at: Cursor, standing: &BTreeMap<ConversationId, Standing>) {
        let is_mirrored =
            |id: ConversationId| self.map.owner(id.slot()) == Some(at.peer) && self.lane_of(id) == at.lane;
        let ids: Vec<ConversationId> = self.conversations.keys().copied().filter(|id| is_mirrored(*id)).collect();
        for id in ids {
            let stands = standing.get(&id);
            let head = stands.map_or(Seq::ZERO, |s| s.head);
            if let Some(log) = self.messages.get_mut(&id) {
                let lost = log.split_off(&head.next());
                lost.values().for_each(|m| _ = self.ids.remove(&(id, m.row.client_message_id)));
            }
            let is_known = |user: &UserId| stands.is_some_and(|s| s.members.contains(user));
            self.memberships.retain(|(user, conversation), _| *conversation != id || is_known(user));
            if stands.is_none() {
                self.conversations.remove(&id);
                self.messages.remove(&id);
            }
            for (_, m) in self.memberships.iter_mut().filter(|((_, conversation), _)| *conversation == id) {
                // Rows come anew, but somebody may look before: nobody is shown a head that is no more.
                m.row.joined_seq = m.row.joined_seq.min(head);
                m.row.left_seq = m.row.left_seq.map(|left| left.min(head));
                m.read_seq = m.read_seq.min(head);
                m.hidden_seq = m.hidden_seq.map(|hidden| hidden.min(head));
            }
        }
        self.cursors.insert((at.peer, at.lane), at);
        self.fence(Lane::MIRROR);
        let mut starts = self.positions();
        starts[usize::from(Lane::MIRROR.0)] = Pos::ZERO;
        self.eras.push(EraStart { era: self.era().next(), starts });
    }
}
