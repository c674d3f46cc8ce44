//! The OpenAPI document, made from the table of calls.

use std::sync::LazyLock;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use skep_protocol::{Code, Problem};

use crate::{
    call::{Answer, Body, Call, Caller, Content, Group, In, Parameter, Rate, Shape},
    calls::calls,
    example,
};

const ABOUT: &str = "Two doors: HTTP at a router, and a WebSocket at one's own cell (see `/v1/asyncapi.json`).

JSON is UTF-8 in snake_case; times are RFC 3339 in UTC with milliseconds; ids are opaque texts; a `seq` is a number. A \
message's id is its `conversation_id` and `seq`. Fields shown as required are always there, null when empty; clients \
ignore fields that they do not know, and so does the server in requests.

**What an answer promises.** The caller's next GET and all the caller's sockets show the effect. Others see it \
normally within a second, always in the end.

**Retrying.** Errors are problem documents (RFC 9457) whose `code` says what to do; `retry_after_ms` is there where \
trying again can help. Messages and conversations have ids or keys of the client's own, so that trying again is safe.

**Lists** take `limit` and `cursor`, and give `next_cursor`: null at the end.

**Before any call.** What is no HTTP is answered by status 400, a line and headers far over 16 KiB by 431, both \
without a document.";

const RATE_HEADERS: &[(&str, &str)] = &[
    ("X-RateLimit-Limit", "Calls at once that the tightest limit allows. Absent while limits are off."),
    ("X-RateLimit-Remaining", "How many are left of it."),
    ("X-RateLimit-Reset", "Seconds until all are there again."),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Document::new().make());

/// The document, as it is served at `/v1/openapi.json`.
pub fn openapi() -> &'static Value {
    &DOCUMENT
}

struct Document {
    types: SchemaGenerator,
}

impl Document {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        Self { types: settings.with(|s| s.definitions_path = "/components/schemas".into()).into_generator() }
    }

    fn make(mut self) -> Value {
        let mut paths: Map<String, Value> = Map::new();
        for call in calls() {
            let operation = self.operation(call);
            let path = paths.entry(call.path).or_insert_with(|| json!({}));
            path[call.method.as_str().to_lowercase()] = operation;
        }
        self.types.subschema_for::<Problem>();
        let tags: Vec<Value> =
            Group::ALL.iter().map(|group| json!({"name": group.title(), "description": group.about()})).collect();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Skep",
                "version": env!("CARGO_PKG_VERSION"),
                "summary": "Instant messaging: accounts, conversations, messages.",
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/", "description": "The router that served this document."}],
            "tags": tags,
            "security": [],
            "paths": paths,
            "components": {
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "The `token` of a sign-up or a log-in. It ends after 90 days unused, a year at most.",
                    },
                },
                "headers": headers(),
                "schemas": self.types.take_definitions(true),
            },
        })
    }

    fn operation(&mut self, call: &Call) -> Value {
        let mut operation = json!({
            "operationId": call.id,
            "tags": [call.group.title()],
            "summary": call.summary,
            "description": described(call),
            "security": match call.caller {
                Caller::Anybody => json!([]),
                Caller::Person => json!([{"token": []}]),
            },
            "responses": self.responses(call),
        });
        if !call.parameters.is_empty() {
            operation["parameters"] = call.parameters.iter().map(|parameter| self.parameter(parameter)).collect();
        }
        if let Some(Body { forms }) = &call.body {
            let content: Map<String, Value> = forms.iter().flat_map(|form| self.content(form)).collect();
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        operation
    }

    fn parameter(&mut self, parameter: &Parameter) -> Value {
        let place = match parameter.place {
            In::Path => "path",
            In::Query => "query",
            In::Header => "header",
        };
        let mut described = self.shape(&parameter.shape);
        described["name"] = parameter.name.into();
        described["in"] = place.into();
        described["required"] = parameter.is_required.into();
        described["description"] = parameter.about.into();
        described
    }

    fn responses(&mut self, call: &Call) -> Value {
        let mut responses: Map<String, Value> =
            call.answers.iter().map(|answer| (answer.status.to_string(), self.success(call, answer))).collect();
        for (status, refused) in by_status(call.refusals()) {
            responses.insert(status.to_string(), self.error(status, &refused));
        }
        Value::Object(responses)
    }

    fn success(&mut self, call: &Call, answer: &Answer) -> Value {
        let mut response = json!({"description": answer.about, "headers": header_refs(call.rate != Rate::None, &[])});
        let content: Map<String, Value> = self.content(&answer.content).into_iter().collect();
        if !content.is_empty() {
            response["content"] = content.into();
        }
        response
    }

    fn error(&mut self, status: u16, refused: &[(Code, &'static str)]) -> Value {
        let about: Vec<String> = refused.iter().map(|(code, when)| format!("`{code}`: {when}")).collect();
        let codes: Vec<&str> = refused.iter().map(|(code, _)| code.as_str()).collect();
        let examples: Map<String, Value> =
            refused.iter().map(|(code, _)| (code.to_string(), json!({"value": example::problem(*code)}))).collect();
        let more: &[&str] = match status {
            401 => &["WWW-Authenticate"],
            429 | 500 | 503 => &["Retry-After"],
            _ => &[],
        };
        let problem = self.types.subschema_for::<Problem>();
        json!({
            "description": about.join("\n\n"),
            "headers": header_refs(true, more),
            "content": {
                "application/problem+json": {
                    "schema": {"allOf": [problem, {"properties": {"code": {"enum": codes}, "status": {"const": status}}}]},
                    "examples": examples,
                },
            },
        })
    }

    fn content(&mut self, content: &Content) -> Vec<(String, Value)> {
        let media_types = content.media_types().into_iter().map(str::to_owned);
        let described = match content {
            Content::Nothing => return Vec::new(),
            Content::Json(shape) => self.shape(shape),
            Content::Form(shape) => {
                let mut described = self.shape(shape);
                described["encoding"] = json!({"image": {"contentType": "image/png, image/jpeg, image/webp"}});
                described
            }
            Content::Text(_, example) => json!({"schema": {"type": "string"}, "example": example}),
            Content::Image(_) => json!({}),
        };
        media_types.map(|media_type| (media_type, described.clone())).collect()
    }

    fn shape(&mut self, shape: &Shape) -> Value {
        let mut described = json!({"schema": (shape.schema)(&mut self.types)});
        if !shape.examples.is_empty() {
            let named = shape.examples.iter().map(|(name, value)| ((*name).to_owned(), json!({"value": value})));
            described["examples"] = named.collect::<Map<_, _>>().into();
        }
        described
    }
}

/// What a call does, who may make it, and how often.
fn described(call: &Call) -> String {
    let rate = call.rate.about().map(|rate| format!("\n\n**Limit.** {rate}"));
    format!("{}{}", call.about, rate.unwrap_or_default())
}

fn by_status(refusals: Vec<(Code, &'static str)>) -> Vec<(u16, Vec<(Code, &'static str)>)> {
    let mut by_status: Vec<(u16, Vec<(Code, &'static str)>)> = Vec::new();
    for refused in refusals {
        let status = refused.0.status();
        match by_status.last_mut() {
            Some((last, same)) if *last == status => same.push(refused),
            _ => by_status.push((status, vec![refused])),
        }
    }
    by_status
}

fn headers() -> Value {
    let rate = RATE_HEADERS.iter().map(|(name, about)| (*name, *about, json!({"type": "integer", "minimum": 0})));
    let others = [
        (
            "X-Request-Id",
            "The client's own if it sent one, else a new one. Operators find the request by it.",
            json!({"type": "string"}),
        ),
        ("Retry-After", "Whole seconds to wait.", json!({"type": "integer", "minimum": 1})),
        ("WWW-Authenticate", "How to say who one is.", json!({"const": "Bearer"})),
    ];
    let described =
        |(name, about, schema): (&str, &str, Value)| (name.to_owned(), json!({"description": about, "schema": schema}));
    rate.chain(others).map(described).collect::<Map<_, _>>().into()
}

fn header_refs(is_limited: bool, more: &[&str]) -> Value {
    let rate = RATE_HEADERS.iter().map(|(name, _)| *name).filter(|_| is_limited);
    let named = std::iter::once("X-Request-Id").chain(rate).chain(more.iter().copied());
    named
        .map(|name| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")})))
        .collect::<Map<_, _>>()
        .into()
}
