//! What the router answers by itself.

use serde_json::{Map, Value};
use skep_protocol::Code;

use super::{get, parameter};
use crate::call::{Call, Content, Group::Router, In, Rate, Shape};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

pub(super) fn calls() -> Vec<Call> {
    let page = |path, id| get(path, id, Router).by_anybody();
    let health = |path, id| page(path, id).counted_as(Rate::None);
    let document = || Content::Json(Shape::of::<Map<String, Value>>());
    vec![
        health("/healthz", "isAlive").says("Whether the router lives", "For those who watch it.").gives(
            200,
            "It lives.",
            Content::Text(TEXT, "ok"),
        ),
        health("/readyz", "isReady")
            .says("Whether the router serves", "For load balancers.")
            .gives(200, "It serves.", Content::Text(TEXT, "ok"))
            .gives(503, "It does not know its cells yet, or is stopping.", Content::Text(TEXT, "stopping")),
        page("/v1/openapi.json", "openapi").says("This document", "OpenAPI 3.1.").gives(
            200,
            "The document.",
            document(),
        ),
        page("/v1/asyncapi.json", "asyncapi").says("The document of the socket", "AsyncAPI 3.0.").gives(
            200,
            "The document.",
            document(),
        ),
        page("/docs", "docs").says("The calls, to be read", "The same as the document, for people.").gives(
            200,
            "The page.",
            Content::Text(HTML, "a page"),
        ),
        page("/docs/socket", "socketDocs").says("The socket, to be read", "The frames, for people.").gives(
            200,
            "The page.",
            Content::Text(HTML, "a page"),
        ),
        page("/docs/style.css", "style").says("How those pages look", "Their style sheet.").gives(
            200,
            "The style sheet.",
            Content::Text("text/css; charset=utf-8", "a style sheet"),
        ),
        page("/errors/{code}", "errorPage")
            .says("About an error code", "What `type` of an error leads to.")
            .with(parameter(In::Path, "code", "The code.", Shape::of::<Code>().example("code", Code::NotFound)))
            .gives(200, "The page.", Content::Text(HTML, "a page"))
            .refuses(Code::NotFound, "There is no such code."),
    ]
}
