//! Own messages without an answer, in the order in which they were written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use skep_protocol::{ClientMessageId, ConversationId};

/// An own message that has no place yet.
#[derive(Debug)]
pub(super) struct Unsent {
    pub conversation_id: ConversationId,
    pub client_message_id: ClientMessageId,
    pub text: Arc<str>,
    /// How often it was written to a connection.
    pub attempts: u32,
    pub status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// On its way under this `ref`.
    Asked(u64),
    /// To be written when the connection is live, and not before.
    Waits { at_ms: u64 },
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    by_order: BTreeMap<u64, Unsent>,
    by_id: HashMap<ClientMessageId, u64>,
    next: u64,
}

impl Outbox {
    /// A new one, last in order. `None` when its id is here already.
    pub fn add(&mut self, unsent: Unsent) -> Option<u64> {
        let order = self.next;
        if self.by_id.contains_key(&unsent.client_message_id) {
            return None;
        }
        self.next += 1;
        self.by_id.insert(unsent.client_message_id, order);
        self.by_order.insert(order, unsent);
        Some(order)
    }

    /// Takes one out: it has its place, or never will.
    pub fn settle(&mut self, id: ClientMessageId) -> Option<Unsent> {
        let order = self.by_id.remove(&id)?;
        self.by_order.remove(&order)
    }

    pub fn get_mut(&mut self, id: ClientMessageId) -> Option<&mut Unsent> {
        self.by_order.get_mut(self.by_id.get(&id)?)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Unsent> {
        self.by_order.values_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Unsent> {
        self.by_order.values()
    }

    pub fn len(&self) -> usize {
        self.by_order.len()
    }
}
