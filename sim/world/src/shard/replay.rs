//! What a home reads from its shard for a peer whose cursor lies behind the ring (protocols.md 3).

use std::collections::BTreeMap;

use skep_core::{Change, ConversationChange};
use skep_protocol::{CellId, ConversationId, Lane, Pos, UserId};

use super::Shard;

/// A page of rows, and where the next one begins; `None` when there are no more.
#[derive(Debug)]
pub struct RowsPage {
    pub conversations: Vec<ConversationChange>,
    pub next: Option<Pos>,
}

impl Shard {
    /// Conversation and member rows that concern a peer and changed after a position (and up to another), by position.
    pub fn rows_after(&self, lane: Lane, peer: CellId, (after, upto): (Pos, Pos), most: usize) -> RowsPage {
        let mut rows: Vec<(Pos, ConversationId, Option<UserId>)> = Vec::new();
        for (id, members) in self.members.iter().filter(|(id, _)| self.is_home(**id) && self.lane_of(**id) == lane) {
            let of_peer = || members.values().filter(|m| self.map.owner(m.user_id.slot()) == Some(peer));
            rows.extend(of_peer().filter(|m| m.pos > after).map(|m| (m.pos, *id, Some(m.user_id))));
            let pos = self.conversations.get(id).map_or(Pos::ZERO, |c| c.row.pos);
            if pos > after && of_peer().any(|m| m.is_current()) {
                rows.push((pos, *id, None));
            }
        }
        rows.retain(|(pos, ..)| *pos <= upto);
        rows.sort();
        let Some(last) = rows.get(most.saturating_sub(1)).or(rows.last()).map(|(pos, ..)| *pos) else {
            return RowsPage { conversations: Vec::new(), next: None };
        };
        let mut changes: BTreeMap<ConversationId, ConversationChange> = BTreeMap::new();
        for (_, id, user) in rows.into_iter().take_while(|(pos, ..)| *pos <= last) {
            let change = changes.entry(id).or_insert_with(|| ConversationChange::new(id));
            change.row = self.conversations.get(&id).map(|c| c.row.clone());
            change.members.extend(user.and_then(|u| self.members.get(&id)?.get(&u)).cloned());
        }
        RowsPage { conversations: changes.into_values().collect(), next: Some(last) }
    }

    /// The messages of the next whole batches after a position, up to another, of conversations that have a member in
    /// the peer, or had one `since` the cursor from which the replay began.
    pub fn messages_after(
        &self,
        lane: Lane,
        peer: CellId,
        (since, after, upto): (Pos, Pos, Pos),
        batches: u64,
    ) -> Change {
        let through = Pos((after.0 + batches).min(upto.0));
        let mut change = Change { lane, era: self.era(), after, through, conversations: Vec::new() };
        for (id, members) in self.members.iter().filter(|(id, _)| self.is_home(**id) && self.lane_of(**id) == lane) {
            let mut of_peer = members.values().filter(|m| self.map.owner(m.user_id.slot()) == Some(peer));
            if !of_peer.any(|m| m.is_current() || m.pos > since) {
                continue;
            }
            let stored = self.messages.get(id).into_iter().flat_map(|m| m.values());
            let of_batches = stored.filter(|s| s.at.pos > after && s.at.pos <= through);
            let messages: Vec<_> = of_batches.map(|s| s.row.clone()).collect();
            if !messages.is_empty() {
                change.conversations.push(ConversationChange { messages, ..ConversationChange::new(*id) });
            }
        }
        change
    }
}
