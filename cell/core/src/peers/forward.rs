//! Requests that a cell has forwarded to a peer and not seen answered.

use std::collections::{BTreeMap, HashMap};

use skep_protocol::{ClientMessageId, Code, ConversationId, Millis, Refusal, RequestId, UserId, limits};

use crate::{Answer, Change, Op, Request};

/// What is remembered for one peer. Requests are sent in order, and again in order when a stream breaks.
#[derive(Debug, Default)]
pub struct Forward {
    pending: BTreeMap<u64, Pending>,
    by_id: HashMap<RequestId, u64>,
    by_message: HashMap<(UserId, ConversationId, ClientMessageId), Vec<u64>>,
    next: u64,
    is_open: bool,
}

#[derive(Debug)]
struct Pending {
    request: Request,
    deadline: Millis,
    /// On how many streams it went. Of a request that went twice, the first copy may be carried out although the second
    /// is refused.
    sent: u32,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum ForwardEffect {
    Send(Request),
    Answer(RequestId, Answer),
}

impl Forward {
    /// A request for the peer.
    pub fn request(&mut self, now: Millis, request: Request, effects: &mut Vec<ForwardEffect>) {
        if self.pending.len() >= limits::FORWARDED_PER_PEER {
            let refusal = Refusal::new(Code::Busy, "too much is on its way to that conversation: nothing was done");
            effects.push(ForwardEffect::Answer(request.request_id, Answer::Refused(refusal)));
            return;
        }
        let number = self.next;
        self.next += 1;
        self.by_id.insert(request.request_id, number);
        if let Some(key) = message_key(&request) {
            self.by_message.entry(key).or_default().push(number);
        }
        if self.is_open {
            effects.push(ForwardEffect::Send(request.clone()));
        }
        let deadline = now.plus(limits::REQUEST_DEADLINE_MS as i64);
        self.pending.insert(number, Pending { request, deadline, sent: u32::from(self.is_open) });
    }

    /// A stream is up and subscribed: what is unanswered goes again, in order.
    pub fn opened(&mut self, effects: &mut Vec<ForwardEffect>) {
        self.is_open = true;
        for pending in self.pending.values_mut() {
            pending.sent += 1;
            effects.push(ForwardEffect::Send(pending.request.clone()));
        }
    }

    /// The stream is down.
    pub fn closed(&mut self) {
        self.is_open = false;
    }

    /// A change that arrived answers the sends it holds.
    pub fn arrived(&mut self, change: &Change) {
        for message in change.conversations.iter().flat_map(|c| &c.messages) {
            let key = (message.sender_id, message.conversation_id, message.client_message_id);
            for number in self.by_message.remove(&key).unwrap_or_default() {
                if let Some(pending) = self.pending.remove(&number) {
                    self.by_id.remove(&pending.request.request_id);
                }
            }
        }
    }

    /// An answer in words. One that comes twice, or after the deadline, is nobody's.
    pub fn answered(&mut self, request_id: RequestId, answer: Answer, effects: &mut Vec<ForwardEffect>) {
        let Some(pending) = self.forget(request_id) else { return };
        let is_busy = matches!(&answer, Answer::Refused(refusal) if refusal.code == Code::Busy);
        let answer = if is_busy && pending.sent > 1 { unreachable_home() } else { answer };
        effects.push(ForwardEffect::Answer(request_id, answer));
    }

    /// What has waited too long is answered: whether it was carried out is not known.
    pub fn tick(&mut self, now: Millis, effects: &mut Vec<ForwardEffect>) {
        while let Some((_, pending)) = self.pending.first_key_value()
            && pending.deadline <= now
        {
            let id = pending.request.request_id;
            self.forget(id);
            effects.push(ForwardEffect::Answer(id, unreachable_home()));
        }
    }

    /// What was asked, while it is unanswered.
    pub fn get(&self, request_id: RequestId) -> Option<&Request> {
        self.pending.get(self.by_id.get(&request_id)?).map(|pending| &pending.request)
    }

    /// Requests without an answer.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    fn forget(&mut self, request_id: RequestId) -> Option<Pending> {
        let number = self.by_id.remove(&request_id)?;
        let pending = self.pending.remove(&number)?;
        if let Some(key) = message_key(&pending.request)
            && let Some(numbers) = self.by_message.get_mut(&key)
        {
            numbers.retain(|n| *n != number);
            if numbers.is_empty() {
                self.by_message.remove(&key);
            }
        }
        Some(pending)
    }
}

fn unreachable_home() -> Answer {
    Answer::refused(Code::Unavailable, "that conversation cannot be reached at the moment; trying again is safe")
}

fn message_key(request: &Request) -> Option<(UserId, ConversationId, ClientMessageId)> {
    match &request.op {
        Op::Send { client_message_id, .. } => Some((request.actor, request.conversation_id, *client_message_id)),
        _ => None,
    }
}
