//! What a client keeps (api.md): a state machine without I/O and without a clock of its own.
//!
//! Frames, wishes and the passing of time go in; frames to write and events come out through [`Effects`]. Everything
//! here follows the public contract only.

mod apply;
mod kept;
#[cfg(test)]
mod tests;
mod unsent;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use skep_protocol::{ClientFrame, ClientMessageId, ConversationId, Seq, UserId};

pub use self::kept::Kept;
use self::unsent::{Outbox, Status, Unsent};
use crate::event::Event;

/// What comes out of the state machine.
pub trait Effects {
    /// A frame to write to the connection.
    fn say(&mut self, frame: &ClientFrame);
    /// Something for the client's user to know.
    fn tell(&mut self, event: Event<'_>);
}

/// Everything one client knows.
#[derive(Debug)]
pub struct State {
    user: UserId,
    backlog: u64,
    phase: Phase,
    token: Option<String>,
    conversations: HashMap<ConversationId, Kept>,
    /// Kept before a full sync, until `synced` tells which of them are still there.
    former: HashMap<ConversationId, Kept>,
    unsent: Outbox,
    /// Requests of this connection without an answer; numbers ascend in time.
    asked: BTreeMap<u64, Ask>,
    next_reference: u64,
    /// Conversations with a hole that is not being fetched.
    hungry: BTreeSet<ConversationId>,
    fetching: usize,
    due_ms: u64,
    /// Since when something may be missing.
    broken_at_ms: Option<u64>,
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// There is none.
    Away,
    /// `hello` is written.
    Greeted,
    /// Pages of a sync are to come.
    Syncing { pages: Pages, resync: bool },
    /// Everything comes as it happens.
    Live,
}

/// What the first page of a sync said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pages {
    NoneYet,
    Full,
    Partial,
}

#[derive(Debug)]
struct Ask {
    what: Asked,
    at_ms: u64,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Send(ClientMessageId),
    Read,
    History(ConversationId, Seq),
}

impl State {
    /// Of a client that knows nothing yet. `backlog`: how many older messages of a conversation it wants at once;
    /// `u64::MAX` for all.
    pub fn new(user: UserId, backlog: u64) -> Self {
        Self {
            user,
            backlog,
            phase: Phase::Away,
            token: None,
            conversations: HashMap::new(),
            former: HashMap::new(),
            unsent: Outbox::default(),
            asked: BTreeMap::new(),
            next_reference: 1,
            hungry: BTreeSet::new(),
            fetching: 0,
            due_ms: u64::MAX,
            broken_at_ms: None,
        }
    }

    /// A connection is being made: being whole again is counted from here.
    pub fn begins(&mut self, now_ms: u64) {
        self.broken_at_ms.get_or_insert(now_ms);
    }

    /// A connection stands: `hello` is said, with the token for what came before.
    pub fn greet(&mut self, session_token: &str, fx: &mut dyn Effects) {
        assert_eq!(self.phase, Phase::Away, "one connection at a time");
        self.phase = Phase::Greeted;
        fx.say(&ClientFrame::Hello { token: session_token.to_owned(), sync_token: self.token.clone() });
    }

    /// The connection is gone: what was not answered is not known.
    pub fn away(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        self.phase = Phase::Away;
        self.broken_at_ms.get_or_insert(now_ms);
        self.take_back_former();
        self.doubt_all(fx);
    }

    /// Writes an own message, now or as soon as the connection is live. An id that waits already changes nothing.
    pub fn send(&mut self, to: ConversationId, id: ClientMessageId, text: Arc<str>, now_ms: u64, fx: &mut dyn Effects) {
        let status = Status::Waits { at_ms: now_ms };
        let unsent = Unsent { conversation_id: to, client_message_id: id, text, attempts: 0, status };
        if self.unsent.add(unsent).is_some() && self.phase == Phase::Live {
            self.write_unsent(id, now_ms, fx);
        }
    }

    /// Moves the read mark, if the connection is live.
    pub fn read(&mut self, conversation_id: ConversationId, seq: Seq, now_ms: u64, fx: &mut dyn Effects) {
        if self.phase == Phase::Live {
            let reference = self.ask(Asked::Read, now_ms);
            fx.say(&ClientFrame::Read { reference, conversation_id, seq });
        }
    }

    /// Wants a conversation from `seq` on, as one who scrolls up: what is missing is fetched.
    pub fn want_from(&mut self, id: ConversationId, seq: Seq, now_ms: u64, fx: &mut dyn Effects) {
        let Some(kept) = self.conversations.get_mut(&id) else { return };
        let floor = seq.max(kept.info.first_seq);
        if floor < kept.floor {
            kept.floor = floor;
            self.look_for_hole(id, now_ms);
            if self.phase == Phase::Live {
                self.feed_hungry(now_ms, fx);
            }
        }
    }

    /// Forgets the token and all that is kept, as after a fresh log-in.
    pub fn forget(&mut self) {
        assert_eq!(self.phase, Phase::Away, "only between connections");
        self.token = None;
        self.conversations.clear();
        self.hungry.clear();
    }

    /// Who this is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// How far the connection is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The token for the next `hello`.
    pub fn sync_token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Everything kept, left conversations too.
    pub fn conversations(&self) -> &HashMap<ConversationId, Kept> {
        &self.conversations
    }

    /// Own messages without an answer.
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Whether the connection is live and nothing that is known to exist is missing.
    pub fn is_whole(&self) -> bool {
        self.phase == Phase::Live && self.hungry.is_empty() && self.fetching == 0
    }

    /// When [`State::tick`] has something to do; `u64::MAX`: not before something else happens.
    pub fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// A full sync broke off: what was not listed yet is still kept.
    fn take_back_former(&mut self) {
        for (id, kept) in std::mem::take(&mut self.former) {
            self.conversations.entry(id).or_insert(kept);
        }
    }

    fn ask(&mut self, what: Asked, now_ms: u64) -> u64 {
        let reference = self.next_reference;
        self.next_reference += 1;
        self.asked.insert(reference, Ask { what, at_ms: now_ms });
        self.wake_at(now_ms + waiting::ANSWER_WITHIN_MS);
        reference
    }

    fn wake_at(&mut self, at_ms: u64) {
        self.due_ms = self.due_ms.min(at_ms);
    }
}
