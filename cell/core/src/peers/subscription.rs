//! How far a peer has been sent a lane, and what comes next.

use skep_protocol::{CellId, Era, Lane, Pos, SlotMap};

use super::Ring;
use crate::{Change, ConversationChange};

/// A peer's place in one home lane.
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    pub peer: CellId,
    pub lane: Lane,
    pub pos: Pos,
}

/// What a subscription needs next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// The peer has all there is.
    Idle,
    /// To be sent; the subscription has moved past it.
    Frame(Change),
    /// The ring does not reach back to the peer's cursor: the shard does.
    Replay,
}

impl Subscription {
    /// The next frame, of at most about `budget` bytes. Changes that do not concern the peer only move it.
    pub fn next(&mut self, ring: &Ring, era: Era, map: &SlotMap, budget: usize) -> Step {
        let Some(changes) = ring.after(self.pos) else { return Step::Replay };
        let mut frame = Change { lane: self.lane, era, after: self.pos, through: self.pos, conversations: Vec::new() };
        let mut bytes = 0;
        for change in changes {
            bytes += change.bytes();
            if bytes > budget && frame.through > frame.after {
                break;
            }
            frame.conversations.extend(change.conversations.iter().filter_map(|c| concerning(c, self.peer, map)));
            frame.through = change.through;
        }
        if frame.through == frame.after {
            return Step::Idle;
        }
        self.pos = frame.through;
        Step::Frame(frame)
    }
}

/// What of a conversation's change a peer is sent: nothing, unless it hosts a member; the rows of its own people.
pub fn concerning(change: &ConversationChange, peer: CellId, map: &SlotMap) -> Option<ConversationChange> {
    if !change.cells.contains(&peer) {
        return None;
    }
    let members = change.members.iter().filter(|m| map.owner(m.user_id.slot()) == Some(peer)).cloned().collect();
    Some(ConversationChange { members, ..change.clone() })
}
