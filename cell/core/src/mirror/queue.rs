//! What waits for the mirror lane, and how it is merged into a batch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use skep_protocol::{CellId, ConversationId, Era, Lane, Pos, Seq, SlotMap, UserId, limits};

use crate::{Batch, Change, Clamp, ConversationRow, Cursor, Mark, MarkKind, Membership, Op, Request};

/// Something for the mirror lane to write.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Change(CellId, Arc<Change>),
    Request(Request),
    /// Was a change of a peer whose stream begins again. Keeps its number.
    Dropped,
}

/// Items in the order in which they came. Each has a number, for barriers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// The number of the last item that came.
    pub last: u64,
    bytes: BTreeMap<CellId, usize>,
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Change(_, change) => change.bytes(),
            Self::Request(request) => request.bytes(),
            Self::Dropped => 0,
        }
    }
}

impl Queue {
    pub fn push(&mut self, item: Item) {
        if let Item::Change(peer, _) = &item {
            *self.bytes.entry(*peer).or_insert(0) += item.bytes();
        }
        self.items.push_back(item);
        self.last += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Bytes that wait from a peer.
    pub fn bytes_of(&self, peer: CellId) -> usize {
        self.bytes.get(&peer).copied().unwrap_or(0)
    }

    /// Takes what one batch can hold, at most `most` items. Hiding ends a batch: what comes behind it is not hidden.
    pub fn take(&mut self, most: usize) -> Vec<Item> {
        let (mut taken, mut bytes, mut rows) = (Vec::new(), 0, 0);
        while let Some(item) = self.items.front() {
            if taken.len() >= most || bytes >= limits::BATCH_BYTES || rows >= limits::BATCH_ROWS {
                break;
            }
            let is_last = matches!(item, Item::Request(Request { op: Op::Hide, .. }));
            bytes += item.bytes();
            rows += match item {
                Item::Change(_, change) => {
                    change.conversations.iter().map(|c| c.messages.len() + c.members.len() + 1).sum()
                }
                Item::Request(_) => 1,
                Item::Dropped => 0,
            };
            if let Item::Change(peer, _) = item {
                *self.bytes.entry(*peer).or_insert(0) -= item.bytes();
            }
            taken.extend(self.items.pop_front());
            if is_last {
                break;
            }
        }
        taken
    }

    /// Puts items back that were not written, before all others.
    pub fn put_back(&mut self, items: Vec<Item>) {
        for item in items.into_iter().rev() {
            if let Item::Change(peer, _) = &item {
                *self.bytes.entry(*peer).or_insert(0) += item.bytes();
            }
            self.items.push_front(item);
        }
    }

    /// Drops what waits from a peer: it will be sent again from the durable cursor.
    pub fn drop_peer(&mut self, peer: CellId) {
        for item in self.items.iter_mut().filter(|item| matches!(item, Item::Change(p, _) if *p == peer)) {
            *item = Item::Dropped;
        }
        self.bytes.remove(&peer);
    }
}

/// One batch of these items: rows coalesced per key, the newest last.
/// `taken`: the cursors before it.
pub(super) fn merge(
    items: &[Item],
    pos: Pos,
    cell: CellId,
    map: &SlotMap,
    taken: &BTreeMap<(CellId, Lane), Cursor>,
) -> Batch {
    let mut batch = Batch { lane: Lane::MIRROR, pos, ..Batch::default() };
    let mut rows: BTreeMap<ConversationId, (Era, ConversationRow)> = BTreeMap::new();
    let mut memberships: BTreeMap<(UserId, ConversationId), Membership> = BTreeMap::new();
    let mut own: BTreeMap<(UserId, ConversationId), Seq> = BTreeMap::new();
    let mut cursors: BTreeMap<(CellId, Lane), Cursor> = BTreeMap::new();
    let lives_here = |user: UserId| map.owner(user.slot()) == Some(cell);
    for item in items {
        match item {
            Item::Change(peer, change) => {
                for c in &change.conversations {
                    let id = c.conversation_id;
                    if let Some(row) = &c.row
                        && rows.get(&id).is_none_or(|(era, old)| (change.era, row.pos) > (*era, old.pos))
                    {
                        rows.insert(id, (change.era, row.clone()));
                    }
                    for row in c.members.iter().filter(|r| lives_here(r.user_id)) {
                        let new = Membership::of_home(id, row, change.era);
                        let old = memberships.get(&(row.user_id, id));
                        if old.is_none_or(|old| (new.home_era, new.home_pos) > (old.home_era, old.home_pos)) {
                            memberships.insert((row.user_id, id), new);
                        }
                    }
                    for m in &c.messages {
                        if lives_here(m.sender_id) {
                            own.insert((m.sender_id, id), m.seq);
                        }
                        batch.messages.push(m.clone());
                    }
                }
                let key = (*peer, change.lane);
                let before = || taken.get(&key).copied().unwrap_or(Cursor::start(*peer, change.lane, change.era));
                let cursor = cursors.get(&key).copied().unwrap_or_else(before);
                cursors.insert(key, cursor.past(change));
            }
            Item::Request(request) => batch.marks.push(mark_of(request)),
            Item::Dropped => {}
        }
    }
    batch.conversations = rows.into_values().collect();
    batch.memberships = memberships.into_values().collect();
    let own = own.into_iter().map(|((user, id), seq)| Mark::of_own_message(user, id, seq));
    batch.marks.splice(0..0, own);
    batch.cursors = cursors.into_values().collect();
    batch
}

fn mark_of(request: &Request) -> Mark {
    let kind = match request.op {
        Op::Read { seq } => MarkKind::Read { seq, clamp: Clamp::StoredHead },
        Op::Unhide => MarkKind::Unhide,
        // What stands in the shard then is all there was: nothing comes behind it in its batch.
        _ => MarkKind::Hide { seq: Seq(u64::MAX) },
    };
    let (user_id, conversation_id) = (request.actor, request.conversation_id);
    Mark { user_id, conversation_id, kind, request: Some(request.request_id) }
}
