//! Sends and reads of this worker's people that wait for their answer.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

use skep_protocol::{ClientMessageId, ConversationId, Message, Millis, RequestId, UserId, limits};

use super::ConnectionId;

type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;
type MessageKey = (UserId, ConversationId, ClientMessageId);

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyTo {
    /// A connection, which gave this `ref`.
    Socket { connection: ConnectionId, reference: u64 },
    /// Somebody outside the worker.
    Elsewhere,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub request_id: RequestId,
    pub reply_to: ReplyTo,
    pub conversation_id: ConversationId,
    message: Option<MessageKey>,
    deadline: Millis,
}

/// All that is waited for. Each ends with an answer or its deadline.
#[derive(Debug, Default)]
pub(super) struct Pending {
    by_request: Map<RequestId, Waiting>,
    by_message: Map<MessageKey, Vec<RequestId>>,
    by_deadline: BTreeMap<(Millis, RequestId), ()>,
}

impl Pending {
    pub fn expect(
        &mut self,
        now: Millis,
        request_id: RequestId,
        reply_to: ReplyTo,
        user: UserId,
        conversation_id: ConversationId,
        message: Option<ClientMessageId>,
    ) {
        let deadline = now.plus(limits::REQUEST_DEADLINE_MS as i64);
        let message = message.map(|id| (user, conversation_id, id));
        if let Some(key) = message {
            self.by_message.entry(key).or_default().push(request_id);
        }
        self.by_deadline.insert((deadline, request_id), ());
        self.by_request.insert(request_id, Waiting { request_id, reply_to, conversation_id, message, deadline });
    }

    pub fn len(&self) -> usize {
        self.by_request.len()
    }

    /// Those who sent this message.
    pub fn sent(&mut self, message: &Message) -> Vec<Waiting> {
        if self.by_message.is_empty() {
            return Vec::new();
        }
        let key = (message.sender_id, message.conversation_id, message.client_message_id);
        let requests = self.by_message.remove(&key).unwrap_or_default();
        requests.into_iter().filter_map(|id| self.take(id)).collect()
    }

    pub fn take(&mut self, request_id: RequestId) -> Option<Waiting> {
        let waiting = self.by_request.remove(&request_id)?;
        self.by_deadline.remove(&(waiting.deadline, request_id));
        if let Some(key) = waiting.message
            && let Some(requests) = self.by_message.get_mut(&key)
        {
            requests.retain(|id| *id != request_id);
            if requests.is_empty() {
                self.by_message.remove(&key);
            }
        }
        Some(waiting)
    }

    /// Those whose deadline has passed.
    pub fn expired(&mut self, now: Millis) -> Vec<Waiting> {
        let mut expired = Vec::new();
        while let Some(((deadline, id), ())) = self.by_deadline.first_key_value()
            && *deadline <= now
        {
            let id = *id;
            expired.extend(self.take(id));
        }
        expired
    }
}
