//! I1: an acknowledged message is never lost.

use std::collections::BTreeSet;

use skep_protocol::{ClientMessageId, ConversationId, Seq};

use super::{Found, Violation};
use crate::truth::Truth;

/// What was acknowledged.
#[derive(Debug, Default)]
pub struct Acked {
    acknowledged: Vec<(ConversationId, ClientMessageId, Seq)>,
    /// Lost with the shard of their home: nothing is promised of them.
    lost: BTreeSet<(ConversationId, ClientMessageId)>,
}

impl Acked {
    /// A client was told that its message is durable: it is, by now.
    pub fn acknowledged(
        &mut self,
        id: ConversationId,
        client_message_id: ClientMessageId,
        seq: Seq,
        truth: &Truth,
    ) -> Found {
        self.acknowledged.push((id, client_message_id, seq));
        self.stands(id, client_message_id, seq, truth)
    }

    /// How many acknowledgements there were.
    pub fn count(&self) -> usize {
        self.acknowledged.len()
    }

    /// At the end: all of them stand at home.
    pub fn all_stand(&self, truth: &Truth) -> Found {
        let mut all = self.acknowledged.iter();
        all.try_for_each(|(id, client_message_id, seq)| self.stands(*id, *client_message_id, *seq, truth))
    }

    /// The home's shard was restored from an older copy.
    pub fn lost(&mut self, lost: &[(ConversationId, ClientMessageId)]) {
        self.lost.extend(lost);
    }

    fn stands(&self, id: ConversationId, client_message_id: ClientMessageId, seq: Seq, truth: &Truth) -> Found {
        let stored = truth.seq_of(id, client_message_id);
        if stored == Some(seq) || self.lost.contains(&(id, client_message_id)) {
            return Ok(());
        }
        let story = format!("{client_message_id} in {id} was acknowledged as {seq:?}, its home has {stored:?}");
        Err(Violation::of("I1", story))
    }
}
