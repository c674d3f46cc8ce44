//! The links by which people join channels. A code begins with the slot of its channel, so everybody finds its home.

use std::sync::Arc;

use axum::{Json, extract::State};
use bytes::Bytes;
use skep_core::{Answer as Told, ConversationRow, Op};
use skep_protocol::{
    Code, Conversation, ConversationId, Kind, Refusal, Slot,
    answers::{Link, LinkPreview},
    url_text, wire,
};
use wire::link_request::By;

use super::{
    answer::Answer,
    body::invalid,
    caller::{Caller, Named, must_own},
    conversations::{member_place, member_view},
    people,
};
use crate::context::Context;

/// Letters of a code behind the slot, and the random bytes that they hold.
const LETTERS: usize = 20;
const RANDOM: usize = 15;

/// The link of a code, as people are given it.
pub(super) fn link_of(context: &Context, code: String) -> Link {
    Link { url: format!("{}/c/{code}", context.config.public_url.trim_end_matches('/')), code }
}

/// A fresh code for a channel.
pub fn new_code(id: ConversationId) -> String {
    format!("{:04x}{}", id.slot().0, url_text(&rand::random::<[u8; RANDOM]>()))
}

/// The slot of the channel that a code leads to.
fn slot_of(code: &str) -> Result<Slot, Refusal> {
    let is_code =
        code.len() == 4 + LETTERS && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let slot = code.get(..4).filter(|_| is_code);
    slot.and_then(|hex| u16::from_str_radix(hex, 16).ok()).map(Slot).ok_or_else(dead)
}

pub(super) async fn of_conversation(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
) -> Answer<Json<Link>> {
    member_place(&context, caller.user, id).await?;
    if id.kind() != Kind::Channel {
        return Err(invalid("only channels have a link").into());
    }
    let code = match context.elsewhere(id.slot())? {
        None => context.shard.conversation(id).await?.and_then(|row| row.code).map(|code| code.to_string()),
        Some(home) => {
            let by = By::ConversationId(Bytes::copy_from_slice(&id.to_bytes()));
            Some(context.peers.link(home.cell_id, by).await?.code)
        }
    };
    Ok(Json(link_of(&context, code.ok_or_else(dead)?)))
}

pub(super) async fn renew(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(id): Named<ConversationId>,
) -> Answer<Json<Link>> {
    if id.kind() != Kind::Channel {
        member_place(&context, caller.user, id).await?;
        return Err(invalid("only channels have a link").into());
    }
    match context.ask(caller.user, id, Op::RenewLink { code: new_code(id).into() }).await? {
        Told::Members(done) => Ok(Json(link_of(&context, done.code.ok_or_else(dead)?.to_string()))),
        _ => Err(Refusal::new(Code::Internal, "the answer was not about a link").into()),
    }
}

pub(super) async fn preview(
    State(context): State<Arc<Context>>,
    Named(code): Named<String>,
) -> Answer<Json<LinkPreview>> {
    must_own(&context, slot_of(&code)?)?;
    let row = context.shard.link(&code).await?.ok_or_else(dead)?;
    Ok(Json(LinkPreview {
        conversation_id: row.conversation_id,
        title: row.title.as_deref().map(str::to_owned),
        topic: row.topic.as_deref().map(str::to_owned),
        member_count: row.member_count,
    }))
}

pub(super) async fn join(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(code): Named<String>,
) -> Answer<Json<Conversation>> {
    let id = match context.elsewhere(slot_of(&code)?)? {
        None => context.shard.link(&code).await?.ok_or_else(dead)?.conversation_id,
        Some(home) => {
            let reply = context.peers.link(home.cell_id, By::Code(code.clone())).await?;
            ConversationId::from_bytes(&reply.conversation_id).map_err(|_| dead())?
        }
    };
    // A member already needs none.
    if member_place(&context, caller.user, id).await.is_err() {
        people::must_have_room(&context, caller.user).await?;
    }
    context.ask(caller.user, id, Op::Join { code: code.into() }).await?;
    Ok(Json(member_view(&context, caller.user, id).await?))
}

/// A link as other cells are told of it.
pub fn link_reply(row: ConversationRow) -> Result<wire::LinkReply, Refusal> {
    let code = row.code.ok_or_else(dead)?;
    Ok(wire::LinkReply {
        conversation_id: Bytes::copy_from_slice(&row.conversation_id.to_bytes()),
        title: row.title.as_deref().map(str::to_owned),
        topic: row.topic.as_deref().map(str::to_owned),
        member_count: row.member_count,
        code: code.to_string(),
    })
}

fn dead() -> Refusal {
    Refusal::new(Code::NotFound, "this link leads nowhere: ask for a new one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leads_to_its_slot() {
        let id = ConversationId::channel(12_345);
        let code = new_code(id);
        assert_eq!(code.len(), 24);
        assert_eq!(slot_of(&code), Ok(id.slot()));
        for bad in [
            "",
            "zzzz",
            &code[1..],
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "0000\0aaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(slot_of(bad).is_err(), "{bad}");
        }
    }
}
