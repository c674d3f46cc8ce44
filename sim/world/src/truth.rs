//! What the homes have committed, in their order: the truth that everything else is held against.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_core::{Batch, MemberRow, MembersDone};
use skep_protocol::{ClientMessageId, ConversationId, Kind, Lane, Message, Pos, RequestId, Seq, UserId};

use crate::shard::Shard;

/// All that any home ever committed.
#[derive(Debug, Default)]
pub struct Truth {
    logs: BTreeMap<ConversationId, Vec<Message>>,
    ids: BTreeMap<(ConversationId, ClientMessageId), Seq>,
    places: BTreeMap<(ConversationId, UserId), Vec<MemberRow>>,
    /// The same, with those that were lost.
    ever: BTreeMap<(ConversationId, UserId), Vec<MemberRow>>,
    /// What homes had before their shards were restored from older copies.
    lost: BTreeMap<(ConversationId, Seq), Vec<Message>>,
    /// By request, and by conversation for what came of its making.
    outcomes: BTreeMap<RequestId, Arc<MembersDone>>,
}

impl Truth {
    /// A home's batch has been committed.
    pub fn committed(&mut self, batch: &Batch) {
        if batch.lane == Lane::MIRROR {
            return;
        }
        for message in &batch.messages {
            self.logs.entry(message.conversation_id).or_default().push(message.clone());
            self.ids.insert((message.conversation_id, message.client_message_id), message.seq);
        }
        self.outcomes.extend(batch.outcomes.iter().cloned());
        for (id, row) in &batch.members {
            self.places.entry((*id, row.user_id)).or_default().push(row.clone());
            self.ever.entry((*id, row.user_id)).or_default().push(row.clone());
        }
    }

    /// A home's shard was restored from this copy: what is not in it is lost. Says which messages.
    pub fn restored(&mut self, copy: &Shard) -> Vec<(ConversationId, ClientMessageId)> {
        let mut gone = Vec::new();
        for (id, log) in self.logs.iter_mut().filter(|(id, _)| copy.is_home(**id)) {
            for message in log.split_off(copy.head(*id).0 as usize) {
                let key = (*id, message.client_message_id);
                self.ids.remove(&key);
                gone.push(key);
                self.lost.entry((*id, message.seq)).or_default().push(message);
            }
        }
        for ((id, _), rows) in self.places.iter_mut().filter(|((id, _), _)| copy.is_home(*id)) {
            rows.retain(|row| row.pos <= copy.position(copy.lane_of(*id)));
        }
        self.places.retain(|_, rows| !rows.is_empty());
        gone
    }

    /// Whether a home had this message and lost it.
    pub fn was_lost(&self, message: &Message) -> bool {
        self.lost.get(&(message.conversation_id, message.seq)).is_some_and(|lost| lost.contains(message))
    }

    /// What came of a conversation's making.
    pub fn made(&self, id: ConversationId) -> Option<&MembersDone> {
        self.outcomes.get(&id.uuid()).map(|done| &**done)
    }

    /// The log of a conversation, from seq 1.
    pub fn log(&self, id: ConversationId) -> &[Message] {
        self.logs.get(&id).map_or(&[], Vec::as_slice)
    }

    /// All conversations with messages.
    pub fn logs(&self) -> impl Iterator<Item = (&ConversationId, &Vec<Message>)> {
        self.logs.iter()
    }

    /// The one place of a client's message, if it was accepted.
    pub fn seq_of(&self, id: ConversationId, client_message_id: ClientMessageId) -> Option<Seq> {
        self.ids.get(&(id, client_message_id)).copied()
    }

    /// The message at a place.
    pub fn message(&self, id: ConversationId, seq: Seq) -> Option<&Message> {
        self.log(id).get(usize::try_from(seq.0.checked_sub(1)?).ok()?)
    }

    /// All rows that a person has had in a conversation, oldest first.
    pub fn places(&self, id: ConversationId, user: UserId) -> &[MemberRow] {
        self.places.get(&(id, user)).map_or(&[], Vec::as_slice)
    }

    /// A person's row as it stands.
    pub fn place(&self, id: ConversationId, user: UserId) -> Option<&MemberRow> {
        self.places(id, user).last()
    }

    /// Everybody's newest rows.
    pub fn everybody(&self) -> impl Iterator<Item = (ConversationId, &MemberRow)> {
        self.places.iter().filter_map(|((id, _), rows)| Some((*id, rows.last()?)))
    }

    /// The position of a person's newest row; zero when there is none.
    pub fn version(&self, id: ConversationId, user: UserId) -> Pos {
        self.place(id, user).map_or(Pos::ZERO, |row| row.pos)
    }

    /// Whether a person was ever allowed to see a message, in this history or in one that was lost.
    pub fn may_see(&self, id: ConversationId, user: UserId, seq: Seq) -> bool {
        let ever = self.ever.get(&(id, user)).map_or(&[][..], Vec::as_slice);
        shows(self.places(id, user), id.kind(), seq) || shows(ever, id.kind(), seq)
    }
}

fn shows(rows: &[MemberRow], kind: Kind, seq: Seq) -> bool {
    rows.iter().enumerate().any(|(i, row)| {
        // A row counts with the leaving that ended it.
        let ended = rows[i..].iter().take_while(|r| r.joined_seq == row.joined_seq).last().unwrap_or(row);
        let from = if kind == Kind::Group { ended.joined_seq.0 + 1 } else { 1 };
        seq.0 >= from && ended.left_seq.is_none_or(|left| seq <= left)
    })
}
