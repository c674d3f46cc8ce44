//! A conversation in a worker's memory, and what a change of it means for each member.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use skep_protocol::{
    Conversation, ConversationId, Era, Kind, LeftReason, Message, Millis, Pos, RequestId, Seq, ServerFrame, UserId,
    limits,
};

use super::{LocalConversation, LocalMember};
use crate::{Answer, ConversationChange, ConversationRow, MarkResult, MemberRow, Moved};

/// A conversation with the members that are this worker's.
#[derive(Debug)]
pub(super) enum Entry {
    /// Its members are being loaded; its changes wait.
    Loading(VecDeque<Held>),
    Ready(Box<Ready>),
}

/// Something that waits for members to be loaded.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// The change and which of its conversations it is.
    Change(Arc<crate::Change>, usize),
    Marked(MarkResult),
    /// A message told in words has its place behind the changes that wait.
    Answered(RequestId, Answer),
}

/// Loaded.
#[derive(Debug)]
pub(super) struct Ready {
    row: ConversationRow,
    home_era: Era,
    head: Seq,
    pub members: BTreeMap<UserId, LocalMember>,
    /// When everybody was last told.
    told_at: Millis,
    count: Count,
}

/// Whether everybody knows how many members there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Count {
    Told,
    /// It changed soon after everybody was told something: they are told later.
    Due,
}

/// What of a new row lists show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    Nothing,
    CountAlone,
    Something,
}

/// The place of a change in its lane, and in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub now: Millis,
    /// The home's.
    pub era: Era,
    /// All that was before this in its lane has been told.
    pub after: Pos,
}

/// What a change means for one person, in the order in which they get it.
#[derive(Debug)]
pub(super) struct News {
    /// Before the messages.
    pub conversation: Option<Box<Conversation>>,
    /// Which of the change's messages they see.
    pub messages: Seen,
    /// After the messages.
    pub left: Option<ServerFrame>,
}

/// Which messages of a change somebody sees.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Seen {
    None,
    All,
    /// Those from the first seq to the last.
    Between(Seq, Seq),
}

impl Ready {
    pub fn new(local: LocalConversation, is_mine: impl Fn(UserId) -> bool) -> Self {
        let LocalConversation { row, home_era, head, members } = local;
        let mine = members.into_iter().filter(|m| is_mine(m.user_id));
        let members = mine.map(|m| (m.user_id, m)).collect();
        Self { row, home_era, head, members, told_at: Millis(0), count: Count::Told }
    }

    /// Takes a change in. Says what it means for each person for whom it means something and who `is_connected`.
    pub fn apply(
        &mut self,
        change: &ConversationChange,
        when: When,
        is_mine: impl Fn(UserId) -> bool,
        is_connected: impl Fn(UserId) -> bool,
    ) -> Vec<(UserId, News)> {
        let shown = match self.take_row(change.row.as_ref(), when) {
            Shown::CountAlone if when.now < self.told_at.plus(limits::COUNT_PUSHED_EVERY_MS) => {
                self.count = Count::Due;
                false
            }
            shown => shown != Shown::Nothing,
        };
        if shown {
            (self.told_at, self.count) = (when.now, Count::Told);
        }
        let mut touched: BTreeMap<UserId, bool> = BTreeMap::new();
        for row in change.members.iter().filter(|r| is_mine(r.user_id)) {
            if self.take_member(row, when.era) {
                touched.insert(row.user_id, row.is_current());
            }
        }
        let kind = change.conversation_id.kind();
        let first_last = change.messages.first().zip(change.messages.last()).map(|(f, l)| (f.seq, l.seq));
        // A conversation may have been loaded together with this very change: the log tells where it stood before.
        let before = first_last.map_or(self.head, |(first, _)| self.head.min(Seq(first.0.saturating_sub(1))));
        let after = first_last.map_or(self.head, |(_, last)| self.head.max(last));
        let mut news = Vec::new();
        for (user, member) in self.members.iter().filter(|(u, _)| is_connected(**u)) {
            let messages = first_last.map_or(Seen::None, |(first, last)| seen(member, first, last));
            let unhidden = messages != Seen::None && member.is_hidden(before);
            let is_listed = member.left_seq.is_none() && !member.is_hidden(after);
            let told = match touched.get(user) {
                Some(current) => *current && !member.is_hidden(after),
                None => is_listed && (shown || unhidden),
            };
            let left = match touched.get(user) {
                Some(false) => Some(left_frame(change.conversation_id, member)),
                _ => None,
            };
            if told || left.is_some() || messages != Seen::None {
                let conversation = told.then(|| Box::new(member.view(&self.row, self.head.max(member.joined_seq))));
                news.push((*user, News { conversation, messages, left }));
            }
        }
        self.take_messages(kind, &change.messages);
        news
    }

    /// Whether everybody is to be told how many members there are.
    pub fn owes_count(&self) -> bool {
        self.count == Count::Due
    }

    /// What each of these people is told of the number of members, once it is time.
    pub fn count_told(&mut self, now: Millis, is_connected: impl Fn(UserId) -> bool) -> Option<Vec<(UserId, News)>> {
        if now < self.told_at.plus(limits::COUNT_PUSHED_EVERY_MS) {
            return None;
        }
        (self.told_at, self.count) = (now, Count::Told);
        let listed = |member: &LocalMember| member.left_seq.is_none() && !member.is_hidden(self.head);
        let told = self.members.iter().filter(|(user, member)| listed(member) && is_connected(**user));
        let news = told.map(|(user, member)| {
            let conversation = Some(Box::new(member.view(&self.row, self.head)));
            (*user, News { conversation, messages: Seen::None, left: None })
        });
        Some(news.collect())
    }

    /// A person's marks as stored.
    pub fn marked(&mut self, mark: &MarkResult) {
        if let (Ok(row), Some(member)) = (&mark.row, self.members.get_mut(&mark.user_id)) {
            member.read_seq = member.read_seq.max(row.read_seq);
            member.hidden_seq = row.hidden_seq;
        }
    }

    /// The conversation as a person sees it whose mark has moved, if that put it into their list: it was shown again, or
    /// hidden below a message that has been pushed meanwhile.
    pub fn view_if_shown(&self, user: UserId, moved: Moved) -> Option<Conversation> {
        let member = self.members.get(&user).filter(|m| m.left_seq.is_none() && !m.is_hidden(self.head))?;
        matches!(moved, Moved::Hidden | Moved::Shown).then(|| member.view(&self.row, self.head))
    }

    /// Whether anything that lists show is different. The row that is known may have been loaded after this change, and
    /// never been told: then the home says whether there is something to show.
    fn take_row(&mut self, row: Option<&ConversationRow>, when: When) -> Shown {
        let Some(row) = row else { return Shown::Nothing };
        if (when.era, row.pos) <= (self.home_era, self.row.pos) {
            return if row.shown_pos > when.after { Shown::Something } else { Shown::Nothing };
        }
        let counted = row.member_count <= limits::COUNT_PUSHED_MEMBERS && row.member_count != self.row.member_count;
        // The viewer is left out of their own heroes.
        let heroes = |row: &ConversationRow| row.seniors.iter().copied().take(limits::HEROES + 1).collect::<Vec<_>>();
        let renamed = row.title != self.row.title || row.topic != self.row.topic;
        let shown = if renamed || (row.title.is_none() && heroes(row) != heroes(&self.row)) {
            Shown::Something
        } else if counted {
            Shown::CountAlone
        } else {
            Shown::Nothing
        };
        (self.row, self.home_era) = (row.clone(), when.era);
        shown
    }

    /// Whether the row is new (or was loaded together with this very change).
    fn take_member(&mut self, row: &MemberRow, home_era: Era) -> bool {
        let known = self.members.get(&row.user_id);
        if known.is_some_and(|m| (m.home_era, m.home_pos) > (home_era, row.pos)) {
            return false;
        }
        let read_seq = known.map_or(row.joined_seq, |m| m.read_seq.max(row.joined_seq));
        let rejoined = known.is_some_and(|m| m.joined_seq < row.joined_seq);
        let hidden_seq = known.and_then(|m| m.hidden_seq).filter(|_| !rejoined);
        let member = LocalMember {
            user_id: row.user_id,
            role: row.role,
            joined_seq: row.joined_seq,
            left_seq: row.left_seq,
            left_reason: row.left_reason,
            read_seq,
            hidden_seq,
            home_era,
            home_pos: row.pos,
        };
        self.members.insert(row.user_id, member);
        true
    }

    fn take_messages(&mut self, _kind: Kind, messages: &[Message]) {
        for message in messages {
            self.head = self.head.max(message.seq);
            if let Some(member) = self.members.get_mut(&message.sender_id) {
                member.read_seq = member.read_seq.max(message.seq);
            }
        }
    }
}

/// Live: from one's joining on, up to one's leaving. What lies before is for history.
fn seen(member: &LocalMember, first: Seq, last: Seq) -> Seen {
    let from = first.max(member.joined_seq.next());
    let to = member.left_seq.map_or(last, |left| left.min(last));
    if from > to {
        Seen::None
    } else if (from, to) == (first, last) {
        Seen::All
    } else {
        Seen::Between(from, to)
    }
}

fn left_frame(conversation_id: ConversationId, member: &LocalMember) -> ServerFrame {
    ServerFrame::Left {
        conversation_id,
        first_seq: member.visibility(conversation_id.kind()).first(),
        left_seq: member.left_seq.unwrap_or(member.joined_seq),
        reason: member.left_reason.unwrap_or(LeftReason::Left),
    }
}
