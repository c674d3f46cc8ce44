//! After a block is answered, nothing that either of the two sends then is accepted, until the block may be lifted.

use std::collections::{BTreeMap, BTreeSet};

use skep_core::{Block, Blocked};
use skep_protocol::{ClientMessageId, ConversationId, UserId};

use super::{Found, Violation};
use crate::truth::Truth;

/// Blocks that stand for certain, and what was sent in spite of them.
#[derive(Debug, Default)]
pub struct Blocks {
    standing: BTreeMap<ConversationId, BTreeSet<UserId>>,
    /// The version that somebody asked last.
    asked: BTreeMap<(ConversationId, UserId), u64>,
    refused: BTreeSet<(ConversationId, ClientMessageId)>,
}

impl Blocks {
    /// Somebody asks: until the answer nothing is certain of it. Whatever was sent may be accepted if a block is lifted.
    pub fn asked(&mut self, id: ConversationId, user: UserId, version: u64) {
        self.asked.insert((id, user), version);
        self.standing.entry(id).or_default().remove(&user);
        self.forget(id);
    }

    /// Somebody was answered. It counts if they have asked nothing else meanwhile.
    pub fn answered(&mut self, id: ConversationId, user: UserId, block: Block) {
        let is_last = self.asked.get(&(id, user)) == Some(&block.version);
        if is_last && block.blocked == Blocked::Yes {
            self.standing.entry(id).or_default().insert(user);
        }
    }

    /// Something is sent.
    pub fn sent(&mut self, id: ConversationId, client_message_id: ClientMessageId) {
        if self.standing.get(&id).is_some_and(|by| !by.is_empty()) {
            self.refused.insert((id, client_message_id));
        }
    }

    /// Homes were lost: so may be what they were told.
    pub fn forget_all(&mut self) {
        *self = Self::default();
    }

    /// At the end.
    pub fn kept(&self, truth: &Truth) -> Found {
        let accepted = self.refused.iter().find(|(id, message)| truth.seq_of(*id, *message).is_some());
        match accepted {
            None => Ok(()),
            Some((id, message)) => {
                Err(Violation::of("blocks", format!("{message} was sent in {id} behind a block and stands there")))
            }
        }
    }

    fn forget(&mut self, id: ConversationId) {
        self.refused.retain(|(of, _)| *of != id);
    }
}
