//! The page of the HTTP calls.

use std::sync::LazyLock;

use serde_json::Value;

use super::{
    html::{Html, inline, text},
    schema::{example, named, type_of},
};
use crate::{
    call::{Call, Caller, Group},
    calls::calls,
    openapi::openapi,
};

static PAGE: LazyLock<String> = LazyLock::new(make);

/// The page, as it is served at `/docs`.
pub fn http_page() -> &'static str {
    &PAGE
}

fn make() -> String {
    let document = openapi();
    let mut html = Html::default();
    html.raw("<nav>\n<p><strong>Skep: HTTP</strong></p>\n<p><a href=\"/docs/socket\">The socket</a></p>\n");
    html.raw("<p><a href=\"/v1/openapi.json\">As OpenAPI 3.1</a></p>\n");
    for group in Group::ALL {
        html.element("h2", "", group.title()).raw("<ul>\n");
        for call in of_group(*group) {
            html.raw(&format!("<li><a href=\"#{}\">{}</a></li>\n", call.id, text(call.summary)));
        }
        html.raw("</ul>\n");
    }
    html.raw("<p><a href=\"#objects\">Objects</a></p>\n</nav>\n<main>\n");
    html.element("h1", "", "Skep: HTTP");
    html.prose(document["info"]["description"].as_str().unwrap_or_default());
    for group in Group::ALL {
        html.raw("<section>\n").element("h2", "", group.title()).prose(group.about());
        of_group(*group).for_each(|call| describe(&mut html, call, document));
        html.raw("</section>\n");
    }
    html.raw("<section id=\"objects\">\n").element("h2", "", "Objects");
    if let Some(schemas) = document["components"]["schemas"].as_object() {
        named(&mut html, schemas);
    }
    html.raw("</section>\n</main>\n");
    html.into_page("Skep: HTTP")
}

fn of_group(group: Group) -> impl Iterator<Item = &'static Call> {
    calls().iter().filter(move |call| call.group == group)
}

fn describe(html: &mut Html, call: &Call, document: &Value) {
    let operation = &document["paths"][call.path][call.method.as_str().to_lowercase()];
    let (method, path) = (call.method.as_str(), text(call.path));
    html.raw(&format!("<article id=\"{}\">\n<h3>{}</h3>\n", call.id, text(call.summary)));
    html.raw(&format!("<p class=\"call\"><span class=\"method\">{method}</span> <code>{path}</code></p>\n"));
    html.prose(operation["description"].as_str().unwrap_or_default());
    if call.caller == Caller::Anybody {
        html.element("p", "optional", "Needs no token.");
    }
    parameters(html, operation);
    if let Some(forms) = operation["requestBody"]["content"].as_object() {
        html.element("h4", "", "Body");
        forms.iter().for_each(|(media_type, form)| content(html, media_type, form));
    }
    html.element("h4", "", "Answers");
    for answer in &call.answers {
        html.raw(&format!("<p><span class=\"status\">{}</span> {}</p>\n", answer.status, inline(answer.about)));
        let forms = operation["responses"][answer.status.to_string()]["content"].as_object();
        forms.into_iter().flatten().for_each(|(media_type, form)| content(html, media_type, form));
    }
    let refusals = call.refusals();
    if !refusals.is_empty() {
        html.raw("<details><summary>Errors</summary>\n<table>\n");
        for (code, when) in refusals {
            html.raw(&format!(
                "<tr><th>{} <a href=\"/errors/{code}\">{code}</a></th><td>{}</td></tr>\n",
                code.status(),
                inline(when)
            ));
        }
        html.raw("</table></details>\n");
    }
    html.raw("</article>\n");
}

fn parameters(html: &mut Html, operation: &Value) {
    let Some(parameters) = operation["parameters"].as_array() else { return };
    html.element("h4", "", "Parameters").raw("<table>\n");
    for parameter in parameters {
        let (name, place) = (&parameter["name"], &parameter["in"]);
        let optional = if parameter["required"] == true { "" } else { ", optional" };
        html.raw(&format!(
            "<tr><th><code>{}</code><span class=\"optional\">{}{optional}</span></th><td class=\"type\">{}</td><td>{}</td></tr>\n",
            text(name.as_str().unwrap_or_default()),
            text(place.as_str().unwrap_or_default()),
            type_of(&parameter["schema"]),
            inline(parameter["description"].as_str().unwrap_or_default()),
        ));
    }
    html.raw("</table>\n");
}

fn content(html: &mut Html, media_type: &str, form: &Value) {
    let schema = if form["schema"].is_null() { String::new() } else { format!(" {}", type_of(&form["schema"])) };
    html.raw(&format!("<p class=\"type\"><code>{}</code>{schema}</p>\n", text(media_type)));
    for (name, value) in form["examples"].as_object().into_iter().flatten() {
        let title = if name == "example" { "Example".to_owned() } else { format!("Example: {name}") };
        example(html, &title, &value["value"]);
    }
}
