//! The one transaction of a batch.

use std::collections::BTreeMap;

use skep_core::sync::At;
use skep_core::{
    Batch, Clamp, Commit, ConversationRow, Mark, MarkKind, MarkResult, MarkedRow, Membership, Moved, NoPlace,
};
use skep_protocol::{ConversationId, Era, Lane, Seq, UserId};

use super::{Shard, Stored, StoredConversation, StoredMembership, Versions};

impl Shard {
    /// Writes a batch whole, or nothing of it.
    pub fn commit(&mut self, writer: u64, batch: &Batch) -> Commit {
        let lane = &self.lanes[usize::from(batch.lane.0)];
        if lane.writer != writer {
            return Commit::Fenced(format!("writer {writer} has been fenced off by {}", lane.writer));
        }
        if batch.pos != lane.pos.next() {
            return Commit::Fenced(format!("the lane stands at {}, the batch is {}", lane.pos, batch.pos));
        }
        let is_mirror = batch.lane == Lane::MIRROR;
        if !is_mirror {
            if batch.messages.iter().any(|m| self.ids.contains_key(&(m.conversation_id, m.client_message_id))) {
                return Commit::Duplicate;
            }
            if batch.messages.iter().any(|m| &*m.text == POISON) {
                return Commit::Rejected("this text cannot be stored".to_owned());
            }
            let clash = batch.messages.iter().find(|m| m.seq != self.next_in(batch, m.conversation_id, m.seq));
            assert!(clash.is_none(), "a home's batch leaves a hole or clashes: {clash:?}");
        }
        self.write(batch, is_mirror);
        Commit::Done(self.marks(batch))
    }

    /// What the seq must be for the log to be without holes.
    fn next_in(&self, batch: &Batch, id: ConversationId, seq: Seq) -> Seq {
        let earlier = batch.messages.iter().filter(|m| m.conversation_id == id && m.seq < seq).count() as u64;
        Seq(self.head(id).0 + earlier + 1)
    }

    fn write(&mut self, batch: &Batch, is_mirror: bool) {
        let at = At { lane: batch.lane, pos: batch.pos };
        self.lanes[usize::from(batch.lane.0)].pos = batch.pos;
        for message in &batch.messages {
            let id = message.conversation_id;
            self.ids.entry((id, message.client_message_id)).or_insert(message.seq);
            let log = self.messages.entry(id).or_default();
            log.entry(message.seq).or_insert_with(|| Stored { row: message.clone(), at });
        }
        for (era, row) in &batch.conversations {
            if is_mirror {
                self.take_mirrored(*era, row, at);
            } else {
                let shown = At { lane: batch.lane, pos: row.shown_pos };
                let stored = StoredConversation { row: row.clone(), home_era: *era, shown };
                self.conversations.insert(row.conversation_id, stored);
            }
        }
        for (id, row) in &batch.members {
            self.members.entry(*id).or_default().insert(row.user_id, row.clone());
        }
        for row in &batch.memberships {
            self.take_membership(row, at, is_mirror);
        }
        for (id, user, block) in &batch.blocks {
            self.blocks.entry(*id).or_default().insert(*user, *block);
        }
        for (request, done) in &batch.outcomes {
            self.outcomes.insert(*request, done.clone());
        }
        for cursor in &batch.cursors {
            self.cursors.insert((cursor.peer, cursor.lane), *cursor);
        }
    }

    /// A row's version is its home's era and position.
    fn take_mirrored(&mut self, home_era: Era, row: &ConversationRow, at: At) {
        let stored = self.conversations.get(&row.conversation_id);
        let is_newer = stored.is_none_or(|s| (home_era, row.pos) > (s.home_era, s.row.pos));
        if is_newer || self.versions == Versions::Ignored {
            let shown = match stored {
                Some(s) if (home_era, row.shown_pos) <= (s.home_era, s.row.shown_pos) => s.shown,
                _ => at,
            };
            let stored = StoredConversation { row: row.clone(), home_era, shown };
            self.conversations.insert(row.conversation_id, stored);
        }
    }

    fn take_membership(&mut self, row: &Membership, at: At, is_mirror: bool) {
        let stored = self.memberships.get(&(row.user_id, row.conversation_id));
        let version = |m: &Membership| (m.home_era, m.home_pos);
        if is_mirror && self.versions == Versions::Compared && stored.is_some_and(|s| version(row) <= version(&s.row)) {
            return;
        }
        let read_seq = stored.map_or(Seq::ZERO, |s| s.read_seq).max(row.joined_seq);
        let rejoined = stored.is_some_and(|s| row.joined_seq > s.row.joined_seq);
        let hidden_seq = stored.and_then(|s| s.hidden_seq).filter(|_| !rejoined);
        let stored = StoredMembership { row: row.clone(), read_seq, hidden_seq, at };
        self.memberships.insert((row.user_id, row.conversation_id), stored);
    }

    /// Marks of one row become one change of it, as the real statement does it: each is answered with the row as it
    /// stands after all of them.
    fn marks(&mut self, batch: &Batch) -> Vec<MarkResult> {
        let mut rows: BTreeMap<(UserId, ConversationId), Result<MarkedRow, NoPlace>> = BTreeMap::new();
        for mark in &batch.marks {
            let key = (mark.user_id, mark.conversation_id);
            let of_row = batch.marks.iter().filter(|m| (m.user_id, m.conversation_id) == key);
            rows.entry(key).or_insert_with(|| self.mark_row(key, of_row, At { lane: batch.lane, pos: batch.pos }));
        }
        let asked = batch.marks.iter().filter_map(|m| {
            let (user_id, conversation_id) = (m.user_id, m.conversation_id);
            let row = rows[&(user_id, conversation_id)];
            m.request.map(|request| MarkResult { request, user_id, conversation_id, row })
        });
        asked.collect()
    }

    fn mark_row<'a>(
        &mut self,
        (user, id): (UserId, ConversationId),
        marks: impl Iterator<Item = &'a Mark>,
        at: At,
    ) -> Result<MarkedRow, NoPlace> {
        let newest = self.head(id);
        let stored = self.memberships.get_mut(&(user, id)).ok_or(NoPlace::Never)?;
        if stored.row.left_seq.is_some() {
            return Err(NoPlace::Left);
        }
        let before = (stored.read_seq, stored.hidden_seq);
        let head = newest.max(stored.row.joined_seq);
        for mark in marks {
            match mark.kind {
                MarkKind::Read { seq, clamp: Clamp::Done } => stored.read_seq = stored.read_seq.max(seq),
                MarkKind::Read { seq, clamp: Clamp::StoredHead } => {
                    stored.read_seq = stored.read_seq.max(seq.min(head));
                }
                MarkKind::Hide { seq } => stored.hidden_seq = Some(seq.min(head)),
                MarkKind::Unhide => stored.hidden_seq = None,
            }
        }
        let (read_seq, hidden_seq) = (stored.read_seq, stored.hidden_seq);
        let moved = if before == (read_seq, hidden_seq) { Moved::No } else { Moved::Yes };
        if moved == Moved::Yes {
            stored.at = at;
        }
        Ok(MarkedRow { read_seq, head, hidden_seq, moved })
    }
}

/// A text that the shard refuses to store, whenever and however often it is tried.
pub const POISON: &str = "poison";
