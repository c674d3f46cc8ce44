//! Between the core's types and the relay's messages. What another cell sends is checked here; nothing of it panics.

use std::sync::Arc;

use bytes::Bytes;
use skep_core::{
    Answer, Block, Blocked, Change, ConversationChange, ConversationRow, Cursor, MemberRow, MembersDone, NotAdded, Op,
    Origin, Request, TextChange,
};
use skep_protocol::{
    CellId, Code, ConversationId, Era, FieldCode, FieldError, Lane, LeftReason, Message, Millis, Pos, Refusal, Role,
    Seq, UserId, answers::NotAddedCode, wire,
};
use uuid::Uuid;

/// A message of another cell that does not hold together.
#[derive(Debug, thiserror::Error)]
#[error("a relay message without a usable {0}")]
pub struct Malformed(&'static str);

type Parsed<T> = Result<T, Malformed>;

// --- to the wire

pub fn changes_to_wire(change: Change) -> wire::Changes {
    wire::Changes {
        lane: u32::from(change.lane.0),
        era: change.era.0,
        after_pos: change.after.0,
        through_pos: change.through.0,
        conversations: change.conversations.into_iter().map(conversation_to_wire).collect(),
    }
}

pub fn request_to_wire(request: &Request) -> wire::Request {
    use wire::request::Op as W;
    let text = |t: &Arc<str>| t.to_string();
    let edit = |t: &TextChange| wire::TextChange { text: t.0.as_ref().map(text) };
    let op = match &request.op {
        Op::Send { client_message_id, text: t } => {
            Some(W::Send(wire::Send { client_message_id: uuid_to_wire(*client_message_id), text: text(t) }))
        }
        Op::Create { title, topic, users, not_added, code } => Some(W::Create(wire::Create {
            not_added: not_added.iter().copied().map(not_added_to_wire).collect(),
            kind: 0,
            title: title.as_ref().map(text),
            topic: topic.as_ref().map(text),
            members: users.iter().map(|u| user_to_wire(*u)).collect(),
            code: code.as_ref().map(text).unwrap_or_default(),
        })),
        Op::Open { peer } => Some(W::Open(wire::Open { peer: user_to_wire(*peer) })),
        Op::Add { users, not_added } => Some(W::Add(wire::Add {
            users: users.iter().map(|u| user_to_wire(*u)).collect(),
            not_added: not_added.iter().copied().map(not_added_to_wire).collect(),
        })),
        Op::Join { code } => Some(W::Join(wire::Join { code: text(code) })),
        Op::Leave => Some(W::Leave(wire::Leave {})),
        Op::Remove { user } => Some(W::Remove(wire::Remove { user: user_to_wire(*user) })),
        Op::SetRole { user, role } => Some(W::SetRole(wire::SetRole { user: user_to_wire(*user), role: *role as u32 })),
        Op::Edit { title, topic } => {
            Some(W::Edit(wire::Edit { title: title.as_ref().map(edit), topic: topic.as_ref().map(edit) }))
        }
        Op::RenewLink { code } => Some(W::RenewLink(wire::RenewLink { code: text(code) })),
        Op::Block { peer, block: Block { version, blocked } } => Some(W::Block(wire::Block {
            peer: user_to_wire(*peer),
            version: *version,
            blocked: *blocked == Blocked::Yes,
        })),
        // One's own marks are the business of one's own cell.
        Op::Read { .. } | Op::Hide | Op::Unhide => None,
    };
    wire::Request {
        request_id: uuid_to_wire(request.request_id),
        conversation_id: Bytes::copy_from_slice(&request.conversation_id.to_bytes()),
        actor: user_to_wire(request.actor),
        op,
    }
}

pub fn answer_to_wire(request_id: Uuid, answer: Answer) -> wire::Answer {
    use wire::answer::Outcome;
    let outcome = match answer {
        Answer::Sent(m) => Outcome::Sent(wire::Sent { seq: m.seq.0, sent_at_ms: m.sent_at.0 }),
        Answer::Members(done) => Outcome::Members(wire::MembersDone {
            created: done.created,
            added: done.added.into_iter().map(user_to_wire).collect(),
            not_added: done.not_added.into_iter().map(not_added_to_wire).collect(),
            code: done.code.map(|c| c.to_string()).unwrap_or_default(),
        }),
        Answer::Refused(r) => Outcome::Refused(wire::Refused {
            code: r.code as u32,
            detail: r.detail,
            retry_after_ms: r.retry_after_ms.unwrap_or(0),
            errors: r.errors.into_iter().map(fault_to_wire).collect(),
        }),
        Answer::Block(Block { version, blocked }) => {
            Outcome::Block(wire::Blocked { version, blocked: blocked == Blocked::Yes })
        }
        Answer::Read { .. } => Outcome::Members(wire::MembersDone::default()),
    };
    wire::Answer { request_id: uuid_to_wire(request_id), outcome: Some(outcome) }
}

pub fn cursor_to_wire(cursor: &Cursor) -> wire::Cursor {
    let (rows_era, rows_pos) = cursor.rows;
    wire::Cursor {
        lane: u32::from(cursor.lane.0),
        era: cursor.era.0,
        pos: cursor.pos.0,
        rows_era: rows_era.0,
        rows_pos: rows_pos.0,
    }
}

/// How far a peer has taken a lane of this cell.
pub fn cursor_from_wire(peer: CellId, lane: Lane, cursor: &wire::Cursor) -> Cursor {
    let rows = (Era(cursor.rows_era), Pos(cursor.rows_pos));
    Cursor { peer, lane, era: Era(cursor.era), pos: Pos(cursor.pos), rows }
}

fn conversation_to_wire(change: ConversationChange) -> wire::ConversationChange {
    wire::ConversationChange {
        conversation_id: Bytes::copy_from_slice(&change.conversation_id.to_bytes()),
        row: change.row.map(row_to_wire),
        members: change.members.into_iter().map(member_to_wire).collect(),
        messages: change.messages.into_iter().map(message_to_wire).collect(),
    }
}

fn row_to_wire(row: ConversationRow) -> wire::ConversationRow {
    wire::ConversationRow {
        pos: row.pos.0,
        shown_pos: row.shown_pos.0,
        kind: 0,
        title: row.title.map(|t| t.to_string()),
        topic: row.topic.map(|t| t.to_string()),
        created_at_ms: row.created_at.0,
        created_by: row.created_by.map(user_to_wire).unwrap_or_default(),
        member_count: row.member_count,
        seniors: row.seniors.into_iter().map(user_to_wire).collect(),
        code: row.code.map(|c| c.to_string()).unwrap_or_default(),
    }
}

fn member_to_wire(row: MemberRow) -> wire::MemberRow {
    wire::MemberRow {
        user_id: user_to_wire(row.user_id),
        pos: row.pos.0,
        role: row.role as u32,
        joined_seq: row.joined_seq.0,
        left_seq: row.left_seq.map(|s| s.0),
        left_reason: row.left_reason.map_or(0, |r| r as u32),
        joined_at_ms: row.joined_at.0,
    }
}

fn message_to_wire(m: Message) -> wire::Message {
    wire::Message {
        seq: m.seq.0,
        sender_id: user_to_wire(m.sender_id),
        client_message_id: uuid_to_wire(m.client_message_id),
        sent_at_ms: m.sent_at.0,
        text: m.text.to_string(),
    }
}

fn not_added_to_wire(n: NotAdded) -> wire::NotAdded {
    wire::NotAdded { user_id: user_to_wire(n.user_id), code: n.code as u32 }
}

fn fault_to_wire(fault: FieldError) -> wire::FieldAtFault {
    wire::FieldAtFault { field: fault.field, code: fault.code as u32, detail: fault.detail }
}

pub fn user_to_wire(user: UserId) -> Bytes {
    Bytes::copy_from_slice(&user.to_bytes())
}

fn uuid_to_wire(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

// --- from the wire

pub fn change_from_wire(changes: wire::Changes) -> Parsed<Change> {
    Ok(Change {
        lane: lane(changes.lane)?,
        era: Era(changes.era),
        after: Pos(changes.after_pos),
        through: Pos(changes.through_pos),
        conversations: changes.conversations.into_iter().map(conversation_from_wire).collect::<Parsed<_>>()?,
    })
}

pub fn request_from_wire(request: wire::Request, origin: Origin) -> Parsed<Request> {
    use wire::request::Op as W;
    let edit = |t: wire::TextChange| TextChange(t.text.map(Arc::from));
    let op = match request.op.ok_or(Malformed("operation"))? {
        W::Send(s) => Op::Send { client_message_id: uuid(&s.client_message_id)?, text: s.text.into() },
        W::Create(c) => Op::Create {
            title: c.title.map(Arc::from),
            topic: c.topic.map(Arc::from),
            users: users(c.members)?,
            not_added: c.not_added.into_iter().map(not_added_from_wire).collect::<Parsed<_>>()?,
            code: optional(c.code),
        },
        W::Open(o) => Op::Open { peer: user(&o.peer)? },
        W::Add(a) => Op::Add {
            users: users(a.users)?,
            not_added: a.not_added.into_iter().map(not_added_from_wire).collect::<Parsed<_>>()?,
        },
        W::Join(j) => Op::Join { code: j.code.into() },
        W::Leave(_) => Op::Leave,
        W::Remove(r) => Op::Remove { user: user(&r.user)? },
        W::SetRole(s) => Op::SetRole { user: user(&s.user)?, role: Role::from_number(s.role) },
        W::Edit(e) => Op::Edit { title: e.title.map(edit), topic: e.topic.map(edit) },
        W::RenewLink(r) => Op::RenewLink { code: r.code.into() },
        W::Block(b) => Op::Block { peer: user(&b.peer)?, block: block(b.version, b.blocked) },
    };
    Ok(Request {
        request_id: uuid(&request.request_id)?,
        origin,
        conversation_id: conversation(&request.conversation_id)?,
        actor: user(&request.actor)?,
        op,
    })
}

/// `asked`: what the answer is about, where it is still remembered.
pub fn answer_from_wire(answer: wire::Answer, asked: impl Fn(Uuid) -> Option<Request>) -> Parsed<(Uuid, Answer)> {
    use wire::answer::Outcome;
    let id = uuid(&answer.request_id)?;
    let answer = match answer.outcome.ok_or(Malformed("outcome"))? {
        Outcome::Members(done) => Answer::Members(MembersDone {
            created: done.created,
            added: users(done.added)?,
            not_added: done.not_added.into_iter().map(not_added_from_wire).collect::<Parsed<_>>()?,
            code: optional(done.code),
        }),
        Outcome::Block(b) => Answer::Block(block(b.version, b.blocked)),
        Outcome::Refused(r) => Answer::Refused(Refusal {
            code: Code::from_number(r.code),
            detail: r.detail,
            retry_after_ms: (r.retry_after_ms > 0).then_some(r.retry_after_ms),
            errors: r.errors.into_iter().filter_map(fault_from_wire).collect(),
        }),
        Outcome::Sent(sent) => match asked(id) {
            Some(Request { conversation_id, actor, op: Op::Send { client_message_id, text }, .. }) => {
                Answer::Sent(Message {
                    conversation_id,
                    seq: Seq(sent.seq),
                    sender_id: actor,
                    client_message_id,
                    sent_at: Millis(sent.sent_at_ms),
                    text,
                })
            }
            // Settled by its change, or given up: nobody waits for it.
            _ => return Ok((id, Answer::Members(MembersDone::default()))),
        },
    };
    Ok((id, answer))
}

fn block(version: u64, blocked: bool) -> Block {
    Block { version, blocked: if blocked { Blocked::Yes } else { Blocked::No } }
}

fn conversation_from_wire(c: wire::ConversationChange) -> Parsed<ConversationChange> {
    let id = conversation(&c.conversation_id)?;
    Ok(ConversationChange {
        conversation_id: id,
        row: c.row.map(|row| row_from_wire(row, id)).transpose()?,
        members: c.members.into_iter().map(member_from_wire).collect::<Parsed<_>>()?,
        messages: c.messages.into_iter().map(|m| message_from_wire(m, id)).collect::<Parsed<_>>()?,
        cells: Arc::from([]),
    })
}

fn row_from_wire(row: wire::ConversationRow, conversation_id: ConversationId) -> Parsed<ConversationRow> {
    Ok(ConversationRow {
        conversation_id,
        pos: Pos(row.pos),
        shown_pos: Pos(row.shown_pos),
        title: row.title.map(Arc::from),
        topic: row.topic.map(Arc::from),
        created_at: Millis(row.created_at_ms),
        created_by: if row.created_by.is_empty() { None } else { Some(user(&row.created_by)?) },
        member_count: row.member_count,
        seniors: users(row.seniors)?,
        code: optional(row.code),
    })
}

fn member_from_wire(row: wire::MemberRow) -> Parsed<MemberRow> {
    Ok(MemberRow {
        user_id: user(&row.user_id)?,
        pos: Pos(row.pos),
        role: Role::from_number(row.role),
        joined_seq: Seq(row.joined_seq),
        left_seq: row.left_seq.map(Seq),
        left_reason: (row.left_reason > 0).then(|| LeftReason::from_number(row.left_reason)),
        joined_at: Millis(row.joined_at_ms),
    })
}

fn message_from_wire(m: wire::Message, conversation_id: ConversationId) -> Parsed<Message> {
    Ok(Message {
        conversation_id,
        seq: Seq(m.seq),
        sender_id: user(&m.sender_id)?,
        client_message_id: uuid(&m.client_message_id)?,
        sent_at: Millis(m.sent_at_ms),
        text: m.text.into(),
    })
}

fn not_added_from_wire(n: wire::NotAdded) -> Parsed<NotAdded> {
    Ok(NotAdded { user_id: user(&n.user_id)?, code: NotAddedCode::from_number(n.code) })
}

/// One of a newer version is left out; the refusal's own sentence says the same.
fn fault_from_wire(fault: wire::FieldAtFault) -> Option<FieldError> {
    let code = FieldCode::from_number(fault.code)?;
    Some(FieldError { field: fault.field, code, detail: fault.detail })
}

fn optional(text: String) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn lane(number: u32) -> Parsed<Lane> {
    u16::try_from(number).map(Lane).map_err(|_| Malformed("lane"))
}

fn user(bytes: &[u8]) -> Parsed<UserId> {
    UserId::from_bytes(bytes).map_err(|_| Malformed("user id"))
}

fn users(list: Vec<Bytes>) -> Parsed<Vec<UserId>> {
    list.iter().map(|b| user(b)).collect()
}

fn conversation(bytes: &[u8]) -> Parsed<ConversationId> {
    ConversationId::from_bytes(bytes).map_err(|_| Malformed("conversation id"))
}

fn uuid(bytes: &[u8]) -> Parsed<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| Malformed("request or message id"))
}
