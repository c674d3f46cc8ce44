//! Conversations and members by the hundred, at their homes: each is the request to its lane that a person's own call
//! would be, and the lane commits what comes together in large batches.

use std::collections::HashSet;

use futures_util::{StreamExt as _, future::join_all};
use skep_core::{Answer, NotAdded, Op};
use skep_protocol::{
    Code, ConversationId, Kind, Refusal, Role, UserId, answers::NotAddedCode, check_title, check_topic, wire,
};
use wire::import_outcome::Outcome;

use crate::{
    context::{Context, failed, unavailable},
    http::new_code,
};

/// More of them in one call would fill the lanes' queues.
pub const CONVERSATIONS_PER_CALL: usize = 1_000;
/// Conversations of one call that are made at once. Each is looked up first, on connections that people's messages
/// need too; as many more would wait for one longer than they may.
const AT_ONCE: usize = 32;
/// People of one call.
pub const MEMBERS_PER_CALL: usize = 5_000;
/// People of one request to a lane: some 1,500 rows, so that it fills a batch and no more.
const MEMBERS_PER_REQUEST: usize = 500;

// === conversations ===

/// Makes those that are not there. One outcome for each.
pub(super) async fn import(
    context: &Context,
    conversations: Vec<wire::ImportConversation>,
) -> Result<Vec<Outcome>, Refusal> {
    if conversations.len() > CONVERSATIONS_PER_CALL {
        return Err(Refusal::new(Code::TooLarge, format!("at most {CONVERSATIONS_PER_CALL} conversations a call")));
    }
    let made = conversations.into_iter().map(async |conversation| match make(context, conversation).await {
        Ok(true) => Outcome::Made(wire::Made::default()),
        Ok(false) => Outcome::Existed(wire::Done {}),
        Err(refusal) => Outcome::Refused(wire::Refused {
            code: refusal.code as u32,
            detail: refusal.detail,
            retry_after_ms: 0,
            errors: Vec::new(),
        }),
    });
    Ok(futures_util::stream::iter(made).buffered(AT_ONCE).collect().await)
}

/// Whether it was made now.
async fn make(context: &Context, wanted: wire::ImportConversation) -> Result<bool, Refusal> {
    let invalid = |detail: &str| Refusal::new(Code::Invalid, detail);
    let id = ConversationId::from_bytes(&wanted.conversation_id).map_err(|e| invalid(&e.to_string()))?;
    must_be_home(context, id)?;
    let creator = UserId::from_bytes(&wanted.creator).map_err(|e| invalid(&e.to_string()))?;
    if let Some(title) = &wanted.title {
        check_title(title).map_err(|issue| invalid(issue.detail))?;
    }
    if let Some(topic) = &wanted.topic {
        check_topic(topic).map_err(|issue| invalid(issue.detail))?;
    }
    let op = match id.kind() {
        Kind::Direct => {
            let peer = wanted.members.first().and_then(|bytes| UserId::from_bytes(bytes).ok());
            Op::Open { peer: peer.ok_or_else(|| invalid("a direct conversation is between two people"))? }
        }
        kind => {
            if kind == Kind::Channel && wanted.title.is_none() {
                return Err(invalid("a channel has a title"));
            }
            let code = (kind == Kind::Channel).then(|| new_code(id).into());
            let (title, topic) = (wanted.title.map(Into::into), wanted.topic.map(Into::into));
            let users = people(&wanted.members)?.into_iter().filter(|user| *user != creator).collect();
            Op::Create { title, topic, users, not_added: Vec::new(), code }
        }
    };
    match context.hub.ask(creator, id, op).await.0 {
        Answer::Members(done) => Ok(done.created),
        Answer::Refused(refusal) if refusal.code == Code::Conflict => {
            Err(Refusal::new(Code::Conflict, "it was made by somebody else"))
        }
        Answer::Refused(refusal) => Err(refusal),
        _ => Err(Refusal::new(Code::Internal, "the answer was not about members")),
    }
}

// === members ===

/// Adds those who have never been in it. Who left or was removed stays out: an import undoes nothing that people did.
pub(super) async fn add(
    context: &Context,
    request: &wire::ImportMembersRequest,
) -> Result<wire::ImportMembersReply, Refusal> {
    let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
    if request.members.len() > MEMBERS_PER_CALL {
        return Err(Refusal::new(Code::TooLarge, format!("at most {MEMBERS_PER_CALL} people a call")));
    }
    let id = ConversationId::from_bytes(&request.conversation_id).map_err(|e| invalid(e.to_string()))?;
    must_be_home(context, id)?;
    let users = people(&request.members)?;
    let known = context.shard.known_members(id, &users).await.map_err(failed)?;
    let new: Vec<UserId> = users.iter().copied().filter(|user| !known.contains(user)).collect();
    let mut reply = wire::ImportMembersReply { existed: known.len() as u32, ..wire::ImportMembersReply::default() };
    // Whoever may add people: nobody is there once all have left.
    let admin = context.shard.an_admin(id).await.map_err(failed)?;
    let admin = admin.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such conversation"))?;
    let asked = new.chunks(MEMBERS_PER_REQUEST).map(async |users| {
        let op = Op::Add { users: users.to_vec(), not_added: Vec::new() };
        context.hub.ask(admin, id, op).await.0
    });
    let mut added = Vec::new();
    for answer in join_all(asked).await {
        match answer {
            Answer::Members(done) => {
                added.extend(done.added);
                reply.not_added.extend(done.not_added.into_iter().map(not_added));
            }
            Answer::Refused(refusal) => return Err(refusal),
            _ => return Err(Refusal::new(Code::Internal, "the answer was not about members")),
        }
    }
    reply.added = added.len() as u32;
    if request.role == Role::Admin as u32 {
        // Also those whom a call that broke off in the middle had only added.
        promote(context, id, admin, users).await?;
    }
    Ok(reply)
}

async fn promote(context: &Context, id: ConversationId, admin: UserId, users: Vec<UserId>) -> Result<(), Refusal> {
    let asked = users.into_iter().map(async |user| {
        let op = Op::SetRole { user, role: Role::Admin };
        context.hub.ask(admin, id, op).await.0
    });
    for answer in join_all(asked).await {
        match answer {
            // Who is no member any more is left in peace.
            Answer::Refused(refusal) if refusal.code != Code::NotFound => return Err(refusal),
            _ => {}
        }
    }
    Ok(())
}

fn must_be_home(context: &Context, id: ConversationId) -> Result<(), Refusal> {
    if context.owns(id.slot()) { Ok(()) } else { Err(unavailable("another cell is the home of this conversation now")) }
}

/// Each once.
fn people(ids: &[bytes::Bytes]) -> Result<Vec<UserId>, Refusal> {
    let mut seen = HashSet::new();
    let user = |bytes: &bytes::Bytes| UserId::from_bytes(bytes).map_err(|e| Refusal::new(Code::Invalid, e.to_string()));
    let users: Vec<UserId> = ids.iter().map(user).collect::<Result<_, _>>()?;
    Ok(users.into_iter().filter(|user| seen.insert(*user)).collect())
}

fn not_added(not_added: NotAdded) -> wire::NotAdded {
    let NotAdded { user_id, code } = not_added;
    wire::NotAdded { user_id: bytes::Bytes::copy_from_slice(&user_id.to_bytes()), code: number(code) }
}

fn number(code: NotAddedCode) -> u32 {
    code as u32
}
