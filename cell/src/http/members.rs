//! Members of groups and channels.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use bytes::Bytes;
use skep_core::{Answer as Told, MembersDone, Op};
use skep_protocol::{
    Code, ConversationId, Kind, Millis, Refusal, Role, UserId,
    answers::{Added, Member, Members},
    limits, wire,
};

use super::{
    answer::Answer,
    body::{Fields, invalid},
    caller::{Caller, Named, NamedPair},
    conversations::{entries, must_not_be_direct},
    page::{Asked, cursor},
    people,
};
use crate::{
    context::{Context, failed},
    shell::now,
};

pub(super) async fn list(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
    asked: Asked,
) -> Answer<Json<Members>> {
    must_not_be_direct(&context, caller.user, id).await?;
    let call = format!("members {id}");
    let request = wire::MembersRequest {
        conversation_id: Bytes::copy_from_slice(&id.to_bytes()),
        asker: Bytes::copy_from_slice(&caller.user.to_bytes()),
        after: asked.cursor(&call, caller.user, now())?.unwrap_or_default(),
        limit: asked.limit()? as u32,
    };
    // The home has the whole list; a mirror has only its own people.
    let reply = match context.elsewhere(id.slot())? {
        None => members_here(&context, &request).await?,
        Some(home) => context.peers.members(home.cell_id, request).await?,
    };
    let member = |entry: wire::MemberEntry| {
        let user_id = UserId::from_bytes(&entry.user_id).ok()?;
        Some(Member { user_id, role: Role::from_number(entry.role), joined_at: Millis(entry.joined_at_ms) })
    };
    let next_cursor = (!reply.next.is_empty()).then(|| cursor(&call, caller.user, now(), &reply.next));
    Ok(Json(Members { members: reply.members.into_iter().filter_map(member).collect(), next_cursor }))
}

/// A page of the members of a conversation homed here, for one of them.
pub async fn members_here(context: &Context, request: &wire::MembersRequest) -> Result<wire::MembersReply, Refusal> {
    let unreadable = |_| invalid("an id that cannot be read");
    let id = ConversationId::from_bytes(&request.conversation_id).map_err(unreadable)?;
    let asker = UserId::from_bytes(&request.asker).map_err(unreadable)?;
    match context.shard.member(id, asker).await.map_err(failed)? {
        Some(row) if row.is_current() => {}
        Some(_) => return Err(Refusal::new(Code::NotAllowed, "you are no longer a member of this conversation")),
        None => return Err(Refusal::new(Code::NotFound, "there is no such conversation")),
    }
    let after = match request.after.as_str() {
        "" => None,
        position => Some(place_of(position).ok_or_else(super::page::stale)?),
    };
    let limit = request.limit.clamp(1, limits::PAGE) as usize;
    let mut rows = context.shard.members_page(id, after, limit + 1).await.map_err(failed)?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|row| format!("{}.{}", row.joined_at.0, row.user_id)).unwrap_or_default();
    let members = rows.iter().map(|row| wire::MemberEntry {
        user_id: Bytes::copy_from_slice(&row.user_id.to_bytes()),
        role: row.role as u32,
        joined_at_ms: row.joined_at.0,
    });
    Ok(wire::MembersReply { members: members.collect(), next })
}

fn place_of(position: &str) -> Option<(Millis, UserId)> {
    let (at, user) = position.split_once('.')?;
    Some((Millis(at.parse().ok()?), user.parse().ok()?))
}

pub(super) async fn add(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
    mut fields: Fields,
) -> Answer<Json<Added>> {
    must_not_be_direct(&context, caller.user, id).await?;
    let users = fields.people("user_ids", Some(caller.user));
    fields.finish()?;
    let (users, not_added) = people::addable(&context, caller.user, &users.unwrap_or_default()).await?;
    // Asked even when nobody is left: whether the caller may add, and who is a member already, is the home's to say.
    let done = done(&context, caller.user, id, Op::Add { users, not_added }).await?;
    Ok(Json(Added { added: done.added, not_added: entries(done.not_added) }))
}

pub(super) async fn set_role(
    State(context): State<Arc<Context>>,
    caller: Caller,
    NamedPair(id, user): NamedPair<ConversationId, UserId>,
    mut fields: Fields,
) -> Answer<StatusCode> {
    must_not_be_direct(&context, caller.user, id).await?;
    let role = fields.required::<Role>("role");
    fields.finish()?;
    let role = role.ok_or_else(|| invalid("role is needed"))?;
    done(&context, caller.user, id, Op::SetRole { user, role }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes somebody, or leaves: `me`, or one's own id. A direct conversation is hidden.
pub(super) async fn remove(
    State(context): State<Arc<Context>>,
    caller: Caller,
    NamedPair(id, who): NamedPair<ConversationId, String>,
) -> Answer<StatusCode> {
    let nothing = |_| Refusal::new(Code::NotFound, "there is nothing of this id");
    let user: UserId = if who == "me" { caller.user } else { who.parse().map_err(nothing)? };
    if id.kind() == Kind::Direct && user == caller.user {
        context.ask(caller.user, id, Op::Hide).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    must_not_be_direct(&context, caller.user, id).await?;
    let op = if user == caller.user { Op::Leave } else { Op::Remove { user } };
    done(&context, caller.user, id, op).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn done(context: &Context, user: UserId, id: ConversationId, op: Op) -> Result<MembersDone, Refusal> {
    match context.ask(user, id, op).await? {
        Told::Members(done) => Ok(done),
        _ => Err(Refusal::new(Code::Internal, "the answer was not about members")),
    }
}
