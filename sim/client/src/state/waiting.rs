//! What waits: own messages for their turn, holes for their fetch, requests for their answer.

use skep_protocol::{ClientFrame, ClientMessageId, Code, ConversationId, Seq, limits};

use super::{Asked, Effects, Phase, State, kept::Fetch, unsent::Status};
use crate::event::{Event, Wrong};

/// A request without an answer for so long is taken for lost: the server itself gives up after
/// `REQUEST_DEADLINE_MS`, and a page may take its time behind a sync.
pub(super) const ANSWER_WITHIN_MS: u64 = 2 * limits::REQUEST_DEADLINE_MS;
/// What was pushed is given so long to arrive before it is asked for.
pub(super) const GRACE_MS: u64 = 200;
/// Between two tries at the same thing.
const AGAIN_MS: u64 = 500;
/// Pages that bring nothing before a hole counts as one that cannot be filled.
const FRUITLESS: u32 = 10;
/// Holes fetched at once by one client.
const FETCHES: usize = 8;

impl State {
    /// Does what is due.
    pub fn tick(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        if now_ms < self.due_ms {
            return;
        }
        self.due_ms = u64::MAX;
        self.doubt_old(now_ms, fx);
        if self.phase == Phase::Live {
            self.write_waiting(now_ms, fx);
            self.feed_hungry(now_ms, fx);
        }
    }

    // === own messages ===

    /// Writes all that wait and may go.
    pub(super) fn write_waiting(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        let mut ready = Vec::new();
        for unsent in self.unsent.iter() {
            if let Status::Waits { at_ms } = unsent.status {
                if at_ms <= now_ms {
                    ready.push(unsent.client_message_id);
                } else {
                    self.due_ms = self.due_ms.min(at_ms);
                }
            }
        }
        ready.into_iter().for_each(|id| self.write_unsent(id, now_ms, fx));
    }

    pub(super) fn write_unsent(&mut self, id: ClientMessageId, now_ms: u64, fx: &mut dyn Effects) {
        let reference = self.ask(Asked::Send(id), now_ms);
        let Some(unsent) = self.unsent.get_mut(id) else { return };
        unsent.status = Status::Asked(reference);
        unsent.attempts += 1;
        if unsent.attempts > 1 {
            fx.tell(Event::Retried { client_message_id: id });
        }
        fx.say(&ClientFrame::Send {
            reference,
            conversation_id: unsent.conversation_id,
            client_message_id: id,
            text: unsent.text.as_ref().to_owned(),
        });
    }

    /// A send was refused.
    pub(super) fn send_refused(
        &mut self,
        id: ClientMessageId,
        code: Code,
        retry_after_ms: Option<u32>,
        now_ms: u64,
        fx: &mut dyn Effects,
    ) {
        let Some(unsent) = self.unsent.get_mut(id) else { return };
        if code.retryable() {
            let wait =
                retry_after_ms.map_or(AGAIN_MS, u64::from).max(AGAIN_MS) * u64::from(unsent.attempts.clamp(1, 10));
            unsent.status = Status::Waits { at_ms: now_ms + wait };
            if matches!(code, Code::Unavailable | Code::Internal) {
                fx.tell(Event::Unknown { client_message_id: id });
            }
            self.wake_at(now_ms + wait);
        } else if let Some(unsent) = self.unsent.settle(id) {
            fx.tell(Event::Refused { conversation_id: unsent.conversation_id, client_message_id: id, code });
        }
    }

    // === requests ===

    /// No request of this connection will be answered any more.
    pub(super) fn doubt_all(&mut self, fx: &mut dyn Effects) {
        self.asked.clear();
        self.fetching = 0;
        for (id, kept) in &mut self.conversations {
            if kept.fetch != Fetch::Idle && kept.fetch != Fetch::Hopeless {
                kept.fetch = Fetch::Idle;
                self.hungry.insert(*id);
            }
        }
        for unsent in self.unsent.iter_mut() {
            if let Status::Asked(_) = unsent.status {
                unsent.status = Status::Waits { at_ms: 0 };
                fx.tell(Event::Unknown { client_message_id: unsent.client_message_id });
            }
        }
    }

    /// Requests whose answer is overdue.
    fn doubt_old(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        while let Some(oldest) = self.asked.first_entry() {
            let at_ms = oldest.get().at_ms + ANSWER_WITHIN_MS;
            if at_ms > now_ms {
                self.wake_at(at_ms);
                return;
            }
            match oldest.remove().what {
                Asked::Send(id) => {
                    if let Some(unsent) = self.unsent.get_mut(id) {
                        unsent.status = Status::Waits { at_ms: now_ms };
                        fx.tell(Event::Unknown { client_message_id: id });
                    }
                }
                Asked::History(id, _) => self.fetched_nothing(id, now_ms, fx),
                Asked::Read => {}
            }
        }
    }

    // === holes ===

    /// Looks whether something of it is missing, and fetches it at `at_ms` or later.
    pub(super) fn look_for_hole(&mut self, id: ConversationId, at_ms: u64) {
        let Some(kept) = self.conversations.get_mut(&id) else { return };
        match kept.fetch {
            Fetch::Idle if kept.hole().is_some() => {
                kept.fetch = Fetch::Waits { at_ms, fruitless: 0 };
                self.hungry.insert(id);
                self.wake_at(at_ms);
            }
            Fetch::Idle | Fetch::Waits { .. } if kept.hole().is_none() => {
                kept.fetch = Fetch::Idle;
                self.hungry.remove(&id);
            }
            Fetch::Waits { at_ms: later, fruitless } if at_ms < later => {
                kept.fetch = Fetch::Waits { at_ms, fruitless };
                self.wake_at(at_ms);
            }
            _ => {}
        }
    }

    /// Asks for what is missing, of a few conversations at a time.
    pub(super) fn feed_hungry(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        for id in std::mem::take(&mut self.hungry) {
            if !self.feed(id, now_ms, fx) {
                self.hungry.insert(id);
            }
        }
    }

    /// Whether it needs nothing more, or has asked.
    fn feed(&mut self, id: ConversationId, now_ms: u64, fx: &mut dyn Effects) -> bool {
        let Some(kept) = self.conversations.get_mut(&id) else { return true };
        let fruitless = match kept.fetch {
            Fetch::Asked { .. } => return true,
            // It stays among the hungry: with a hole nobody is whole.
            Fetch::Hopeless => return false,
            Fetch::Waits { at_ms, .. } if at_ms > now_ms => {
                self.due_ms = self.due_ms.min(at_ms);
                return false;
            }
            Fetch::Waits { fruitless, .. } => fruitless,
            Fetch::Idle => 0,
        };
        let Some((from, to)) = kept.hole() else {
            kept.fetch = Fetch::Idle;
            return true;
        };
        if self.fetching >= FETCHES {
            // The answers of those under way come back here.
            return false;
        }
        kept.fetch = Fetch::Asked { fruitless };
        self.fetching += 1;
        let reference = self.ask(Asked::History(id, from), now_ms);
        fx.tell(Event::Fetching { conversation_id: id, from, to });
        let after = Seq(from.0 - 1);
        fx.say(&ClientFrame::History {
            reference,
            conversation_id: id,
            before: None,
            after: Some(after),
            limit: Some(u64::from(limits::PAGE)),
        });
        true
    }

    /// A page came. More of the same hole is asked for at once.
    pub(super) fn fetched(&mut self, id: ConversationId, from: Seq, now_ms: u64, fx: &mut dyn Effects) {
        let is_filled = self.conversations.get(&id).is_none_or(|k| k.seqs.contains(from) || k.floor > from);
        if !is_filled {
            return self.fetched_nothing(id, now_ms, fx);
        }
        self.fetching = self.fetching.saturating_sub(1);
        if let Some(kept) = self.conversations.get_mut(&id) {
            kept.fetch = Fetch::Idle;
        }
        self.hungry.insert(id);
        self.feed_hungry(now_ms, fx);
    }

    /// A page brought nothing, or did not come.
    pub(super) fn fetched_nothing(&mut self, id: ConversationId, now_ms: u64, fx: &mut dyn Effects) {
        self.fetching = self.fetching.saturating_sub(1);
        let Some(kept) = self.conversations.get_mut(&id) else { return };
        let fruitless = match kept.fetch {
            Fetch::Asked { fruitless } => fruitless + 1,
            _ => return,
        };
        let at_ms = now_ms + AGAIN_MS;
        match kept.hole() {
            None => kept.fetch = Fetch::Idle,
            Some((from, to)) if fruitless >= FRUITLESS => {
                kept.fetch = Fetch::Hopeless;
                self.hungry.insert(id);
                fx.tell(Event::Wrong(Wrong::Unfilled { conversation_id: id, from, to }));
            }
            Some(_) => {
                kept.fetch = Fetch::Waits { at_ms, fruitless };
                self.hungry.insert(id);
                self.wake_at(at_ms);
            }
        }
    }

    /// History is refused for good: this person may not read it.
    pub(super) fn fetch_refused(&mut self, id: ConversationId) {
        self.fetching = self.fetching.saturating_sub(1);
        if let Some(kept) = self.conversations.get_mut(&id) {
            kept.fetch = Fetch::Hopeless;
            self.hungry.insert(id);
        }
    }
}
