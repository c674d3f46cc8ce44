//! What a shard is asked: by lanes, by fan-out, by syncs, by readers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use skep_core::fanout::{LocalConversation, LocalMember};
use skep_core::home::{Header, Load, Loaded, Wanted};
use skep_core::sync::{Listed, Snapshot, Token};
use skep_protocol::{
    ClientMessageId, ConversationId, Era, LeftConversation, LeftReason, Message, Millis, Pos, Seq, UserId, limits,
};

use super::{Shard, StoredConversation, StoredMembership};
use crate::plan::Former;

/// A page of history that the own shard has, or what of it must be asked of the home.
#[derive(Debug)]
pub enum HistoryPage {
    /// Never a member here.
    NotFound,
    Whole {
        messages: Vec<Message>,
        has_more: bool,
    },
    /// Some of these are not here.
    AtHome {
        wanted: RangeInclusive<u64>,
        has_more: bool,
    },
}

/// Of a row: its home's era and position.
pub type Version = (Era, Pos);

impl Shard {
    /// Answers a home lane.
    pub fn load(&self, load: &Load) -> Loaded {
        let id = load.conversation_id;
        let members = self.members.get(&id);
        let row_of = |user: &UserId| (*user, members.and_then(|m| m.get(user)).cloned());
        let outcomes = load.requests.iter().filter_map(|r| self.outcomes.get(r).map(|o| (*r, (**o).clone())));
        Loaded {
            conversation_id: id,
            header: if load.header == Wanted::Yes { self.header(id) } else { None },
            blocks: self.blocks.get(&id).into_iter().flatten().map(|(user, block)| (*user, *block)).collect(),
            members: load.users.iter().map(row_of).collect(),
            outcomes: outcomes.collect(),
        }
    }

    fn header(&self, id: ConversationId) -> Option<Header> {
        let mut row = self.conversations.get(&id)?.row.clone();
        let mut current: Vec<_> = self.members.get(&id)?.values().filter(|m| m.is_current()).collect();
        current.sort_by_key(|m| (m.joined_at, m.user_id));
        if row.seniors.len() < limits::SENIORS && row.seniors.len() < row.member_count as usize {
            row.seniors = current.iter().map(|m| m.user_id).take(limits::SENIORS).collect();
        }
        let mut slots = BTreeMap::new();
        for member in &current {
            *slots.entry(member.user_id.slot()).or_insert(0) += 1;
        }
        let admins = current.iter().filter(|m| m.role == skep_protocol::Role::Admin).count() as u32;
        let last_sent_at = self.log(id).last().map_or(Millis(0), |m| m.sent_at);
        Some(Header { row, head: self.head(id), last_sent_at, admins, slots: slots.into_iter().collect() })
    }

    /// The stored messages of these ids.
    pub fn lookup(&self, ids: &[(ClientMessageId, ConversationId)]) -> Vec<Message> {
        let found = ids.iter().filter_map(|(cmid, id)| {
            let seq = self.ids.get(&(*id, *cmid))?;
            self.messages.get(id)?.get(seq).map(|s| s.row.clone())
        });
        found.collect()
    }

    /// The conversation with the people of this cell in it, for fan-out.
    pub fn local(&self, id: ConversationId, former: Former) -> Option<LocalConversation> {
        let StoredConversation { row, home_era, .. } = self.conversations.get(&id)?.clone();
        let here = self.memberships.iter().filter(|((_, c), _)| *c == id).map(|(_, m)| m);
        let wanted = here.filter(|m| former == Former::Included || m.row.left_seq.is_none());
        Some(LocalConversation { row, home_era, head: self.head(id), members: wanted.map(local_member).collect() })
    }

    /// What is new for a person since a token: one consistent look.
    pub fn snapshot(&self, user: UserId, since: Option<&Token>) -> Snapshot {
        let token = Token { cell: self.cell, era: self.era(), positions: self.positions() };
        let mut snapshot = Snapshot { token, listed: Vec::new(), left: Vec::new() };
        for ((_, id), stored) in self.memberships.iter().filter(|((u, _), _)| *u == user) {
            let member = local_member(stored);
            let conversation = &self.conversations.get(id).expect("a membership never comes without its conversation");
            let head = self.visible_head(*id, &member);
            let newest = self.messages.get(id).and_then(|m| m.get(&head)).map(|m| m.at);
            let changed = [Some(stored.at), Some(conversation.shown), newest];
            if !changed.into_iter().flatten().any(|at| at.is_news(since)) {
                continue;
            }
            let is_hidden = member.is_hidden(member.shown_head(id.kind(), head));
            if member.left_seq.is_none() && !is_hidden {
                let news_above = self.news_above(*id, &member, since);
                snapshot.listed.push(Listed { row: conversation.row.clone(), head, member, news_above });
            } else if since.is_some() {
                let (left_seq, reason) = match member.left_seq {
                    Some(left_seq) => (left_seq, member.left_reason.unwrap_or(LeftReason::Left)),
                    None => (member.hidden_seq.unwrap_or_default(), LeftReason::Hidden),
                };
                let first_seq = member.visibility(id.kind()).first();
                snapshot.left.push(LeftConversation { conversation_id: *id, first_seq, left_seq, reason });
            }
        }
        snapshot.listed.sort_by_key(|l| std::cmp::Reverse((l.head, l.row.conversation_id)));
        snapshot
    }

    fn visible_head(&self, id: ConversationId, member: &LocalMember) -> Seq {
        let visible = member.visibility(id.kind());
        let last = visible.last(Seq(u64::MAX));
        let newest = self.messages.get(&id).and_then(|m| m.range(..=last).next_back());
        newest.map_or(Seq::ZERO, |(seq, _)| if visible.sees(*seq) { *seq } else { Seq::ZERO })
    }

    fn news_above(&self, id: ConversationId, member: &LocalMember, since: Option<&Token>) -> Seq {
        let Some(messages) = self.messages.get(&id) else { return Seq::ZERO };
        let first = member.visibility(id.kind()).first();
        let old = messages.range(first..).rev().find(|(_, m)| !m.at.is_news(since));
        old.map_or(Seq::ZERO, |(seq, _)| *seq)
    }

    /// The newest messages of a listed conversation, for a page of a sync: those above the topmost hole.
    pub fn newest(&self, listed: &Listed, most: usize) -> Vec<Message> {
        let id = listed.row.conversation_id;
        let Some(messages) = self.messages.get(&id) else { return Vec::new() };
        let visible = listed.member.visibility(id.kind());
        let mut newest: Vec<Message> = Vec::new();
        let upto = messages.range(..=listed.head).rev();
        for (seq, stored) in upto.filter(|(seq, _)| visible.sees(**seq)) {
            let follows = newest.last().is_none_or(|above| above.seq.0 == seq.0 + 1);
            if *seq <= listed.news_above || newest.len() >= most || !follows {
                break;
            }
            newest.push(stored.row.clone());
        }
        newest.reverse();
        newest
    }

    /// A page of what a person may read, newest below `before` or oldest above `after`.
    pub fn history(
        &self,
        user: UserId,
        id: ConversationId,
        before: Option<Seq>,
        after: Option<Seq>,
        limit: usize,
    ) -> HistoryPage {
        let Some(stored) = self.memberships.get(&(user, id)) else { return HistoryPage::NotFound };
        let member = local_member(stored);
        let visible = member.visibility(id.kind());
        let first = visible.first().0;
        let last = visible.last(member.shown_head(id.kind(), self.head(id))).0;
        let (low, high, has_more) = match (before, after) {
            (_, Some(after)) => {
                let low = first.max(after.0 + 1);
                let high = last.min(low + limit as u64 - 1);
                (low, high, high < last)
            }
            (before, None) => {
                let high = before.map_or(last, |b| last.min(b.0.saturating_sub(1)));
                let low = first.max((high + 1).saturating_sub(limit as u64));
                (low, high, low > first)
            }
        };
        if low > high {
            return HistoryPage::Whole { messages: Vec::new(), has_more: false };
        }
        let messages = self.range(id, low..=high);
        if messages.len() as u64 == high - low + 1 {
            HistoryPage::Whole { messages, has_more }
        } else {
            HistoryPage::AtHome { wanted: low..=high, has_more }
        }
    }

    /// The stored messages of a range.
    pub fn range(&self, id: ConversationId, seqs: RangeInclusive<u64>) -> Vec<Message> {
        let stored = self.messages.get(&id).into_iter();
        stored.flat_map(|m| m.range(Seq(*seqs.start())..=Seq(*seqs.end()))).map(|(_, s)| s.row.clone()).collect()
    }

    /// The versions of people's places here, and of conversations, for the checker that they never go back.
    pub fn versions(&self) -> impl Iterator<Item = ((Option<UserId>, ConversationId), Version)> {
        let places =
            self.memberships.iter().map(|((user, id), m)| ((Some(*user), *id), (m.row.home_era, m.row.home_pos)));
        places.chain(self.conversations.iter().map(|(id, c)| ((None, *id), (c.home_era, c.row.pos))))
    }
}

fn local_member(stored: &StoredMembership) -> LocalMember {
    LocalMember {
        user_id: stored.row.user_id,
        role: stored.row.role,
        joined_seq: stored.row.joined_seq,
        left_seq: stored.row.left_seq,
        left_reason: stored.row.left_reason,
        read_seq: stored.read_seq,
        hidden_seq: stored.hidden_seq,
        home_era: stored.row.home_era,
        home_pos: stored.row.home_pos,
    }
}
