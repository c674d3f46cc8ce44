//! Sending and reading.

use skep_protocol::{
    Code, Seq,
    answers::{Messages, Started},
};

use super::{conversation, conversations::NEVER_IN, get, limit, parameter, post};
use crate::{
    call::{Call, Content, Group, In, Rate, Shape},
    example,
    requests::{OpenAndSend, Send},
};

const TEXT: &str = "The lime trees are in flower";

pub(super) fn calls() -> Vec<Call> {
    vec![
        get("/v1/conversations/{id}/messages", "listMessages", Group::Messages)
            .says(
                "Read messages",
                "`before` gives the newest below it, `after` the oldest above it, neither the newest. Former members \
                 still read what came up to their leaving. Beyond an end a page is empty. A page may hold fewer than \
                 `limit`, but never none while `has_more`.",
            )
            .with(conversation())
            .with(parameter(In::Query, "before", "Below this seq. Not together with `after`.", Shape::of::<Seq>().example("seq", 17)))
            .with(parameter(In::Query, "after", "Above this seq. Not together with `before`.", Shape::of::<Seq>()))
            .with(limit())
            .gives(200, "A page of messages, ascending.", Content::json(Messages { messages: vec![example::message()], has_more: true }))
            .refuses(Code::NotFound, NEVER_IN),
        post("/v1/conversations/{id}/messages", "sendMessage", Group::Messages)
            .says("Send", "Answered when it is durable. The same `client_message_id` again is the same message: retrying is always safe.")
            .counted_as(Rate::Messages)
            .with(conversation())
            .taking(Content::json(Send { client_message_id: example::message_id(), text: TEXT.to_owned() }))
            .gives(201, "It is sent.", Content::json(example::message()))
            .gives(200, "It was sent before.", Content::json(example::message()))
            .refuses(Code::NotAllowed, "The caller is no longer a member, or one of the two blocks the other.")
            .refuses(Code::NotFound, NEVER_IN)
            .refuses(Code::Conflict, "The `client_message_id` was used by somebody else, or for another text."),
        post("/v1/messages", "openAndSend", Group::Messages)
            .says(
                "Write to people",
                "Opens and sends in one call: with one person their direct conversation, with more a new group. The \
                 same `client_message_id` again gives the same ones.",
            )
            .counted_as(Rate::Messages)
            .taking(Content::json(OpenAndSend { user_ids: vec![example::ben(), example::carol()], text: TEXT.to_owned(), client_message_id: example::message_id() }))
            .gives(201, "It is sent.", Content::json(Started { conversation: example::group(), message: example::message(), not_added: Vec::new() }))
            .gives(200, "It was sent before.", Content::json(Started { conversation: example::group(), message: example::message(), not_added: Vec::new() }))
            .refuses(Code::NotAllowed, "None of these people can be written to, or the caller is no longer a member of what the id has made.")
            .refuses(Code::Conflict, "The `client_message_id` was used by somebody else, or for another text.")
            .refuses(Code::LimitReached, "The caller is in 10,000 conversations."),
    ]
}
