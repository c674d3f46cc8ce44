//! A conversation in a lane's memory: what is known of it, and who waits for more to be known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use skep_protocol::{CellId, ConversationId, Kind, RequestId, Role, SlotMap, UserId};

use super::load::{Header, Load, Loaded, Wanted};
use crate::{Block, MemberRow, MembersDone, Op, Origin, Request};

/// Fewer seniors than this (and than members) are looked up anew before somebody leaves: heroes and the heir of the
/// last admin come from them.
const SENIORS_LOW: usize = 8;
/// A busy channel forgets the members it has looked up past this many, when nothing is under way.
const MEMBERS_KEPT: usize = 20_000;

/// A conversation as its lane knows it. What is here is ahead of the shard by the batch in flight.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub known: Known,
    /// People looked up so far; `None`: never a member.
    pub members: BTreeMap<UserId, Option<MemberRow>>,
    /// Of a direct conversation, once it has been looked up: what each of the two says of the other.
    pub blocks: BTreeMap<UserId, Block>,
    /// Member operations looked up so far: their outcome, where they were carried out before.
    pub outcomes: BTreeMap<RequestId, Option<Arc<MembersDone>>>,
    /// Requests that wait for something to be loaded, in order.
    pub waiting: VecDeque<Request>,
    pub loading: bool,
    /// Requests admitted to the lane's queue, or in flight.
    pub under_way: u32,
}

/// Whether the conversation has been looked up, and is there.
#[derive(Debug, Default)]
pub(super) enum Known {
    #[default]
    NotYet,
    Nothing,
    There(Box<Stand>),
}

/// A conversation that is there.
#[derive(Clone, Debug)]
pub(super) struct Stand {
    pub header: Header,
    /// Current members per cell.
    pub counts: BTreeMap<CellId, u32>,
    /// The keys of `counts`, shared by every change that moves no member.
    pub cells: Arc<[CellId]>,
}

// === impl Conversation ===

impl Conversation {
    /// Whether it must stay in memory.
    pub fn in_use(&self) -> bool {
        self.loading || self.under_way > 0 || !self.waiting.is_empty()
    }

    /// What a request needs that is not known yet; `None` when it can be judged.
    pub fn missing(&self, request: &Request) -> Option<Load> {
        let conversation_id = request.conversation_id;
        let refill = matches!(&self.known, Known::There(stand) if needs_seniors(&request.op) && stand.is_low());
        let header = matches!(self.known, Known::NotYet) || refill;
        let users: Vec<UserId> = self.people(request).into_iter().filter(|u| !self.members.contains_key(u)).collect();
        let asked_before = request.origin != Origin::Local && is_member_operation(&request.op);
        let of_request = asked_before.then_some(request.request_id);
        let of_making = matches!(request.op, Op::Create { .. }).then(|| making_of(conversation_id));
        let unchecked = of_request.into_iter().chain(of_making).filter(|id| !self.outcomes.contains_key(id));
        let requests: Vec<RequestId> = unchecked.collect();
        if !header && users.is_empty() && requests.is_empty() {
            return None;
        }
        let header = if header { Wanted::Yes } else { Wanted::No };
        Some(Load { conversation_id, header, users, requests })
    }

    /// What all waiting requests need, in one question. Nothing while they wait for a commit.
    pub fn next_load(&self) -> Option<Load> {
        let mut loads = self.waiting.iter().filter_map(|r| self.missing(r));
        let mut load = loads.next()?;
        for more in loads.take(500) {
            if more.header == Wanted::Yes {
                load.header = Wanted::Yes;
            }
            load.users.extend(more.users);
            load.requests.extend(more.requests);
        }
        load.users = BTreeSet::from_iter(load.users).into_iter().collect();
        // The shard knows less than memory while a batch of this conversation is in flight: a header waits for it.
        if load.header == Wanted::Yes && matches!(self.known, Known::There(_)) && self.under_way > 0 {
            return None;
        }
        Some(load)
    }

    /// Takes an answer in. What is in memory already is newer and stays.
    pub fn loaded(&mut self, loaded: Loaded, asked: &Load, map: &SlotMap) {
        self.loading = false;
        if asked.header == Wanted::Yes {
            self.blocks = loaded.blocks.into_iter().collect();
            self.known = match loaded.header {
                Some(header) => Known::There(Box::new(Stand::new(header, map))),
                None => Known::Nothing,
            };
        }
        for (user, row) in loaded.members {
            self.members.entry(user).or_insert(row);
        }
        for (request, done) in loaded.outcomes {
            self.outcomes.entry(request).or_insert(Some(Arc::new(done)));
        }
        for request in &asked.requests {
            self.outcomes.entry(*request).or_insert(None);
        }
    }

    /// After a commit, with nothing else under way: what can be looked up again need not be kept for ever.
    pub fn trim(&mut self) {
        if self.under_way == 0 && !self.loading && self.members.len() > MEMBERS_KEPT {
            self.members.clear();
        }
    }

    fn people(&self, request: &Request) -> BTreeSet<UserId> {
        let mut people = BTreeSet::from([request.actor]);
        match &request.op {
            Op::Create { users, .. } => people.extend(users),
            Op::Add { users, not_added } => people.extend(users.iter().chain(not_added.iter().map(|n| &n.user_id))),
            Op::Open { peer } => _ = people.insert(*peer),
            // Whoever they are to each other in the conversation.
            Op::Block { .. } => people.clear(),
            Op::SetRole { user, .. } => _ = people.insert(*user),
            Op::Remove { user } => {
                people.insert(*user);
                people.extend(self.seniors());
            }
            Op::Send { .. } if request.conversation_id.kind() == Kind::Direct => people.extend(self.seniors()),
            // The heir of the last admin is among the seniors.
            Op::Leave => people.extend(self.seniors()),
            _ => {}
        }
        people
    }

    fn seniors(&self) -> &[UserId] {
        match &self.known {
            Known::There(stand) => &stand.header.row.seniors,
            _ => &[],
        }
    }
}

/// The outcome of a conversation's making is also kept under the conversation's own id: who asks for it once more by the
/// same key asks with another request.
pub(super) fn making_of(id: ConversationId) -> RequestId {
    id.uuid()
}

fn is_member_operation(op: &Op) -> bool {
    !matches!(op, Op::Send { .. } | Op::Block { .. }) && !op.is_own_mark()
}

fn needs_seniors(op: &Op) -> bool {
    matches!(op, Op::Leave | Op::Remove { .. })
}

// === impl Stand ===

impl Stand {
    pub fn new(header: Header, map: &SlotMap) -> Self {
        let mut counts = BTreeMap::new();
        for (slot, count) in &header.slots {
            if let Some(cell) = map.owner(*slot) {
                *counts.entry(cell).or_insert(0) += count;
            }
        }
        let cells = counts.keys().copied().collect();
        Self { header, counts, cells }
    }

    /// Somebody of this cell became a member, or is one no longer.
    pub fn count(&mut self, cell: CellId, by: i32) {
        let count = self.counts.entry(cell).or_insert(0);
        *count = count.checked_add_signed(by).expect("a cell never has fewer than no members");
        if *count == 0 {
            self.counts.remove(&cell);
        }
    }

    /// Changes the number of admins when a member of this role comes or goes.
    pub fn count_admin(&mut self, role: Role, by: i32) {
        if role == Role::Admin {
            self.header.admins = self.header.admins.saturating_add_signed(by);
        }
    }

    fn is_low(&self) -> bool {
        let row = &self.header.row;
        row.seniors.len() < SENIORS_LOW && row.seniors.len() < row.member_count as usize
    }
}
