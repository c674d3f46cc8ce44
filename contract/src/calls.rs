//! The table of calls.

mod accounts;
mod conversations;
mod links;
mod members;
mod messages;
mod people;
mod router;

use std::sync::LazyLock;

use skep_protocol::{ConversationId, UserId};

use crate::{
    call::{Call, In, Method, Parameter, Shape},
    example,
};

static CALLS: LazyLock<Vec<Call>> = LazyLock::new(|| {
    let groups = [
        accounts::calls(),
        people::calls(),
        conversations::calls(),
        members::calls(),
        messages::calls(),
        links::calls(),
        router::calls(),
    ];
    groups.into_iter().flatten().collect()
});

/// Every call of the contract.
pub fn calls() -> &'static [Call] {
    &CALLS
}

/// The call that a request falls under. `path`: without a query.
pub fn find(method: &str, path: &str) -> Option<&'static Call> {
    // What is named comes before what stands for anything: `lookup` is no user id, whatever the method.
    let of_path = CALLS.iter().filter(|call| matches(call.path, path));
    let template = of_path.min_by_key(|call| call.path.matches('{').count())?.path;
    CALLS.iter().find(|call| call.path == template && call.method.as_str() == method)
}

/// Whether a path is one of this template's.
fn matches(template: &str, path: &str) -> bool {
    let (mut expected, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return true,
            (Some(named), Some(segment)) if named.starts_with('{') && !segment.is_empty() => {}
            (Some(fixed), Some(segment)) if fixed == segment => {}
            _ => return false,
        }
    }
}

// === parameters that several calls have ===

fn parameter(place: In, name: &'static str, about: &'static str, shape: Shape) -> Parameter {
    Parameter { place, name, is_required: place == In::Path, about, shape }
}

fn conversation() -> Parameter {
    let shape = Shape::of::<ConversationId>().example("group", example::group_id());
    parameter(In::Path, "id", "The conversation.", shape)
}

fn person(about: &'static str) -> Parameter {
    parameter(In::Path, "user_id", about, Shape::of::<UserId>().example("ben", example::ben()))
}

fn limit() -> Parameter {
    let shape = Shape { schema: limit_schema, examples: Vec::new() }.example("twenty", 20);
    parameter(In::Query, "limit", "How many entries at most: 50 unless said; over 100 counts as 100.", shape)
}

fn limit_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "integer", "minimum": 1, "default": 50})
}

fn cursor() -> Parameter {
    let about = "The `next_cursor` of the page before, within an hour. Opaque; good for the same call and person only.";
    parameter(In::Query, "cursor", about, Shape::of::<String>())
}

fn get(path: &'static str, id: &'static str, group: crate::Group) -> Call {
    Call::new(Method::Get, path, id, group)
}

fn post(path: &'static str, id: &'static str, group: crate::Group) -> Call {
    Call::new(Method::Post, path, id, group)
}

fn put(path: &'static str, id: &'static str, group: crate::Group) -> Call {
    Call::new(Method::Put, path, id, group)
}

fn patch(path: &'static str, id: &'static str, group: crate::Group) -> Call {
    Call::new(Method::Patch, path, id, group)
}

fn delete(path: &'static str, id: &'static str, group: crate::Group) -> Call {
    Call::new(Method::Delete, path, id, group)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_request_finds_its_call() {
        for (method, path, expected) in [
            ("POST", "/v1/users", Some("signUp")),
            ("GET", "/v1/users", Some("searchUsers")),
            ("POST", "/v1/users/lookup", Some("lookUpUsers")),
            ("GET", "/v1/users/lookup", None),
            ("GET", "/v1/users/u_1", Some("getUser")),
            ("DELETE", "/v1/sessions/current", Some("endSession")),
            ("GET", "/v1/conversations//messages", None),
            ("GET", "/v1/conversations/", None),
            ("PATCH", "/v1/users", None),
            ("GET", "/v1", None),
        ] {
            assert_eq!(find(method, path).map(|call| call.id), expected, "{method} {path}");
        }
    }
}
