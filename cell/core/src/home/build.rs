//! A batch in the making: what the requests judged so far have changed, and how to take it all back.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_protocol::{
    CellId, ClientMessageId, ConversationId, Era, Lane, Message, Millis, Pos, RequestId, Seq, SlotMap, UserId,
};

use super::conversation::{Conversation, Known, Stand};
use crate::{
    Answer, Batch, Block, Change, ConversationChange, Generations, Mark, MemberRow, MembersDone, Membership, Origin,
};

/// What one batch changes, conversation by conversation.
#[derive(Debug)]
pub(super) struct Building {
    pub lane: Lane,
    pub cell: CellId,
    pub era: Era,
    pub pos: Pos,
    pub touched: BTreeMap<ConversationId, Touched>,
    pub ids: BTreeMap<(ConversationId, ClientMessageId), Sender>,
    pub marks: Vec<Mark>,
    pub outcomes: Vec<(RequestId, Arc<MembersDone>)>,
    /// What is new, and what was said before.
    pub blocks: BTreeMap<(ConversationId, UserId), (Block, Option<Block>)>,
    pub rows: usize,
    pub bytes: usize,
}

/// Who sent a message of this batch, and what.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub user: UserId,
    pub text: Arc<str>,
    pub seq: Seq,
}

/// What a batch changes of one conversation, and what it was before.
#[derive(Debug, Default)]
pub(super) struct Touched {
    before: Option<Before>,
    members_before: BTreeMap<UserId, Option<MemberRow>>,
    pub row_changed: bool,
    pub members: BTreeMap<UserId, MemberRow>,
    pub messages: Vec<Message>,
    /// The newest own message of each sender of this cell: their read mark.
    pub own: BTreeMap<UserId, Seq>,
}

#[derive(Debug)]
enum Before {
    Head(Seq, Millis),
    Whole(Option<Box<Stand>>),
}

/// Where a request's answer goes.
pub(super) type Addressed = (Origin, RequestId, Answer);

// === impl Building ===

impl Building {
    pub fn new(lane: Lane, cell: CellId, era: Era, pos: Pos) -> Self {
        Self {
            lane,
            cell,
            era,
            pos,
            touched: BTreeMap::new(),
            ids: BTreeMap::new(),
            marks: Vec::new(),
            outcomes: Vec::new(),
            blocks: BTreeMap::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Before only the head of a conversation moves.
    pub fn touch_head(&mut self, id: ConversationId, stand: &Stand) -> &mut Touched {
        let touched = self.touched.entry(id).or_default();
        touched.before.get_or_insert(Before::Head(stand.header.head, stand.header.last_sent_at));
        touched
    }

    /// Before members or the conversation's row change.
    pub fn touch_whole(&mut self, id: ConversationId, known: &Known) -> &mut Touched {
        let touched = self.touched.entry(id).or_default();
        let stand = || match known {
            Known::There(stand) => Some(stand.clone()),
            _ => None,
        };
        touched.before = Some(match touched.before.take() {
            None => Before::Whole(stand()),
            Some(Before::Head(head, at)) => {
                let mut stand = stand();
                if let Some(stand) = &mut stand {
                    stand.header.head = head;
                    stand.header.last_sent_at = at;
                }
                Before::Whole(stand)
            }
            Some(whole) => whole,
        });
        touched.row_changed = true;
        touched
    }

    /// Puts a person's new row in, in memory and in the batch.
    pub fn put_member(&mut self, id: ConversationId, conversation: &mut Conversation, row: MemberRow) {
        let touched = self.touched.entry(id).or_default();
        let before = conversation.members.insert(row.user_id, Some(row.clone())).flatten();
        touched.members_before.entry(row.user_id).or_insert(before);
        touched.members.insert(row.user_id, row);
        self.rows += 2;
        self.bytes += 128;
    }

    /// What somebody says of the other of a direct conversation, in memory and in the batch.
    pub fn put_block(&mut self, id: ConversationId, conversation: &mut Conversation, user: UserId, block: Block) {
        let before = conversation.blocks.insert(user, block);
        self.blocks.entry((id, user)).or_insert((block, before)).0 = block;
        self.rows += 1;
    }

    /// The batch to commit, and the change to publish once it is.
    pub fn finish(
        &mut self,
        conversations: &Generations<ConversationId, Conversation>,
        map: &SlotMap,
        after: Pos,
    ) -> (Batch, Change) {
        let mut batch = Batch { lane: self.lane, pos: self.pos, ..Batch::default() };
        let mut changes = Vec::with_capacity(self.touched.len());
        for (id, touched) in &mut self.touched {
            let Some(Known::There(stand)) = conversations.peek(id).map(|c| &c.known) else {
                unreachable!("a touched conversation is there and stays in memory");
            };
            let mut change = ConversationChange::new(*id);
            change.cells = touched.audience(stand);
            if touched.row_changed {
                batch.conversations.push((self.era, stand.header.row.clone()));
                change.row = Some(stand.header.row.clone());
            }
            for row in touched.members.values() {
                batch.members.push((*id, row.clone()));
                if map.owner(row.user_id.slot()) == Some(self.cell) {
                    batch.memberships.push(Membership::of_home(*id, row, self.era));
                }
            }
            change.members = touched.members.values().cloned().collect();
            batch.messages.extend(touched.messages.iter().cloned());
            change.messages = std::mem::take(&mut touched.messages);
            batch.marks.extend(touched.own.iter().map(|(user, seq)| Mark::of_own_message(*user, *id, *seq)));
            changes.push(change);
        }
        batch.marks.append(&mut self.marks);
        batch.outcomes = std::mem::take(&mut self.outcomes);
        batch.blocks = self.blocks.iter().map(|((id, user), (block, _))| (*id, *user, *block)).collect();
        let change = Change { lane: self.lane, era: self.era, after, through: self.pos, conversations: changes };
        (batch, change)
    }

    /// Takes back in memory all that the batch changed.
    pub fn undo(self, conversations: &mut Generations<ConversationId, Conversation>) {
        for ((id, user), (_, before)) in self.blocks {
            let conversation = conversations.get_mut(&id).expect("a request under way keeps its conversation");
            match before {
                Some(block) => _ = conversation.blocks.insert(user, block),
                None => _ = conversation.blocks.remove(&user),
            }
        }
        for (id, touched) in self.touched {
            let conversation = conversations.get_mut(&id).expect("a touched conversation stays in memory");
            match touched.before {
                None => {}
                Some(Before::Head(head, at)) => {
                    if let Known::There(stand) = &mut conversation.known {
                        stand.header.head = head;
                        stand.header.last_sent_at = at;
                    }
                }
                Some(Before::Whole(Some(stand))) => conversation.known = Known::There(stand),
                Some(Before::Whole(None)) => conversation.known = Known::Nothing,
            }
            conversation.members.extend(touched.members_before);
        }
    }
}

// === impl Touched ===

impl Touched {
    /// The cells that host a member before, during or after the batch.
    fn audience(&self, stand: &Stand) -> Arc<[CellId]> {
        let Some(Before::Whole(before)) = &self.before else { return Arc::clone(&stand.cells) };
        let before = before.iter().flat_map(|b| b.counts.keys());
        let mut cells: Vec<CellId> = before.chain(stand.counts.keys()).chain(&*stand.cells).copied().collect();
        cells.sort_unstable();
        cells.dedup();
        cells.into()
    }
}

// === impl Membership ===

impl Membership {
    /// The row of a person who lives at the conversation's home.
    pub fn of_home(conversation_id: ConversationId, row: &MemberRow, home_era: Era) -> Self {
        Self {
            user_id: row.user_id,
            conversation_id,
            role: row.role,
            joined_seq: row.joined_seq,
            left_seq: row.left_seq,
            left_reason: row.left_reason,
            home_era,
            home_pos: row.pos,
        }
    }
}
