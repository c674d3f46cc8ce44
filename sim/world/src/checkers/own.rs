//! I6: who has been answered sees the effect, after reconnecting too.

use std::collections::{BTreeMap, BTreeSet};

use skep_protocol::{ConversationId, Kind, Pos, Seq, UserId};

use super::{Found, Violation};
use crate::device::Mind;
use crate::truth::Truth;

/// What a person has been answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Promise {
    /// An own message stands here.
    Sent(Seq),
    /// The read mark stands here, or further on.
    Read(Seq),
    /// The own place is at least this version of it.
    Place(Pos),
}

/// A promise, and the life of the own cell's process in which it was made: a crash of it excuses.
#[derive(Clone, Debug)]
pub struct Owed {
    pub conversation_id: ConversationId,
    pub promise: Promise,
    pub life: u64,
}

/// All promises that stand.
#[derive(Debug, Default)]
pub struct Own {
    promises: BTreeMap<(UserId, ConversationId, u8), Owed>,
    hidden: BTreeSet<(UserId, ConversationId)>,
}

impl Own {
    /// Somebody has been answered. The newest promise of its kind counts.
    pub fn promised(&mut self, user: UserId, owed: Owed) {
        let kind = match owed.promise {
            Promise::Sent(_) => 0,
            Promise::Read(_) => 1,
            Promise::Place(_) => 2,
        };
        let slot = self.promises.entry((user, owed.conversation_id, kind)).or_insert_with(|| owed.clone());
        if owed.promise >= slot.promise {
            *slot = owed;
        }
    }

    /// A shard has lost something: what was promised before may be gone.
    pub fn forget(&mut self) {
        self.promises.clear();
    }

    /// Somebody asks to hide a direct conversation: whether it is listed tells nothing from now on.
    pub fn hides(&mut self, user: UserId, id: ConversationId) {
        self.hidden.insert((user, id));
    }

    /// What a person is owed when they say hello.
    pub fn owed(&self, user: UserId) -> Vec<Owed> {
        self.promises.iter().filter(|((u, ..), _)| *u == user).map(|(_, owed)| owed.clone()).collect()
    }

    /// After the sync that followed that hello.
    pub fn is_kept(&self, owed: &[Owed], mind: &Mind, truth: &Truth, life: u64) -> Found {
        owed.iter().filter(|o| o.life == life).try_for_each(|o| self.is_one_kept(o, mind, truth))
    }

    fn is_one_kept(&self, owed: &Owed, mind: &Mind, truth: &Truth) -> Found {
        let (id, user) = (owed.conversation_id, mind.user);
        let listed = mind.conversations.get(&id).filter(|k| k.is_listed());
        let is_kept = match owed.promise {
            Promise::Sent(seq) => listed.is_none_or(|k| k.head >= seq && k.read >= seq),
            Promise::Read(seq) => listed.is_none_or(|k| k.read >= seq),
            Promise::Place(_) if id.kind() == Kind::Direct && self.hidden.contains(&(user, id)) => true,
            Promise::Place(pos) => {
                let mut since = truth.places(id, user).iter().filter(|row| row.pos >= pos);
                since.any(|row| row.is_current() == listed.is_some())
            }
        };
        if is_kept {
            return Ok(());
        }
        let kept = mind.conversations.get(&id).map(|k| (k.head, k.read, k.left));
        let places = truth.places(id, user);
        let story = format!(
            "{user} was promised {:?} in {id} and sees (head, read, left) {kept:?}; places: {places:?}",
            owed.promise
        );
        Err(Violation::of("I6", story))
    }
}
