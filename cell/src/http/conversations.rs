//! Making, listing and changing conversations.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use sha2::{Digest, Sha256};
use skep_core::{Answer as Told, NotAdded, Op, TextChange};
use skep_protocol::{
    Code, Conversation, ConversationId, FieldCode, Kind, Millis, Refusal, Seq, UserId,
    answers::{ListedConversations, Made, NotAddedEntry, ReadMark, WithLastMessage},
    check_title, check_topic,
};

use super::{
    answer::Answer,
    body::{Fields, invalid},
    caller::{Caller, Named},
    links::{link_of, new_code},
    page::{Asked, cursor, stale},
    people,
};
use crate::{
    context::{Context, failed},
    history::place,
    shell::now,
    storage::{Activity, ListedConversation, Place},
};

/// Those who were not added, as the caller is told.
pub(super) fn entries(not_added: Vec<NotAdded>) -> Vec<NotAddedEntry> {
    not_added.into_iter().map(|NotAdded { user_id, code }| NotAddedEntry { user_id, code }).collect()
}

// === making ===

pub(super) async fn create(
    State(context): State<Arc<Context>>,
    caller: Caller,
    headers: HeaderMap,
    mut fields: Fields,
) -> Answer<(StatusCode, Json<Made>)> {
    let key = idempotency_key(&headers)?;
    match fields.required::<Kind>("kind") {
        Some(Kind::Direct) => {
            let peer = fields.required::<UserId>("user_id");
            if peer == Some(caller.user) {
                fields.fault("user_id", FieldCode::Format, "a direct conversation is with somebody else");
            }
            fields.finish()?;
            let peer = peer.ok_or_else(|| invalid("user_id is needed"))?;
            let (opened, created) = open_direct(&context, caller.user, peer).await?;
            let conversation = opened.member.view(&opened.row, opened.head);
            Ok((made_status(created), Json(Made { conversation, link: None, not_added: Vec::new() })))
        }
        Some(kind) => {
            let is_channel = kind == Kind::Channel;
            let title =
                if is_channel { fields.needed_text("title", check_title) } else { fields.text("title", check_title) };
            let topic = if is_channel { fields.text("topic", check_topic) } else { None };
            let users = if is_channel {
                fields.optional_people("user_ids", Some(caller.user))
            } else {
                fields.people("user_ids", Some(caller.user))
            };
            fields.finish()?;
            let wanted =
                Wanted { title, topic, users: users.unwrap_or_default(), bits: bits(caller.user, key.as_deref()) };
            let made = make(&context, caller.user, kind, wanted).await?;
            let conversation = made.place.member.view(&made.place.row, made.place.head);
            let link = made.code.map(|code| link_of(&context, code));
            Ok((made_status(made.created), Json(Made { conversation, link, not_added: entries(made.not_added) })))
        }
        None => Err(fields.finish().err().unwrap_or_else(|| invalid("kind is needed")).into()),
    }
}

/// Opens the direct conversation with somebody who exists, and shows it again where it was hidden.
pub(super) async fn open_direct(context: &Context, user: UserId, peer: UserId) -> Result<(Place, bool), Refusal> {
    people::must_exist(context, user, peer).await?;
    let id = ConversationId::direct(user, peer);
    if context.shard.membership(user, id).await.map_err(failed)?.is_none() {
        people::must_have_room(context, user).await?;
    }
    let created = match context.ask(user, id, Op::Open { peer }).await? {
        Told::Members(done) => done.created,
        _ => false,
    };
    let mut opened = place(context, user, id).await?;
    if opened.member.hidden_seq.is_some() {
        context.ask(user, id, Op::Unhide).await?;
        opened = place(context, user, id).await?;
    }
    Ok((opened, created))
}

/// A group or a channel to be made.
pub(super) struct Wanted {
    pub title: Option<String>,
    pub topic: Option<String>,
    pub users: Vec<UserId>,
    pub bits: u128,
}

/// What was made, or was there already by the same key.
pub(super) struct MadeConversation {
    pub place: Place,
    pub created: bool,
    pub code: Option<String>,
    pub not_added: Vec<NotAdded>,
}

pub(super) async fn make(
    context: &Context,
    creator: UserId,
    kind: Kind,
    wanted: Wanted,
) -> Result<MadeConversation, Refusal> {
    // What this key has made already is given back, whoever can be reached now: the home kept who was not added.
    let (users, not_added) = if is_made(context, creator, kind, wanted.bits).await? {
        (Vec::new(), Vec::new())
    } else {
        people::must_have_room(context, creator).await?;
        people::addable(context, creator, &wanted.users).await?
    };
    make_of(context, creator, kind, Wanted { users, ..wanted }, not_added).await
}

/// Whether this key has made a conversation already.
pub(super) async fn is_made(context: &Context, creator: UserId, kind: Kind, bits: u128) -> Result<bool, Refusal> {
    let id = if kind == Kind::Channel { ConversationId::channel(bits) } else { ConversationId::group(bits) };
    match place(context, creator, id).await {
        Ok(_) => Ok(true),
        Err(refusal) if refusal.code == Code::NotFound => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

/// The same, of people who were found to exist.
pub(super) async fn make_of(
    context: &Context,
    creator: UserId,
    kind: Kind,
    wanted: Wanted,
    not_added: Vec<NotAdded>,
) -> Result<MadeConversation, Refusal> {
    let Wanted { title, topic, users, bits } = wanted;
    let (id, code) = match kind {
        Kind::Channel => {
            let id = ConversationId::channel(bits);
            (id, Some(new_code(id)))
        }
        _ => (ConversationId::group(bits), None),
    };
    let (title, topic) = (title.map(Into::into), topic.map(Into::into));
    let op = Op::Create { title, topic, users, not_added, code: code.map(Into::into) };
    let Told::Members(done) = context.ask(creator, id, op).await? else {
        return Err(Refusal::new(Code::Internal, "the answer was not about members"));
    };
    let not_added = done.not_added;
    let code = done.code.map(|code| code.to_string());
    Ok(MadeConversation { place: place(context, creator, id).await?, created: done.created, code, not_added })
}

/// 108 bits for a new conversation: of the creator's key, so that the same key is the same conversation, or at random.
pub(super) fn bits(user: UserId, key: Option<&[u8]>) -> u128 {
    match key {
        None => rand::random(),
        Some(key) => {
            let digest = Sha256::new().chain_update(user.to_bytes()).chain_update([0]).chain_update(key).finalize();
            let first: [u8; 16] = std::array::from_fn(|i| digest[i]);
            u128::from_be_bytes(first)
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.as_bytes();
    if (1..=64).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic) {
        Ok(Some(key.to_vec()))
    } else {
        Err(invalid("Idempotency-Key has 1 to 64 visible characters"))
    }
}

fn made_status(created: bool) -> StatusCode {
    if created { StatusCode::CREATED } else { StatusCode::OK }
}

// === reading ===

pub(super) async fn list(
    State(context): State<Arc<Context>>,
    caller: Caller,
    asked: Asked,
) -> Answer<Json<ListedConversations>> {
    let limit = asked.limit()?;
    let after = asked.cursor("conversations", caller.user, now())?;
    let after = after.map(|position| activity_of(&position).ok_or_else(stale)).transpose()?;
    context.hub.barrier().await?;
    let mut found = context.shard.conversations_of(caller.user, after, limit + 1).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more).map(|last| last.activity);
    let next_cursor = last
        .map(|last| cursor("conversations", caller.user, now(), &format!("{}.{}", last.at.0, last.conversation_id)));
    let conversations = found.into_iter().map(|ListedConversation { place, last_message, .. }| WithLastMessage {
        conversation: place.member.view(&place.row, place.head),
        last_message,
    });
    Ok(Json(ListedConversations { conversations: conversations.collect(), next_cursor }))
}

fn activity_of(position: &str) -> Option<Activity> {
    let (at, id) = position.split_once('.')?;
    Some(Activity { at: Millis(at.parse().ok()?), conversation_id: id.parse().ok()? })
}

pub(super) async fn one(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
) -> Answer<Json<Conversation>> {
    Ok(Json(member_view(&context, caller.user, id).await?))
}

/// A conversation as one of its present members sees it.
pub(super) async fn member_view(context: &Context, user: UserId, id: ConversationId) -> Result<Conversation, Refusal> {
    let place = member_place(context, user, id).await?;
    Ok(place.member.view(&place.row, place.head))
}

/// The place of a present member. Who was one once is told so.
pub(super) async fn member_place(context: &Context, user: UserId, id: ConversationId) -> Result<Place, Refusal> {
    let place = place(context, user, id).await?;
    if place.member.left_seq.is_some() {
        return Err(Refusal::new(Code::NotAllowed, "you are no longer a member of this conversation"));
    }
    Ok(place)
}

/// The same, of a conversation that has members to speak of.
pub(super) async fn must_not_be_direct(context: &Context, user: UserId, id: ConversationId) -> Result<(), Refusal> {
    if id.kind() == Kind::Direct {
        member_place(context, user, id).await?;
        return Err(invalid("a direct conversation has just its two people: no title, members, roles or link"));
    }
    Ok(())
}

// === changing ===

pub(super) async fn edit(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
    mut fields: Fields,
) -> Answer<Json<Conversation>> {
    must_not_be_direct(&context, caller.user, id).await?;
    let mut change = |name: &str, check: fn(&str) -> Result<(), skep_protocol::FieldIssue>| {
        let text = fields.nullable::<String>(name)?;
        if let Some(text) = &text {
            fields.checked(name, check(text))?;
        }
        Some(TextChange(text.map(Into::into)))
    };
    let (title, topic) = (change("title", check_title), change("topic", check_topic));
    if id.kind() == Kind::Channel && title == Some(TextChange(None)) {
        fields.fault("title", FieldCode::Required, "a channel always has a title");
    }
    if id.kind() == Kind::Group && topic.as_ref().is_some_and(|topic| topic.0.is_some()) {
        fields.fault("topic", FieldCode::Format, "a group has no topic");
    }
    fields.finish()?;
    context.ask(caller.user, id, Op::Edit { title, topic }).await?;
    Ok(Json(member_view(&context, caller.user, id).await?))
}

pub(super) async fn read(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
    mut fields: Fields,
) -> Answer<Json<ReadMark>> {
    let seq = fields.required::<Seq>("seq");
    fields.finish()?;
    match context.ask(caller.user, id, Op::Read { seq: seq.unwrap_or_default() }).await? {
        Told::Read { read_seq, unread } => Ok(Json(ReadMark { read_seq, unread })),
        _ => Err(Refusal::new(Code::Internal, "the answer was not about a read mark").into()),
    }
}
