//! What may be done: each request against the conversation as the batch's earlier requests leave it.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_protocol::{
    CellId, Code, ConversationId, FieldCode, Kind, LeftReason, Message, Millis, Pos, Refusal, Role, Seq, SlotMap,
    UserId, answers::NotAddedCode, limits,
};

use super::{
    build::{Building, Sender},
    conversation::{Conversation, Known, Stand, making_of},
    load::Header,
};
use crate::{
    Answer, Block, Blocked, Clamp, ConversationRow, Mark, MarkKind, MemberRow, MembersDone, NotAdded, Op, Request,
    TextChange,
};

/// What came of a request.
pub(super) enum Verdict {
    /// The change is the answer.
    Accepted,
    /// Answered in words after the commit.
    Answer(Answer),
    /// Answered by the stored result of its mark.
    Marked,
    /// The same id stands earlier in this batch: answered with that message after the commit.
    Repeat(Seq),
}

type Judged<T> = Result<T, Answer>;

/// Judges one request and carries it out in memory and in the batch.
pub(super) fn judge(
    request: &Request,
    conversation: &mut Conversation,
    build: &mut Building,
    map: &SlotMap,
    now: Millis,
) -> Verdict {
    let mut bench = Bench { request, conversation, build, map, now };
    let outcome = match &request.op {
        Op::Send { text, client_message_id } => bench.send(*client_message_id, text),
        Op::Read { .. } | Op::Hide | Op::Unhide => bench.mark(),
        Op::Block { peer, block } => bench.block(*peer, *block),
        _ => bench.member_operation(),
    };
    outcome.unwrap_or_else(Verdict::Answer)
}

struct Bench<'a> {
    request: &'a Request,
    conversation: &'a mut Conversation,
    build: &'a mut Building,
    map: &'a SlotMap,
    now: Millis,
}

impl Bench<'_> {
    fn send(&mut self, client_message_id: skep_protocol::ClientMessageId, text: &Arc<str>) -> Judged<Verdict> {
        let (id, user) = (self.id(), self.request.actor);
        if let Some(first) = self.build.ids.get(&(id, client_message_id)) {
            let same = first.user == user && first.text == *text;
            return if same { Ok(Verdict::Repeat(first.seq)) } else { Err(reused_id()) };
        }
        self.current(user)?;
        if id.kind() == Kind::Direct {
            self.not_blocked()?;
            self.open_for_both();
        }
        let Known::There(stand) = &mut self.conversation.known else { return Err(not_found()) };
        let seq = stand.header.head.next();
        let sent_at = self.now.max(stand.header.last_sent_at);
        let text = Arc::clone(text);
        self.build.bytes += text.len() + 128;
        self.build.rows += 1;
        let is_local = self.map.owner(user.slot()) == Some(self.build.cell);
        let touched = self.build.touch_head(id, stand);
        stand.header.head = seq;
        stand.header.last_sent_at = sent_at;
        if is_local {
            touched.own.insert(user, seq);
        }
        let sender = Sender { user, text: Arc::clone(&text), seq };
        touched.messages.push(Message { conversation_id: id, seq, sender_id: user, client_message_id, sent_at, text });
        self.build.ids.insert((id, client_message_id), sender);
        Ok(Verdict::Accepted)
    }

    fn mark(&mut self) -> Judged<Verdict> {
        let user = self.request.actor;
        self.current(user)?;
        let head = self.stand()?.header.head;
        let kind = match self.request.op {
            Op::Read { seq } => MarkKind::Read { seq: seq.min(head), clamp: Clamp::Done },
            Op::Unhide => MarkKind::Unhide,
            _ if self.id().kind() != Kind::Direct => return Err(invalid("only a direct conversation can be hidden")),
            _ => MarkKind::Hide { seq: head },
        };
        let request = Some(self.request.request_id);
        self.build.marks.push(Mark { user_id: user, conversation_id: self.id(), kind, request });
        self.build.rows += 1;
        Ok(Verdict::Marked)
    }

    /// Older news are answered with what stands.
    fn block(&mut self, peer: UserId, block: Block) -> Judged<Verdict> {
        let (id, user) = (self.id(), self.request.actor);
        if id != ConversationId::direct(user, peer) || user == peer {
            return Err(invalid("one blocks another person"));
        }
        let stands = self.conversation.blocks.get(&user).filter(|stands| stands.version >= block.version).copied();
        // Nothing can be older than a first word, and the first word that nobody is blocked says nothing.
        let says_nothing = block == Block { version: Block::FIRST, blocked: Blocked::No };
        if stands.is_none() && !says_nothing {
            self.build.put_block(id, self.conversation, user, block);
        }
        Ok(Verdict::Answer(Answer::Block(stands.unwrap_or(block))))
    }

    fn member_operation(&mut self) -> Judged<Verdict> {
        if let Some(Some(done)) = self.conversation.outcomes.get(&self.request.request_id) {
            return Ok(Verdict::Answer(Answer::Members(MembersDone::clone(done))));
        }
        let rows_before = self.build.rows;
        let done = match &self.request.op {
            Op::Create { title, topic, users, not_added, code } => self.create((title, topic), users, not_added, code),
            Op::Open { peer } => self.open(*peer),
            Op::Add { users, not_added } => self.add(users, not_added),
            Op::Join { code } => self.join(code),
            Op::Leave => self.leave(),
            Op::Remove { user } => self.remove(*user),
            Op::SetRole { user, role } => self.set_role(*user, *role),
            Op::Edit { title, topic } => self.edit(title.as_ref(), topic.as_ref()),
            Op::RenewLink { code } => self.renew_link(code),
            Op::Send { .. } | Op::Read { .. } | Op::Hide | Op::Unhide | Op::Block { .. } => {
                unreachable!("judged elsewhere")
            }
        }?;
        if self.build.rows > rows_before {
            let done = Arc::new(done.clone());
            let is_making = matches!(self.request.op, Op::Create { .. });
            let of_making = is_making.then(|| making_of(self.id()));
            for key in of_making.into_iter().chain([self.request.request_id]) {
                self.conversation.outcomes.insert(key, Some(Arc::clone(&done)));
                self.build.outcomes.push((key, Arc::clone(&done)));
            }
        }
        Ok(Verdict::Answer(Answer::Members(done)))
    }

    // --- making conversations

    fn create(
        &mut self,
        (title, topic): (&Option<Arc<str>>, &Option<Arc<str>>),
        users: &[UserId],
        not_added: &[NotAdded],
        code: &Option<Arc<str>>,
    ) -> Judged<MembersDone> {
        let creator = self.request.actor;
        if let Known::There(stand) = &self.conversation.known {
            let row = &stand.header.row;
            // By its own creator it is given back as it is now, whatever has become of it.
            return if row.created_by == Some(creator) {
                let made = self.conversation.outcomes.get(&making_of(self.id())).and_then(Option::as_ref);
                let not_added = made.map(|made| made.not_added.clone()).unwrap_or_default();
                Ok(MembersDone { code: row.code.clone(), not_added, ..MembersDone::default() })
            } else {
                Err(Answer::refused(Code::Conflict, "this key was used for another conversation"))
            };
        }
        self.make(creator, title.clone(), topic.clone(), code.clone());
        self.let_in(creator, Role::Admin);
        for user in users {
            self.let_in(*user, Role::Member);
        }
        let (added, not_added) = (users.to_vec(), not_added.to_vec());
        Ok(MembersDone { created: true, added, not_added, code: code.clone() })
    }

    fn open(&mut self, peer: UserId) -> Judged<MembersDone> {
        let (id, opener) = (self.id(), self.request.actor);
        if id != ConversationId::direct(opener, peer) || opener == peer {
            return Err(invalid("a direct conversation is between two people"));
        }
        self.not_blocked()?;
        let created = !matches!(self.conversation.known, Known::There(_));
        if created {
            self.make(opener, None, None, None);
            let row = &mut self.stand_mut()?.header.row;
            row.member_count = 2;
            row.seniors = vec![opener, peer];
        }
        if self.row(opener).is_none() {
            self.let_in_direct(opener);
        }
        Ok(MembersDone { created, ..MembersDone::default() })
    }

    fn make(&mut self, creator: UserId, title: Option<Arc<str>>, topic: Option<Arc<str>>, code: Option<Arc<str>>) {
        let pos = self.build.pos;
        self.build.touch_whole(self.request.conversation_id, &self.conversation.known);
        let row = ConversationRow {
            conversation_id: self.request.conversation_id,
            pos,
            shown_pos: pos,
            title,
            topic,
            created_at: self.now,
            created_by: Some(creator),
            member_count: 0,
            seniors: Vec::new(),
            code,
        };
        let header = Header { row, head: Seq::ZERO, last_sent_at: Millis(0), admins: 0, slots: Vec::new() };
        self.conversation.known =
            Known::There(Box::new(Stand { header, counts: BTreeMap::new(), cells: Arc::from([]) }));
        self.build.rows += 1;
    }

    /// The other's row of a direct conversation is made with its first message.
    fn open_for_both(&mut self) {
        let people = self.stand().map(|s| s.header.row.seniors.clone()).unwrap_or_default();
        for user in people {
            if self.row(user).is_none() {
                self.let_in_direct(user);
            }
        }
    }

    // --- members

    fn add(&mut self, users: &[UserId], not_added: &[NotAdded]) -> Judged<MembersDone> {
        let actor = self.current(self.request.actor)?;
        self.not_direct()?;
        let mut done = MembersDone::default();
        for user in users {
            let removed = self.row(*user).is_some_and(|r| r.left_reason == Some(LeftReason::Removed));
            let refused = match self.row(*user) {
                Some(row) if row.is_current() => None,
                _ if removed && actor.role != Role::Admin => Some(NotAddedCode::Removed),
                _ if self.is_full() => Some(NotAddedCode::LimitReached),
                _ => {
                    self.let_in(*user, Role::Member);
                    None
                }
            };
            match refused {
                None => done.added.push(*user),
                Some(code) => done.not_added.push(NotAdded { user_id: *user, code }),
            }
        }
        for refused in not_added {
            if self.row(refused.user_id).is_some_and(MemberRow::is_current) {
                done.added.push(refused.user_id);
            } else {
                done.not_added.push(*refused);
            }
        }
        Ok(done)
    }

    fn join(&mut self, code: &Arc<str>) -> Judged<MembersDone> {
        let user = self.request.actor;
        let stand = self.stand()?;
        if stand.header.row.code.as_ref() != Some(code) || stand.header.row.member_count == 0 {
            return Err(Answer::refused(Code::NotFound, "this link leads nowhere: ask for a new one"));
        }
        match self.row(user) {
            Some(row) if row.is_current() => return Ok(MembersDone::default()),
            Some(row) if row.left_reason == Some(LeftReason::Removed) => {
                return Err(not_allowed("an admin removed you: only an admin can add you again"));
            }
            _ => {}
        }
        if self.is_full() {
            return Err(Answer::refused(Code::LimitReached, "this conversation has as many members as it can hold"));
        }
        self.let_in(user, Role::Member);
        Ok(MembersDone { added: vec![user], ..MembersDone::default() })
    }

    fn leave(&mut self) -> Judged<MembersDone> {
        let user = self.request.actor;
        self.not_direct()?;
        match self.row(user).cloned() {
            None => return Err(not_found()),
            Some(row) if row.is_current() => self.let_out(row, LeftReason::Left),
            Some(_) => {}
        }
        Ok(MembersDone::default())
    }

    fn remove(&mut self, user: UserId) -> Judged<MembersDone> {
        self.admin()?;
        self.not_direct()?;
        match self.row(user).cloned() {
            Some(row) if row.is_current() => self.let_out(row, LeftReason::Removed),
            Some(_) => {}
            None => return Err(Answer::refused(Code::NotFound, "they were never a member")),
        }
        Ok(MembersDone::default())
    }

    fn set_role(&mut self, user: UserId, role: Role) -> Judged<MembersDone> {
        self.admin()?;
        self.not_direct()?;
        let row = match self.row(user) {
            Some(row) if row.is_current() => row.clone(),
            _ => return Err(Answer::refused(Code::NotFound, "they are not a member")),
        };
        if row.role == role {
            return Ok(MembersDone::default());
        }
        if row.role == Role::Admin && self.stand()?.header.admins == 1 {
            return Err(Answer::refused(Code::Conflict, "the last admin stays one: make somebody else an admin first"));
        }
        self.put_role(row, role);
        Ok(MembersDone::default())
    }

    fn edit(&mut self, title: Option<&TextChange>, topic: Option<&TextChange>) -> Judged<MembersDone> {
        self.admin()?;
        self.not_direct()?;
        let row = &self.stand()?.header.row;
        let new_title = title.map_or_else(|| row.title.clone(), |t| t.0.clone());
        let new_topic = topic.map_or_else(|| row.topic.clone(), |t| t.0.clone());
        if new_title != row.title || new_topic != row.topic {
            let row = self.change_row(Shown::Always)?;
            row.title = new_title;
            row.topic = new_topic;
        }
        Ok(MembersDone::default())
    }

    fn renew_link(&mut self, code: &Arc<str>) -> Judged<MembersDone> {
        self.admin()?;
        if self.id().kind() != Kind::Channel {
            return Err(invalid("only channels have a link"));
        }
        self.change_row(Shown::No)?.code = Some(Arc::clone(code));
        Ok(MembersDone { code: Some(Arc::clone(code)), ..MembersDone::default() })
    }

    fn let_in_direct(&mut self, user: UserId) {
        self.place(user, Role::Member, Seq::ZERO);
        _ = self.change_row(Shown::Always);
    }

    fn let_in(&mut self, user: UserId, role: Role) {
        let Ok(stand) = self.stand() else { return };
        let head = stand.header.head;
        self.place(user, role, head);
        if let Ok(row) = self.change_row(Shown::SmallOnes) {
            row.member_count += 1;
            if row.seniors.len() < limits::SENIORS && row.seniors.len() + 1 == row.member_count as usize {
                row.seniors.push(user);
            }
        }
    }

    fn place(&mut self, user: UserId, role: Role, joined_seq: Seq) {
        let row = MemberRow {
            user_id: user,
            pos: self.build.pos,
            role,
            joined_seq,
            left_seq: None,
            left_reason: None,
            joined_at: self.now,
        };
        self.build.touch_whole(self.request.conversation_id, &self.conversation.known);
        self.build.put_member(self.request.conversation_id, self.conversation, row);
        let cell = self.cell_of(user);
        if let Known::There(stand) = &mut self.conversation.known {
            stand.count(cell, 1);
            stand.count_admin(role, 1);
            stand.refresh_cells();
        }
    }

    fn let_out(&mut self, row: MemberRow, reason: LeftReason) {
        let Ok(stand) = self.stand() else { return };
        let (head, cell) = (stand.header.head, self.cell_of(row.user_id));
        let id = self.request.conversation_id;
        self.build.touch_whole(id, &self.conversation.known);
        let left = MemberRow { pos: self.build.pos, left_seq: Some(head), left_reason: Some(reason), ..row };
        let (user, role) = (left.user_id, left.role);
        self.build.put_member(id, self.conversation, left);
        if let Known::There(stand) = &mut self.conversation.known {
            stand.count(cell, -1);
            stand.count_admin(role, -1);
            stand.refresh_cells();
        }
        if let Ok(row) = self.change_row(Shown::SmallOnes) {
            row.member_count -= 1;
            row.seniors.retain(|u| *u != user);
            if row.member_count == 0 {
                row.code = None;
            }
        }
        self.hand_over();
    }

    /// The last admin's leaving makes the longest-standing member admin.
    fn hand_over(&mut self) {
        let Ok(stand) = self.stand() else { return };
        if stand.header.admins > 0 {
            return;
        }
        let heir = stand.header.row.seniors.first().and_then(|u| self.row(*u)).cloned();
        if let Some(row) = heir {
            self.put_role(row, Role::Admin);
        }
    }

    fn put_role(&mut self, row: MemberRow, role: Role) {
        let id = self.request.conversation_id;
        self.build.touch_whole(id, &self.conversation.known);
        let before = row.role;
        self.build.put_member(id, self.conversation, MemberRow { pos: self.build.pos, role, ..row });
        if let Known::There(stand) = &mut self.conversation.known {
            stand.count_admin(before, -1);
            stand.count_admin(role, 1);
        }
        _ = self.change_row(Shown::No);
    }

    // --- what is known

    fn id(&self) -> ConversationId {
        self.request.conversation_id
    }

    fn stand(&self) -> Judged<&Stand> {
        match &self.conversation.known {
            Known::There(stand) => Ok(stand),
            _ => Err(not_found()),
        }
    }

    fn stand_mut(&mut self) -> Judged<&mut Stand> {
        match &mut self.conversation.known {
            Known::There(stand) => Ok(stand),
            _ => Err(not_found()),
        }
    }

    /// The row to be changed; its versions move to this batch.
    fn change_row(&mut self, shown: Shown) -> Judged<&mut ConversationRow> {
        let pos: Pos = self.build.pos;
        self.build.touch_whole(self.request.conversation_id, &self.conversation.known);
        self.build.rows += 1;
        let row = &mut self.stand_mut()?.header.row;
        row.pos = pos;
        let small = row.member_count <= limits::COUNT_PUSHED_MEMBERS;
        if shown == Shown::Always || (shown == Shown::SmallOnes && small) {
            row.shown_pos = pos;
        }
        Ok(row)
    }

    fn row(&self, user: UserId) -> Option<&MemberRow> {
        self.conversation.members.get(&user).and_then(Option::as_ref)
    }

    /// Never a member: as if nothing were there. Else: not any more.
    fn current(&self, user: UserId) -> Judged<MemberRow> {
        self.stand()?;
        match self.row(user) {
            None => Err(not_found()),
            Some(row) if row.is_current() => Ok(row.clone()),
            Some(_) => Err(Answer::no_longer_a_member()),
        }
    }

    fn admin(&self) -> Judged<()> {
        match self.current(self.request.actor)?.role {
            Role::Admin => Ok(()),
            Role::Member => Err(not_allowed("only an admin of this conversation can do that")),
        }
    }

    fn not_direct(&self) -> Judged<()> {
        if self.id().kind() == Kind::Direct {
            Err(invalid("a direct conversation has just its two people"))
        } else {
            Ok(())
        }
    }

    /// One sentence for both: who blocks whom is not told.
    fn not_blocked(&self) -> Judged<()> {
        if self.conversation.blocks.values().any(|block| block.blocked == Blocked::Yes) {
            return Err(not_allowed("the two of you cannot write to each other"));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.stand().is_ok_and(|s| s.header.row.member_count >= limits::MEMBERS)
    }

    fn cell_of(&self, user: UserId) -> CellId {
        self.map.owner(user.slot()).unwrap_or(self.build.cell)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Always,
    /// Lists show the member count of small conversations.
    SmallOnes,
    No,
}

impl Stand {
    fn refresh_cells(&mut self) {
        if !self.cells.iter().eq(self.counts.keys()) {
            self.cells = self.counts.keys().copied().collect();
        }
    }
}

impl Mark {
    /// The read mark of one's own message.
    pub fn of_own_message(user_id: UserId, conversation_id: ConversationId, seq: Seq) -> Self {
        Self { user_id, conversation_id, kind: MarkKind::Read { seq, clamp: Clamp::Done }, request: None }
    }
}

fn not_found() -> Answer {
    Answer::no_such_conversation()
}

fn not_allowed(detail: &str) -> Answer {
    Answer::refused(Code::NotAllowed, detail)
}

fn invalid(detail: &str) -> Answer {
    Answer::refused(Code::Invalid, detail)
}

pub(super) fn reused_id() -> Answer {
    let detail = "this client_message_id was used for another message: take a new one";
    Answer::Refused(Refusal::field(Code::Conflict, "client_message_id", FieldCode::Reused, detail))
}
