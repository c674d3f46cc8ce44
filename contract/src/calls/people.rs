//! Finding others, and their images.

use schemars::{Schema, SchemaGenerator, json_schema};
use skep_protocol::{
    Code,
    answers::{FoundPeople, LookedUp},
};

use super::{cursor, get, limit, parameter, person, post};
use crate::{
    call::{Call, Content, Group::People, In, Parameter, Rate, Shape},
    example,
    requests::LookUp,
};

pub(super) fn calls() -> Vec<Call> {
    vec![
        get("/v1/users", "searchUsers", People)
            .says(
                "Find people by name",
                "The exact username first; then people whom the caller knows by a direct conversation, by any part of \
                 their names; then others by the beginning of the username or of a word of the display name (from \
                 three characters; shorter ones match whole words). Never by e-mail; oneself is not listed.",
            )
            .counted_as(Rate::Search)
            .with(Parameter {
                is_required: true,
                ..parameter(
                    In::Query,
                    "query",
                    "What to look for.",
                    Shape { schema: query, examples: Vec::new() }.example("ben", "ben"),
                )
            })
            .with(limit())
            .with(cursor())
            .gives(
                200,
                "A page of people.",
                Content::json(FoundPeople { users: vec![example::profile()], next_cursor: None }),
            ),
        get("/v1/users/{user_id}", "getUser", People)
            .says("Somebody", "A person with presence. Profiles are not pushed: look up and keep what you show.")
            .with(person("Who."))
            .gives(200, "The person.", Content::json(example::user()))
            .refuses(Code::NotFound, "There is nobody of this id."),
        post("/v1/users/lookup", "lookUpUsers", People)
            .says("Several people", "In the order asked for; unknown ones are left out.")
            .counted_as(Rate::Search)
            .taking(Content::json(LookUp { user_ids: vec![example::ben(), example::carol()] }))
            .gives(
                200,
                "The people.",
                Content::json(LookedUp { users: vec![example::user()], unavailable: vec![example::carol()] }),
            ),
        get("/v1/images/{user_id}/{image}", "getImage", People)
            .says(
                "An image",
                "What `image_url` leads to. It never changes, so keep it for ever; after a change of the image it is \
                 there for another day.",
            )
            .by_anybody()
            .with(person("Whose it is."))
            .with(parameter(
                In::Path,
                "image",
                "Opaque: take it from `image_url`.",
                Shape::of::<String>().example("name", "0b1e55ed"),
            ))
            .with(parameter(
                In::Query,
                "size",
                "Pixels of each side.",
                Shape { schema: size, examples: Vec::new() }.example("small", 64),
            ))
            .with(parameter(
                In::Header,
                "If-None-Match",
                "The `ETag` of the image that one has.",
                Shape::of::<String>(),
            ))
            .gives(304, "The caller has it already.", Content::Nothing)
            .gives(200, "The image.", Content::Image(&["image/webp"]))
            .refuses(Code::NotFound, "There is no such image, or no longer."),
    ]
}

fn query(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"\S"})
}

fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "enum": [64, 256], "default": 256})
}
