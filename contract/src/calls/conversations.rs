//! Making, listing and changing conversations.

use schemars::{Schema, SchemaGenerator, json_schema};
use skep_protocol::{
    Code, Seq,
    answers::{ListedConversations, Made, NotAddedCode, NotAddedEntry, ReadMark, WithLastMessage},
};

use super::{conversation, cursor, get, limit, parameter, patch, post, put};
use crate::{
    call::{Call, Content, Group::Conversations, In, Shape},
    example,
    requests::{CreateConversation, EditConversation, MarkRead},
};

/// What is refused of a conversation that one is not in.
pub(super) const NEVER_IN: &str = "There is no such conversation, or the caller was never in it: both look the same.";
pub(super) const NO_LONGER: &str = "The caller is no longer a member.";

pub(super) fn calls() -> Vec<Call> {
    vec![
        post("/v1/conversations", "createConversation", Conversations)
            .says(
                "Open a conversation",
                "A direct one is there once for ever: asked for again, it is given back. Others are made anew, unless \
                 an Idempotency-Key was used before. Adding needs no consent; who could not be added is named with the \
                 reason.",
            )
            .with(parameter(In::Header, "Idempotency-Key", "1 to 64 visible characters. The same key of the same person gives the conversation that it has made, as it is now.", Shape { schema: key, examples: Vec::new() }.example("key", "4d7a21c0")))
            .taking(Content::Json(
                Shape::like(CreateConversation::Direct { user_id: example::ben() })
                    .example("group", CreateConversation::Group { title: None, user_ids: vec![example::ben(), example::carol()] })
                    .example("channel", CreateConversation::Channel {
                        title: "Beekeeping".to_owned(),
                        topic: Some("What blooms, and where".to_owned()),
                        user_ids: None,
                    }),
            ))
            .gives(201, "It is made.", Content::json(Made {
                conversation: example::channel(),
                link: Some(example::link()),
                not_added: vec![NotAddedEntry { user_id: example::ben(), code: NotAddedCode::Unavailable }],
            }))
            .gives(200, "It was there: the direct conversation, or the one of this key.", Content::json(Made { conversation: example::group(), link: None, not_added: Vec::new() }))
            .refuses(Code::NotFound, "For a direct conversation: there is nobody of this id.")
            .refuses(Code::NotAllowed, "For a direct conversation: one of the two blocks the other. For a key: the caller has left what it made.")
            .refuses(Code::Conflict, "The key made something else.")
            .refuses(Code::LimitReached, "The caller is in 10,000 conversations."),
        get("/v1/conversations", "listConversations", Conversations)
            .says("One's conversations", "The most recently active first, each with its newest message.")
            .with(limit())
            .with(cursor())
            .gives(200, "A page of conversations.", Content::json(ListedConversations {
                conversations: vec![WithLastMessage { conversation: example::group(), last_message: Some(example::message()) }],
                next_cursor: None,
            })),
        get("/v1/conversations/{id}", "getConversation", Conversations)
            .says("A conversation", "As the caller sees it.")
            .with(conversation())
            .gives(200, "The conversation.", Content::json(example::group()))
            .refuses(Code::NotAllowed, NO_LONGER)
            .refuses(Code::NotFound, NEVER_IN),
        patch("/v1/conversations/{id}", "editConversation", Conversations)
            .says("Change title or topic", "Admins only. What is absent stays; null clears the title of a group, or the topic.")
            .with(conversation())
            .taking(Content::json(EditConversation { title: Some("Beekeeping".to_owned()), topic: None }))
            .gives(200, "The conversation as it is now.", Content::json(example::channel()))
            .refuses(Code::NotAllowed, "The caller is no admin, or no longer a member.")
            .refuses(Code::NotFound, NEVER_IN),
        put("/v1/conversations/{id}/read", "markRead", Conversations)
            .says("Mark as read", "Up to this message. Private: others do not see it. It never goes back.")
            .with(conversation())
            .taking(Content::json(MarkRead { seq: Seq(17) }))
            .gives(200, "How far one has read now.", Content::json(ReadMark { read_seq: Seq(17), unread: 0 }))
            .refuses(Code::NotAllowed, NO_LONGER)
            .refuses(Code::NotFound, NEVER_IN),
    ]
}

fn key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[\\x21-\\x7e]+$"})
}
