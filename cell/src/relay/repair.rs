//! A peer was restored from an older copy: the mirror of it is brought back to what the peer has, and this process ends,
//! to begin anew from its shard. What the peer says is one path for all: ordinary replay follows.

use std::sync::Arc;

use bytes::Bytes;
use skep_core::Cursor;
use skep_protocol::{CellId, ConversationId, Lane, Pos, Refusal, Seq, Slot, SlotMap, UserId, wire};

use crate::{
    context::failed,
    peer::Peers,
    storage::{SetAside, Shard, Standing},
};

/// What a repair needs of the running cell.
pub struct Repair {
    pub cell: CellId,
    pub shard: Arc<Shard>,
    pub peers: Peers,
}

impl Repair {
    /// Sets aside what the peer has lost of each lane that this cell has taken further than the peer goes. `None`: there
    /// was nothing to set aside.
    pub async fn run(&self, peer: CellId, map: &SlotMap) -> Result<Option<SetAside>, Refusal> {
        let mut done = None;
        for cursor in self.shard.cursors().await.map_err(failed)?.into_iter().filter(|cursor| cursor.peer == peer) {
            let Some((at, home_lanes, standing)) = self.standing(cursor).await? else { continue };
            let slots: Vec<Slot> = map.slots_of(peer);
            let slots: Vec<Slot> =
                slots.into_iter().filter(|slot| Lane::of_home(*slot, home_lanes) == cursor.lane).collect();
            let set_aside =
                self.shard.set_aside(Cursor { pos: at, rows: (cursor.era, at), ..cursor }, &slots, &standing).await;
            let SetAside { messages, memberships } = set_aside.map_err(failed)?;
            tracing::error!(
                %peer, lane = %cursor.lane, from = %cursor.pos, to = %at, messages, memberships,
                "a peer was restored from an older copy: what it has lost is set aside here"
            );
            done = Some(SetAside { messages, memberships });
        }
        Ok(done)
    }

    /// How the peer's lane stands, if this cell has taken it further than that.
    async fn standing(&self, cursor: Cursor) -> Result<Option<(Pos, u16, Vec<Standing>)>, Refusal> {
        let (mut standing, mut after) = (Vec::new(), Bytes::new());
        loop {
            let request = wire::StandingRequest {
                cell_id: self.cell.0,
                lane: u32::from(cursor.lane.0),
                era: cursor.era.0,
                pos: cursor.pos.0,
                rows_era: cursor.rows.0.0,
                rows_pos: cursor.rows.1.0,
                after: after.clone(),
            };
            let page = self.peers.standing(cursor.peer, request).await?;
            if !page.lost {
                return Ok(None);
            }
            let Some(last) = page.conversations.last() else {
                let home_lanes = u16::try_from(page.home_lanes.max(1)).unwrap_or(1);
                return Ok(Some((Pos(page.pos), home_lanes, standing)));
            };
            after = last.conversation_id.clone();
            standing.extend(page.conversations.iter().filter_map(of_wire));
        }
    }
}

fn of_wire(standing: &wire::Standing) -> Option<Standing> {
    Some(Standing {
        conversation_id: ConversationId::from_bytes(&standing.conversation_id).ok()?,
        head: Seq(standing.head),
        members: standing.members.iter().filter_map(|user| UserId::from_bytes(user).ok()).collect(),
    })
}
