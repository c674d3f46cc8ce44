//! What was sent, and where it ended up: one record per message, whoever and however many receive it.
//!
//! Every receiver's copy is compared with the record when it comes in: the same seq, sender, time and text for
//! everybody, one seq for a message and one message for a seq.

use std::collections::HashMap;

use parking_lot::Mutex;
use skep_client::MessageRef;
use skep_protocol::{ClientMessageId, ConversationId, Millis, Seq, UserId};

use crate::{
    clock::Micros,
    text::{Run, Tag},
};

/// What became of a message, as its sender knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// No answer yet.
    Open,
    Acknowledged,
    Refused,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub sender: u32,
    pub fate: Fate,
    /// When it should have been sent: latency counts from here.
    pub intended: Micros,
    /// When it was.
    pub written: Micros,
    /// When the answer came.
    pub answered: Micros,
    /// Zero until somebody has seen it.
    pub seq: Seq,
    pub sent_at: Millis,
}

/// What was sent to one conversation.
#[derive(Debug)]
pub struct Log {
    pub sent: Vec<Sent>,
    /// The head before the run.
    pub base: Seq,
    /// Numbers by seq, from `base + 1` on; `NOBODY` where nobody has seen that seq.
    by_seq: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;

/// All that was sent.
#[derive(Debug)]
pub struct Ledger {
    pub run: Run,
    pub text_bytes: usize,
    people: Vec<UserId>,
    ids: Vec<ConversationId>,
    by_id: HashMap<ConversationId, u32>,
    logs: Vec<Mutex<Log>>,
}

/// What is wrong with a copy of a message.
pub type Mismatch = String;

impl Ledger {
    /// Of a run in these conversations, each with its head before the run.
    pub fn new(run: Run, text_bytes: usize, people: Vec<UserId>, conversations: &[(ConversationId, Seq)]) -> Self {
        let log = |base: Seq| Mutex::new(Log { sent: Vec::new(), base, by_seq: Vec::new() });
        Self {
            run,
            text_bytes,
            people,
            ids: conversations.iter().map(|c| c.0).collect(),
            by_id: conversations.iter().enumerate().map(|(i, c)| (c.0, i as u32)).collect(),
            logs: conversations.iter().map(|c| log(c.1)).collect(),
        }
    }

    /// The run's number of a conversation.
    pub fn number(&self, id: ConversationId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// A conversation by the run's number.
    pub fn id(&self, conversation: u32) -> ConversationId {
        self.ids[conversation as usize]
    }

    /// A look at what was sent to a conversation.
    pub fn look<T>(&self, conversation: u32, at: impl FnOnce(&Log) -> T) -> T {
        at(&self.logs[conversation as usize].lock())
    }

    /// How many conversations there are.
    pub fn conversations(&self) -> u32 {
        self.ids.len() as u32
    }

    /// A new message.
    pub fn write(&self, conversation: u32, sender: u32, intended: Micros, written: Micros) -> Tag {
        let mut log = self.logs[conversation as usize].lock();
        let number = log.sent.len() as u32;
        let (seq, sent_at) = (Seq::ZERO, Millis(0));
        log.sent.push(Sent { sender, fate: Fate::Open, intended, written, answered: Micros(0), seq, sent_at });
        Tag { conversation, number }
    }

    /// The sender's answer. `Ok(Some(..))`: the first one, and the message's record.
    pub fn acknowledged(
        &self,
        id: ClientMessageId,
        seq: Seq,
        sent_at: Millis,
        now: Micros,
    ) -> Result<Option<Sent>, Mismatch> {
        let Some(tag) = self.run.tag(id) else { return Ok(None) };
        let mut log = self.logs[tag.conversation as usize].lock();
        log.place(tag, seq, sent_at).map_err(|m| self.named(tag, m))?;
        let sent = log.get_mut(tag)?;
        if sent.fate == Fate::Refused {
            return Err(self.named(tag, "acknowledged after it was refused"));
        }
        let is_first = sent.fate == Fate::Open;
        if is_first {
            sent.fate = Fate::Acknowledged;
            sent.answered = now;
        }
        Ok(is_first.then_some(*sent))
    }

    /// The sender was told that it never will be delivered. Whether this is the first answer.
    pub fn refused(&self, id: ClientMessageId, now: Micros) -> Result<bool, Mismatch> {
        let Some(tag) = self.run.tag(id) else { return Ok(false) };
        let mut log = self.logs[tag.conversation as usize].lock();
        let sent = log.get_mut(tag)?;
        if sent.seq != Seq::ZERO {
            return Err(self.named(tag, "refused, but somebody has seen it"));
        }
        let is_first = sent.fate == Fate::Open;
        if is_first {
            (sent.fate, sent.answered) = (Fate::Refused, now);
        }
        Ok(is_first)
    }

    /// Somebody's copy. `Ok(None)`: not of this run's time; else the message's record.
    pub fn seen(&self, message: &MessageRef<'_>) -> Result<Option<Sent>, Mismatch> {
        let at = || format!("{} {:?} ({})", message.conversation_id, message.seq, message.client_message_id);
        let Some(conversation) = self.number(message.conversation_id) else {
            return match self.run.tag(message.client_message_id) {
                Some(_) => Err(format!("{}: a message of this run in a conversation that is none of it", at())),
                None => Ok(None),
            };
        };
        let mut log = self.logs[conversation as usize].lock();
        if message.seq <= log.base {
            return Ok(None);
        }
        let tag = match self.run.tag(message.client_message_id) {
            Some(tag) if tag.conversation == conversation => tag,
            Some(_) => return Err(format!("{}: a message for another conversation", at())),
            None => return Err(format!("{}: a message that nobody of this run has sent", at())),
        };
        if !self.run.is_text(tag, self.text_bytes, &message.text) {
            return Err(format!("{}: another text than was sent: {:?}", at(), message.text));
        }
        log.place(tag, message.seq, message.sent_at).map_err(|m| self.named(tag, m))?;
        let sent = log.get_mut(tag)?;
        if self.people[sent.sender as usize] != message.sender_id {
            return Err(format!(
                "{}: sender {} instead of {}",
                at(),
                message.sender_id,
                self.people[sent.sender as usize]
            ));
        }
        if sent.fate == Fate::Refused {
            return Err(self.named(tag, "delivered though it was refused"));
        }
        Ok(Some(*sent))
    }

    fn named(&self, tag: Tag, what: impl std::fmt::Display) -> Mismatch {
        format!("{} message {}: {what}", self.id(tag.conversation), tag.number)
    }
}

impl Log {
    /// The last seq of an acknowledged message; the base when there is none.
    pub fn last_acknowledged(&self) -> Seq {
        let acknowledged = self.sent.iter().filter(|s| s.fate == Fate::Acknowledged);
        acknowledged.map(|s| s.seq).max().unwrap_or(self.base).max(self.base)
    }

    /// The last seq that anybody has seen.
    pub fn last_seen(&self) -> Seq {
        Seq(self.base.0 + self.by_seq.len() as u64)
    }

    /// The message at a seq of this run.
    pub fn at(&self, seq: Seq) -> Option<&Sent> {
        let place = seq.0.checked_sub(self.base.0 + 1)?;
        let number = *self.by_seq.get(usize::try_from(place).ok()?)?;
        self.sent.get(number as usize)
    }

    fn get_mut(&mut self, tag: Tag) -> Result<&mut Sent, Mismatch> {
        self.sent.get_mut(tag.number as usize).ok_or_else(|| format!("message {} was never sent", tag.number))
    }

    /// One seq for a message, one message for a seq, one time.
    fn place(&mut self, tag: Tag, seq: Seq, sent_at: Millis) -> Result<(), Mismatch> {
        let base = self.base;
        let sent = self.get_mut(tag)?;
        if sent.seq == seq && sent.sent_at == sent_at {
            return Ok(());
        }
        if sent.seq != Seq::ZERO {
            let shown = |s, at| format!("{s:?} of {}", skep_protocol::format_rfc3339(at));
            return Err(format!("at {} and at {}", shown(sent.seq, sent.sent_at), shown(seq, sent_at)));
        }
        if seq <= base {
            return Err(format!("at {seq:?}, where the head was {base:?} before it was sent"));
        }
        (sent.seq, sent.sent_at) = (seq, sent_at);
        let place = (seq.0 - base.0 - 1) as usize;
        if place >= self.by_seq.len() {
            // A seq far beyond all that was sent would be the server's mistake, and must not take all memory here.
            if place > self.sent.len() + 1_000 {
                return Err(format!("at {seq:?}, though only {} were sent after {base:?}", self.sent.len()));
            }
            self.by_seq.resize(place + 1, NOBODY);
        }
        match self.by_seq[place] {
            NOBODY => self.by_seq[place] = tag.number,
            other if other != tag.number => return Err(format!("at {seq:?}, where message {other} is")),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    struct Fixture {
        ledger: Ledger,
        tags: Vec<Tag>,
    }

    fn people() -> Vec<UserId> {
        ["anna", "ben"].iter().map(|n| UserId::new(n, Millis(1), 1)).collect()
    }

    fn group() -> ConversationId {
        ConversationId::group(3)
    }

    /// A conversation with head 10, and three messages sent to it by the first person.
    fn fixture() -> Fixture {
        let ledger = Ledger::new(Run::new(7), 150, people(), &[(group(), Seq(10))]);
        let tags = (0..3).map(|_| ledger.write(0, 0, Micros(5), Micros(6))).collect();
        Fixture { ledger, tags }
    }

    impl Fixture {
        fn id(&self, n: usize) -> ClientMessageId {
            self.ledger.run.id(self.tags[n], 1)
        }

        fn copy(&self, n: usize, seq: u64) -> MessageRef<'static> {
            MessageRef {
                conversation_id: group(),
                seq: Seq(seq),
                sender_id: people()[0],
                client_message_id: self.id(n),
                sent_at: Millis(5),
                text: Cow::Owned(self.ledger.run.text(self.tags[n], 150).as_ref().to_owned()),
            }
        }
    }

    #[test]
    fn the_same_copy_may_be_seen_by_anybody() {
        let f = fixture();
        assert!(f.ledger.seen(&f.copy(0, 11)).unwrap().is_some());
        assert!(f.ledger.seen(&f.copy(0, 11)).unwrap().is_some());
        let answer = f.ledger.acknowledged(f.id(0), Seq(11), Millis(5), Micros(9)).unwrap();
        assert_eq!(answer.unwrap().intended, Micros(5));
        assert!(f.ledger.acknowledged(f.id(0), Seq(11), Millis(5), Micros(9)).unwrap().is_none(), "only once");
        f.ledger.look(0, |log| {
            assert_eq!(log.last_acknowledged(), Seq(11));
            assert_eq!(log.at(Seq(11)).unwrap().fate, Fate::Acknowledged);
        });
        assert!(f.ledger.seen(&MessageRef { seq: Seq(3), ..f.copy(1, 3) }).unwrap().is_none(), "before the run");
    }

    #[test]
    fn every_difference_is_found() {
        let check = |what: &str, change: &dyn Fn(&Fixture, &mut MessageRef<'static>)| {
            let f = fixture();
            f.ledger.seen(&f.copy(0, 11)).unwrap();
            let mut copy = f.copy(0, 11);
            change(&f, &mut copy);
            f.ledger.seen(&copy).map(|_| ()).expect_err(what)
        };
        check("two places for a message", &|_, m| m.seq = Seq(12));
        check("two messages at a place", &|f, m| *m = f.copy(1, 11));
        check("another text", &|_, m| m.text = "x".into());
        check("another sender", &|_, m| m.sender_id = people()[1]);
        check("another time", &|_, m| m.sent_at = Millis(6));
        check("a stranger", &|_, m| m.client_message_id = ClientMessageId::from_u128(3));
        check("never sent", &|f, m| {
            let tag = Tag { conversation: 0, number: 9 };
            m.client_message_id = f.ledger.run.id(tag, 1);
            m.text = Cow::Owned(f.ledger.run.text(tag, 150).as_ref().to_owned());
        });
        check("far beyond", &|f, m| *m = f.copy(1, 100_000_000));
        check("another conversation", &|_, m| m.conversation_id = ConversationId::group(4));
    }

    #[test]
    fn a_refused_message_must_never_be_seen() {
        let f = fixture();
        assert!(f.ledger.refused(f.id(0), Micros(9)).unwrap());
        f.ledger.seen(&f.copy(0, 11)).unwrap_err();
        f.ledger.seen(&f.copy(1, 12)).unwrap();
        f.ledger.refused(f.id(1), Micros(9)).unwrap_err();
    }
}
