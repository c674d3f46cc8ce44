//! I2: one client_message_id in a conversation has one seq; what was refused is never delivered.

use std::collections::{BTreeMap, BTreeSet};

use skep_protocol::{ClientMessageId, Code, ConversationId, Seq};

use super::{Found, Violation};
use crate::truth::Truth;

/// What clients were told of each message.
#[derive(Debug, Default)]
pub struct Once {
    seqs: BTreeMap<(ConversationId, ClientMessageId), Seq>,
    refused: BTreeMap<(ConversationId, ClientMessageId), Code>,
    /// Lost with the shard of their home: sent again they may have another place.
    lost: BTreeSet<(ConversationId, ClientMessageId)>,
}

impl Once {
    /// A client was told a message's place, in an answer or in a push.
    pub fn told(&mut self, id: ConversationId, client_message_id: ClientMessageId, seq: Seq) -> Found {
        let first = *self.seqs.entry((id, client_message_id)).or_insert(seq);
        if first == seq || self.lost.contains(&(id, client_message_id)) {
            return Ok(());
        }
        Err(Violation::of("I2", format!("{client_message_id} in {id} is {first:?} and {seq:?}")))
    }

    /// The home's shard was restored from an older copy.
    pub fn lost(&mut self, lost: &[(ConversationId, ClientMessageId)]) {
        self.lost.extend(lost);
    }

    /// A send was refused for good.
    pub fn refused(&mut self, id: ConversationId, client_message_id: ClientMessageId, code: Code) {
        self.refused.insert((id, client_message_id), code);
    }

    /// At the end: no home has what was refused.
    pub fn refused_stay_refused(&self, truth: &Truth) -> Found {
        for ((id, client_message_id), code) in &self.refused {
            if let Some(seq) = truth.seq_of(*id, *client_message_id) {
                let story = format!("{client_message_id} in {id} was refused ({code}) and stands at {seq:?}");
                return Err(Violation::of("I2", story));
            }
        }
        Ok(())
    }
}
