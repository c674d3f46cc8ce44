//! What is kept of one conversation.

use skep_protocol::{Conversation, LeftReason, Seq};

use crate::seqs::Seqs;

/// One conversation as this client knows it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub info: Conversation,
    /// The lowest seq this client wants: `first_seq`, or higher where older ones are read on demand.
    pub floor: Seq,
    pub head: Seq,
    pub read: Seq,
    pub seqs: Seqs,
    pub left: Option<(Seq, LeftReason)>,
    /// What is promised to be there: the head at the last listing. What lies beyond is on its way.
    pub(super) listed_head: Seq,
    pub(super) stream: Stream,
    pub(super) fetch: Fetch,
}

/// The order in which one connection gave messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stream {
    /// The head when the connection began or listed the conversation.
    base: Seq,
    /// The last one given, zero when none was.
    given: Seq,
}

/// The fetching of what is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fetch {
    Idle,
    Waits {
        at_ms: u64,
        fruitless: u32,
    },
    Asked {
        fruitless: u32,
    },
    /// Given up: history does not have it, or is not given.
    Hopeless,
}

/// A break of a stream's order: the seq before.
pub(super) enum Disorder {
    Hole(Seq),
    Again(Seq),
}

impl Kept {
    /// Of a conversation not known before. `backlog`: how many of the newest are wanted at once.
    pub(super) fn new(info: Conversation, backlog: u64) -> Self {
        let floor = info.first_seq.max(Seq(info.head_seq.0.saturating_sub(backlog) + 1));
        let (head, read) = (info.head_seq, info.read_seq);
        Self {
            floor,
            head,
            read,
            seqs: Seqs::default(),
            left: None,
            listed_head: head,
            stream: Stream::after(head),
            fetch: Fetch::Idle,
            info,
        }
    }

    /// Whether it is in the person's list.
    pub fn is_listed(&self) -> bool {
        match self.left {
            None => true,
            Some((left_seq, LeftReason::Hidden)) => self.head > left_seq,
            Some(_) => false,
        }
    }

    /// The last seq that this person may have.
    pub fn last_wanted(&self) -> Seq {
        match self.left {
            Some((left_seq, LeftReason::Left | LeftReason::Removed)) => left_seq,
            _ => self.head,
        }
    }

    /// The first hole, both ends included, below what has come or was promised.
    pub fn hole(&self) -> Option<(Seq, Seq)> {
        let known = self.seqs.last().unwrap_or_default().max(self.listed_head);
        self.seqs.hole(self.floor, known.min(self.last_wanted()))
    }

    /// As a person sees it.
    pub fn view(&self) -> Conversation {
        Conversation {
            head_seq: self.head,
            read_seq: self.read,
            unread: self.head.0.saturating_sub(self.read.0),
            ..self.info.clone()
        }
    }
}

impl Stream {
    pub(super) fn after(base: Seq) -> Self {
        Self { base, given: Seq::ZERO }
    }

    /// Takes the next one given. What a sync gave may come again, and nothing else.
    pub(super) fn gives(&mut self, seq: Seq) -> Option<Disorder> {
        let disorder = if self.given == Seq::ZERO {
            (seq > self.base.next()).then_some(Disorder::Hole(self.base))
        } else if seq <= self.given {
            Some(Disorder::Again(self.given))
        } else {
            (seq > self.given.next()).then_some(Disorder::Hole(self.given))
        };
        self.given = self.given.max(seq);
        disorder
    }

    /// Takes the answer to a message sent more than once: it may be the next one, or one given long ago.
    pub(super) fn repeats(&mut self, seq: Seq) -> Option<Disorder> {
        (seq > self.given.max(self.base)).then(|| self.gives(seq)).flatten()
    }
}
