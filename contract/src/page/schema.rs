//! Schemas as tables: a line a field.

use serde_json::{Map, Value};

use super::html::{Html, inline, text};

/// The fields of a form, or the forms that it may have. `all`: the named schemas, to which links lead.
pub(super) fn form(html: &mut Html, schema: &Value) {
    match schema["oneOf"].as_array() {
        Some(forms) if schema["type"] != "string" => forms.iter().for_each(|one| form(html, one)),
        _ => fields(html, schema),
    }
}

/// Every named schema, each with a place to link to.
pub(super) fn named(html: &mut Html, schemas: &Map<String, Value>) {
    for (name, schema) in schemas {
        html.raw(&format!("<section class=\"schema\" id=\"{name}\">\n"));
        html.element("h3", "", name);
        html.prose(schema["description"].as_str().unwrap_or_default());
        let is_words = schema["oneOf"].as_array().is_some_and(|forms| forms.iter().all(|f| f["const"].is_string()));
        if is_words || schema["properties"].is_null() && schema["oneOf"].is_null() {
            html.raw(&format!("<p class=\"type\">{}</p>\n", type_of(schema)));
        }
        if is_words {
            words(html, &schema["oneOf"]);
        } else {
            form(html, schema);
        }
        html.raw("</section>\n");
    }
}

/// An example, as JSON.
pub(super) fn example(html: &mut Html, title: &str, value: &Value) {
    let shown = serde_json::to_string_pretty(value).unwrap_or_default();
    html.raw(&format!("<details><summary>{}</summary>\n<pre>{}</pre></details>\n", text(title), text(&shown)));
}

/// The type of a value in a few words, with links to named ones.
pub(super) fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    for several in ["anyOf", "allOf", "oneOf"] {
        if let Some(forms) = schema[several].as_array().filter(|forms| forms.iter().any(|f| f["const"].is_null())) {
            let forms: Vec<String> = forms.iter().map(type_of).collect();
            return forms.join(" or ");
        }
    }
    if let Some(word) = schema.get("const") {
        return format!("<code>{}</code>", text(&word.to_string()));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("<code>{}</code>", text(&word.to_string()))).collect();
        return words.join(" or ");
    }
    let types = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    match schema["items"].as_object() {
        Some(_) => format!("{types} of {}", type_of(&schema["items"])),
        None => types + &bounds(schema),
    }
}

fn fields(html: &mut Html, schema: &Value) {
    let Some(fields) = schema["properties"].as_object() else { return };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html.raw("<table>\n");
    // What must be there comes first.
    for wanted in [true, false] {
        for (name, schema) in fields.iter().filter(|(name, _)| required.contains(&name.as_str()) == wanted) {
            let optional = if wanted { "" } else { "<span class=\"optional\">optional</span>" };
            let about = inline(schema["description"].as_str().unwrap_or_default());
            html.raw(&format!(
                "<tr><th><code>{}</code>{optional}</th><td class=\"type\">{}</td><td>{about}</td></tr>\n",
                text(name),
                type_of(schema)
            ));
        }
    }
    html.raw("</table>\n");
}

fn words(html: &mut Html, forms: &Value) {
    html.raw("<table>\n");
    for form in forms.as_array().into_iter().flatten() {
        let about = inline(form["description"].as_str().unwrap_or_default());
        html.raw(&format!("<tr><th>{}</th><td>{about}</td></tr>\n", type_of(form)));
    }
    html.raw("</table>\n");
}

fn bounds(schema: &Value) -> String {
    let bound = |name: &str| schema[name].as_u64();
    match (bound("minLength"), bound("maxLength"), bound("minimum")) {
        (Some(min), Some(max), _) => format!(", {min} to {max} characters"),
        (None, Some(max), _) => format!(", at most {max} characters"),
        (_, _, Some(min)) if min > 0 => format!(", from {min}"),
        _ => String::new(),
    }
}
