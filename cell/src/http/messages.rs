//! Messages over HTTP: pages of them, and sending.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use skep_core::{Answer as Told, Op};
use skep_protocol::{
    ClientMessageId, Code, ConversationId, FieldCode, Kind, Message, Refusal, UserId,
    answers::{Messages, NotAddedCode, Started},
    check_text,
};

use super::{
    answer::Answer,
    body::{Fields, invalid},
    caller::{Caller, Named},
    conversations::{MadeConversation, Wanted, bits, entries, is_made, make_of, open_direct},
    page::Asked,
    people,
};
use crate::{
    context::{Context, unavailable},
    history::{self, PageAsked},
    shell::AnsweredBy,
};

pub(super) async fn page(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
    asked: Asked,
) -> Answer<Json<Messages>> {
    let asked = PageAsked { before: asked.before()?, after: asked.after()?, limit: asked.limit()? };
    let history::Page { messages, has_more } = history::page(&context, caller.user, id, asked).await?;
    Ok(Json(Messages { messages, has_more }))
}

pub(super) async fn send(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
    mut fields: Fields,
) -> Answer<(StatusCode, Json<Message>)> {
    let client_message_id = fields.required::<ClientMessageId>("client_message_id");
    let text = fields.needed_text("text", check_text);
    fields.finish()?;
    let (message, status) = sent(&context, caller.user, id, client_message_id.unwrap_or_default(), text).await?;
    Ok((status, Json(message)))
}

/// Opens the conversation with these people, and sends, in one call. The same id again gives the same again.
pub(super) async fn open_and_send(
    State(context): State<Arc<Context>>,
    caller: Caller,
    mut fields: Fields,
) -> Answer<(StatusCode, Json<Started>)> {
    let users = fields.people("user_ids", Some(caller.user));
    let text = fields.needed_text("text", check_text);
    let client_message_id = fields.required::<ClientMessageId>("client_message_id");
    if users.as_ref().is_some_and(Vec::is_empty) {
        fields.fault("user_ids", FieldCode::TooShort, "user_ids names at least one other person");
    }
    fields.finish()?;
    let (users, client_message_id) = (users.unwrap_or_default(), client_message_id.unwrap_or_default());
    let (id, not_added) = match users.as_slice() {
        [peer] => {
            let opened = open_direct(&context, caller.user, *peer).await.map_err(|refusal| match refusal.code {
                Code::NotFound => nobody(),
                _ => refusal,
            })?;
            (opened.0.row.conversation_id, Vec::new())
        }
        _ => {
            let bits = bits(caller.user, Some(client_message_id.as_bytes()));
            let made = make_with(&context, caller.user, &users, bits).await?;
            (made.place.row.conversation_id, made.not_added)
        }
    };
    let (message, status) = sent(&context, caller.user, id, client_message_id, text).await?;
    let place = history::place(&context, caller.user, id).await?;
    let conversation = place.member.view(&place.row, place.head);
    Ok((status, Json(Started { conversation, message, not_added: entries(not_added) })))
}

/// A new group of those who can be reached. Nothing is made where that is nobody.
async fn make_with(
    context: &Context,
    user: UserId,
    others: &[UserId],
    bits: u128,
) -> Result<MadeConversation, Refusal> {
    let is_made = is_made(context, user, Kind::Group, bits).await?;
    let (there, not_added) =
        if is_made { (Vec::new(), Vec::new()) } else { people::addable(context, user, others).await? };
    if !is_made {
        people::must_have_room(context, user).await?;
    }
    if there.is_empty() && !is_made {
        let may_come_back = not_added.iter().any(|not_added| not_added.code == NotAddedCode::Unavailable);
        let later = || unavailable("none of these people can be reached at the moment; trying again is safe");
        return Err(if may_come_back { later() } else { nobody() });
    }
    let wanted = Wanted { title: None, topic: None, users: there, bits };
    make_of(context, user, Kind::Group, wanted, not_added).await
}

async fn sent(
    context: &Context,
    user: UserId,
    id: ConversationId,
    client_message_id: ClientMessageId,
    text: Option<String>,
) -> Result<(Message, StatusCode), Refusal> {
    let text = text.ok_or_else(|| invalid("text is needed"))?;
    let (told, by) = context.ask_by(user, id, Op::Send { client_message_id, text: text.into() }).await?;
    let status = if by == AnsweredBy::Words { StatusCode::OK } else { StatusCode::CREATED };
    match told {
        Told::Sent(message) => Ok((message, status)),
        _ => Err(Refusal::new(Code::Internal, "the answer was not about a message")),
    }
}

fn nobody() -> Refusal {
    Refusal::new(Code::NotAllowed, "none of these people can be written to")
}
