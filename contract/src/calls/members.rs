//! Who is in a group or a channel.

use schemars::{Schema, SchemaGenerator, json_schema};
use skep_protocol::{
    Code, Role, UserId,
    answers::{Added, Member, Members, NotAddedCode, NotAddedEntry},
};

use super::{
    conversation,
    conversations::{NEVER_IN, NO_LONGER},
    cursor, delete, get, limit, parameter, patch, person, post,
};
use crate::{
    call::{Call, Content, Group, In, Rate, Shape},
    example,
    requests::{AddMembers, SetRole},
};

pub(super) fn calls() -> Vec<Call> {
    vec![
        get("/v1/conversations/{id}/members", "listMembers", Group::Members)
            .says("The members", "By joining, the longest-standing first. For members of groups and channels.")
            .with(conversation())
            .with(limit())
            .with(cursor())
            .gives(
                200,
                "A page of members.",
                Content::json(Members {
                    members: vec![Member { user_id: example::anna(), role: Role::Admin, joined_at: example::NOW }],
                    next_cursor: None,
                }),
            )
            .refuses(Code::NotAllowed, NO_LONGER)
            .refuses(Code::NotFound, NEVER_IN),
        post("/v1/conversations/{id}/members", "addMembers", Group::Members)
            .says(
                "Add people",
                "Any member may; who was removed is added again by an admin only. Members before count as added.",
            )
            .counted_as(Rate::Members)
            .with(conversation())
            .taking(Content::json(AddMembers { user_ids: vec![example::ben(), example::carol()] }))
            .gives(
                200,
                "Who was added, and who was not.",
                Content::json(Added {
                    added: vec![example::ben()],
                    not_added: vec![NotAddedEntry { user_id: example::carol(), code: NotAddedCode::Removed }],
                }),
            )
            .refuses(Code::NotAllowed, NO_LONGER)
            .refuses(Code::NotFound, NEVER_IN)
            .refuses(Code::LimitReached, "The conversation has 500,000 members."),
        patch("/v1/conversations/{id}/members/{user_id}", "setRole", Group::Members)
            .says("Change a role", "Admins only.")
            .counted_as(Rate::Members)
            .with(conversation())
            .with(person("The member."))
            .taking(Content::json(SetRole { role: Role::Admin }))
            .gives(204, "It is so.", Content::Nothing)
            .refuses(Code::NotAllowed, "The caller is no admin, or no longer a member.")
            .refuses(
                Code::NotFound,
                "There is no such conversation, the caller was never in it, or the person is no member.",
            )
            .refuses(Code::Conflict, "It would leave the conversation without an admin."),
        delete("/v1/conversations/{id}/members/{user_id}", "removeMember", Group::Members)
            .says(
                "Leave, or remove somebody",
                "`me`, or one's own id: leaving. The last admin's leaving makes the longest-standing member admin. \
                 Others: admins only. A direct conversation is only hidden from one's own devices, until the next \
                 message. Also when gone already.",
            )
            .counted_as(Rate::Members)
            .with(conversation())
            .with(parameter(
                In::Path,
                "user_id",
                "The member, or `me`.",
                Shape { schema: user_or_me, examples: Vec::new() }.example("me", "me"),
            ))
            .gives(204, "They are no member.", Content::Nothing)
            .refuses(Code::Invalid, "It is the other person of a direct conversation.")
            .refuses(Code::NotAllowed, "The caller is no admin, or no longer a member.")
            .refuses(Code::NotFound, NEVER_IN),
    ]
}

fn user_or_me(generator: &mut SchemaGenerator) -> Schema {
    let id = generator.subschema_for::<UserId>();
    json_schema!({"anyOf": [{"const": "me"}, id]})
}
