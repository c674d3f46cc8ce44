//! What every document must be: right by its official schema, whole, with examples that are what they say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use skep_contract::{Caller, Group, In, Rate, asyncapi, calls, frames, openapi};
use skep_protocol::{Code, ConversationId, Millis, SessionId, UserId};

fn read(name: &str) -> Value {
    let file = format!("{}/tests/schemas/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[track_caller]
fn conforms(schema: &Value, value: &Value, what: &str) {
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

/// Every `$ref` of a document, and what is under it.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// A schema in a document of its own, with what it refers to.
fn whole(schema: &Value, document: &Value) -> Value {
    let mut whole = schema.clone();
    whole["components"] = json!({"schemas": document["components"]["schemas"]});
    whole
}

#[test]
fn both_documents_are_what_their_standards_say() {
    conforms(&read("openapi-3.1.json"), openapi(), "openapi.json");
    conforms(&read("asyncapi-3.0.json"), asyncapi(), "asyncapi.json");
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    for document in [openapi(), asyncapi()] {
        let mut found = Vec::new();
        references(document, &mut found);
        assert!(found.len() > 20);
        for reference in &found {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some(), "{reference} leads nowhere");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}").as_str()), "{name} is used by nothing");
        }
    }
}

#[test]
fn every_operation_is_described_with_examples_and_all_its_errors() {
    let (mut ids, mut count) = (BTreeSet::new(), 0);
    for (path, methods) in openapi()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let what = format!("{method} {path}");
            count += 1;
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{what}: its id is another's");
            for said in ["summary", "description"] {
                assert!(operation[said].as_str().is_some_and(|text| text.len() > 3), "{what} has no {said}");
            }
            let named: BTreeSet<&str> =
                path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let in_path = parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap());
            assert_eq!(in_path.collect::<BTreeSet<_>>(), named, "{what}: parameters of the path");
            for parameter in parameters {
                examples_conform(parameter, &format!("{what}: {}", parameter["name"]));
            }
            let content = &operation["requestBody"]["content"];
            if let Some(form) = content.get("application/json").filter(|form| !form.is_null()) {
                assert!(form["examples"].is_object(), "{what} has no example of its body");
                examples_conform(form, &what);
            }
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{what} never succeeds");
            for (status, response) in responses {
                for (media_type, form) in response["content"].as_object().into_iter().flatten() {
                    let what = format!("{what}: {status} {media_type}");
                    if media_type.ends_with("json") && !path.ends_with(".json") {
                        assert!(form["examples"].is_object(), "{what} has no example");
                    }
                    examples_conform(form, &what);
                }
            }
        }
    }
    assert_eq!(count, calls().len(), "no two calls are the same");
}

#[track_caller]
fn examples_conform(form: &Value, what: &str) {
    for (name, example) in form["examples"].as_object().into_iter().flatten() {
        conforms(&whole(&form["schema"], openapi()), &example["value"], &format!("{what}: example {name}"));
    }
}

#[test]
fn calls_say_what_their_kind_can_refuse() {
    for call in calls() {
        let codes: Vec<Code> = call.refusals().iter().map(|(code, _)| *code).collect();
        let must = |code: Code, why: &str| assert!(codes.contains(&code), "{} lacks {code}: {why}", call.id);
        if call.caller == Caller::Person {
            must(Code::Unauthenticated, "it needs a token");
        }
        if call.body.is_some() {
            must(Code::Unsupported, "a content type can be wrong");
        }
        if call.body.is_some() || call.parameters.iter().any(|p| p.place != In::Path) {
            must(Code::Invalid, "something of it can be wrong");
        }
        if call.parameters.iter().any(|p| p.place == In::Path && p.name == "id") {
            must(Code::NotFound, "it names a conversation");
        }
        if call.rate != Rate::None {
            must(Code::TooLarge, "it is counted");
            must(Code::RateLimited, "it is counted");
        }
        if call.group != Group::Router {
            for code in [Code::Internal, Code::Busy, Code::Unavailable] {
                must(code, "a cell is asked");
            }
        }
        let statuses: BTreeSet<u16> = codes.iter().map(|code| code.status()).collect();
        assert!(call.answers.iter().all(|answer| !statuses.contains(&answer.status)), "{}", call.id);
    }
}

#[test]
fn frames_are_described_with_examples_and_answers_that_exist() {
    let all = frames();
    for frame in &all {
        let by = if frame.sender == skep_contract::Sender::Client { "client" } else { "server" };
        let message = &asyncapi()["components"]["messages"][format!("{by}.{}", frame.kind)];
        assert!(frame.summary.len() > 3 && frame.about.len() > 3, "{}", frame.kind);
        assert_eq!(message["payload"]["properties"]["type"]["const"], frame.kind);
        conforms(&whole(&message["payload"], asyncapi()), &frame.example, frame.kind);
        for answer in frame.answers {
            assert!(all.iter().any(|f| f.sender == skep_contract::Sender::Server && f.kind == *answer), "{answer}");
        }
    }
    // As many as there are variants of the types.
    assert_eq!(all.len(), 6 + 15);
}

#[test]
fn ids_and_times_are_what_their_schemas_say() {
    let schemas = &openapi()["components"]["schemas"];
    let user = UserId::new("anna", Millis(1_790_000_000_000), 7);
    for bits in [0_u128, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
        let other = UserId::new("ben", Millis(1), bits as u64);
        conforms(&schemas["UserId"], &json!(other), "a person");
        conforms(&schemas["SessionId"], &json!(SessionId::new(other, bits)), "a session");
        for id in [ConversationId::group(bits), ConversationId::channel(bits), ConversationId::direct(user, other)] {
            conforms(&schemas["ConversationId"], &json!(id), "a conversation");
        }
        conforms(&schemas["Time"], &json!(Millis(bits as i64)), "a time");
    }
    let id = jsonschema::validator_for(&schemas["UserId"]).unwrap();
    for other in [json!(ConversationId::group(7)), json!(SessionId::new(user, 7)), json!("u_x"), json!(7)] {
        assert!(!id.is_valid(&other), "{other} is no person");
    }
}

#[test]
fn every_code_has_a_page_of_whole_sentences() {
    for code in Code::ALL {
        let page = code.page();
        let retry = if code.retryable() { "Try again: after `retry_after_ms`." } else { "Try again: no." };
        assert!(page.contains(&format!("HTTP status {}. {retry}", code.status())), "{code}: status and retry");
        for part in ["**When.**", "**What to do.**"] {
            let said = page.split(part).nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default().trim();
            assert!(said.len() > 20 && said.ends_with('.'), "{code}: {part} {said}");
        }
        let shown = skep_contract::error_page(*code);
        assert!(shown.contains(code.title()) && !shown.contains("**") && !shown.contains("<script"), "{code}");
    }
}

#[test]
fn pages_are_self_contained_and_their_links_lead_somewhere() {
    for page in [skep_contract::http_page(), skep_contract::socket_page()] {
        assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("src="), "CSP forbids it");
        for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let known = match link.strip_prefix('#') {
                Some(id) => page.contains(&format!("id=\"{id}\"")),
                None => skep_contract::find("GET", link).is_some(),
            };
            assert!(known, "{link} leads nowhere");
        }
    }
    for call in calls() {
        assert!(skep_contract::http_page().contains(&format!("id=\"{}\"", call.id)), "{}", call.id);
    }
}
