//! The links by which people join channels.

use skep_protocol::{Code, answers::LinkPreview};

use super::{
    conversation,
    conversations::{NEVER_IN, NO_LONGER},
    get, parameter, post,
};
use crate::{
    call::{Call, Content, Group::Links, In, Parameter, Rate, Shape},
    example,
};

const DEAD: &str = "The link leads nowhere: it was replaced, or never was one.";
const NOT_A_CHANNEL: &str = "It is no channel: only channels have a link.";

pub(super) fn calls() -> Vec<Call> {
    let channel = example::channel();
    let preview = LinkPreview {
        conversation_id: channel.conversation_id,
        title: channel.title.clone(),
        topic: channel.topic.clone(),
        member_count: channel.member_count,
    };
    vec![
        get("/v1/conversations/{id}/link", "getLink", Links)
            .says("The link of a channel", "For its members.")
            .with(conversation())
            .gives(200, "The link.", Content::json(example::link()))
            .refuses(Code::Invalid, NOT_A_CHANNEL)
            .refuses(Code::NotAllowed, NO_LONGER)
            .refuses(Code::NotFound, NEVER_IN),
        post("/v1/conversations/{id}/link", "renewLink", Links)
            .says("Renew the link of a channel", "Admins only. The old one leads nowhere from then on.")
            .with(conversation())
            .gives(200, "The new link.", Content::json(example::link()))
            .refuses(Code::Invalid, NOT_A_CHANNEL)
            .refuses(Code::NotAllowed, "The caller is no admin, or no longer a member.")
            .refuses(Code::NotFound, NEVER_IN),
        get("/v1/links/{code}", "previewLink", Links)
            .says("What a link leads to", "For everybody who has it.")
            .by_anybody()
            .with(code())
            .gives(200, "The channel.", Content::json(preview))
            .refuses(Code::NotFound, DEAD),
        post("/v1/links/{code}/join", "joinByLink", Links)
            .says(
                "Join a channel",
                "Also when a member already. Who was removed by an admin cannot come back like this.",
            )
            .counted_as(Rate::Members)
            .with(code())
            .gives(200, "The channel as the caller sees it.", Content::json(channel))
            .refuses(Code::NotAllowed, "An admin has removed the caller.")
            .refuses(Code::NotFound, DEAD)
            .refuses(Code::LimitReached, "The channel has 500,000 members, or the caller is in 10,000 conversations."),
    ]
}

fn code() -> Parameter {
    let shape = Shape::of::<String>().example("code", example::link().code);
    parameter(In::Path, "code", "The code of the link: opaque.", shape)
}
