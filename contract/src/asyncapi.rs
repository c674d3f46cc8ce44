//! The AsyncAPI document of the socket, made from the table of frames.

use std::sync::LazyLock;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use skep_protocol::{ClientFrame, ServerFrame};

use crate::frames::{Frame, Sender, frames};

/// What a close code means to a client.
pub(crate) const CLOSE_CODES: &[(u16, &str)] = &[
    (1000, "Done."),
    (4000, "The cell is going away: come back."),
    (4001, "Too much to do: come back later."),
    (4002, "Nothing was heard: no `hello` within 10 s, or silence of 90 s. Come back."),
    (4003, "One's cell is another now: ask `/v1/route`, come back there."),
    (4100, "The token is not, or no longer, good: log in first."),
    (
        4101,
        "Not the protocol: no UTF-8, no JSON object with `type`, binary, anything before `hello`, a second `hello`.",
    ),
    (4102, "The frame was too large: over 128 KiB."),
    (4103, "Too many connections of one person: more than 20."),
];

pub(crate) const ABOUT: &str = "Text frames, one JSON object each, told apart by `type`. The address is the \
`socket_url` of one's route; the subprotocol is `skep.v1.json`. The first frame is `hello`, within 10 seconds.

A client's frame has at most 128 KiB, a server's at most 256 KiB and is not fragmented. `ref` is a number of the \
client's choice, 0 to 2^53-1, given back in the answer.

**Order.** After `hello`: `welcome`, the pages of a sync, `synced`. Pushes wait until then; answers to requests do \
not. Per conversation, `sent` and `messages` of one connection come in the order of `seq`, without holes; only what a \
sync gave may come again.

**Retrying.** A second `send` of the same `client_message_id` is answered by another `sent`. A send answered \
`unavailable` may still be delivered; after any other refusal it never is.

Clients ignore types and fields that they do not know. This document speaks as the cell does: it receives a client's \
frames and sends its own.";

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

/// The document, as it is served at `/v1/asyncapi.json`.
pub fn asyncapi() -> &'static Value {
    &DOCUMENT
}

fn make() -> Value {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut types = settings.with(|s| s.definitions_path = "/components/schemas".into()).into_generator();
    let (client, server) = (variants::<ClientFrame>(&mut types), variants::<ServerFrame>(&mut types));
    let mut schemas = types.take_definitions(true);
    schemas.remove("ClientFrame");
    schemas.remove("ServerFrame");
    let (mut messages, mut operations, mut on_channel) = (Map::new(), Map::new(), Map::new());
    for frame in frames() {
        let name = name(&frame);
        let payload = if frame.sender == Sender::Client { &client[frame.kind] } else { &server[frame.kind] };
        messages.insert(name.clone(), message(&frame, &name, payload));
        on_channel.insert(name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
        operations.insert(name.clone(), operation(&frame, &name));
    }
    let close: Vec<String> = CLOSE_CODES.iter().map(|(code, about)| format!("- {code}: {about}")).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Skep's socket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("{ABOUT}\n\n**Close codes.** 40xx: come back; 41xx: do not come back as you are.\n\n{}", close.join("\n")),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "cell": {
                "host": "{cell}",
                "protocol": "wss",
                "description": "One's own cell: take the whole address from `route.socket_url`.",
                "variables": {"cell": {"description": "Host and port of the cell."}},
            },
        },
        "channels": {
            "socket": {
                "address": "/v1/socket",
                "title": "The socket",
                "description": "One connection of one person.",
                "messages": on_channel,
                "bindings": {"ws": {"method": "GET", "headers": {
                    "type": "object",
                    "properties": {"Sec-WebSocket-Protocol": {"type": "string", "const": "skep.v1.json"}},
                }}},
            },
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    })
}

/// The forms of a type's frames, by `type`.
fn variants<T: schemars::JsonSchema>(types: &mut SchemaGenerator) -> Map<String, Value> {
    types.subschema_for::<T>();
    let whole = types.definitions()[&*T::schema_name()].clone();
    let all = whole["oneOf"].as_array().cloned().unwrap_or_default();
    let kind = |form: &Value| form["properties"]["type"]["const"].as_str().unwrap_or_default().to_owned();
    all.into_iter().map(|form| (kind(&form), form)).collect()
}

/// Some types are said by both sides.
fn name(frame: &Frame) -> String {
    let by = if frame.sender == Sender::Client { "client" } else { "server" };
    format!("{by}.{}", frame.kind)
}

fn message(frame: &Frame, name: &str, payload: &Value) -> Value {
    json!({
        "name": name,
        "title": frame.kind,
        "summary": frame.summary,
        "description": frame.about,
        "contentType": "application/json",
        "payload": payload,
        "examples": [{"name": frame.kind, "summary": frame.summary, "payload": frame.example}],
    })
}

fn operation(frame: &Frame, name: &str) -> Value {
    let on_channel = |name: &str| json!({"$ref": format!("#/channels/socket/messages/{name}")});
    let mut operation = json!({
        "action": if frame.sender == Sender::Client { "receive" } else { "send" },
        "channel": {"$ref": "#/channels/socket"},
        "title": frame.kind,
        "summary": frame.summary,
        "description": frame.about,
        "messages": [on_channel(name)],
    });
    if !frame.answers.is_empty() {
        let answers: Vec<Value> = frame.answers.iter().map(|kind| on_channel(&format!("server.{kind}"))).collect();
        operation["reply"] = json!({"channel": {"$ref": "#/channels/socket"}, "messages": answers});
    }
    operation
}
