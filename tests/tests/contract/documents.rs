//! The documents are true: what they name is there, what they say of fields is what the cells do.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use skep_contract::{Call, Content, Rate, calls, openapi};
use skep_gate::Kind;
use skep_tests::{Deployment, Person};

/// The path of a call, about these people and this channel.
fn path(call: &Call, channel: &str, person: &Person) -> String {
    call.path
        .replace("{id}", channel)
        .replace("{user_id}", &person.user_id)
        .replace("{session_id}", "current")
        .replace("{image}", "0123abcd")
        .replace("{code}", "not_found")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_and_pages_are_served_and_every_path_takes_the_documented_methods() {
    let hive = Deployment::start(1).await;
    let anna = hive.sign_up("anna").await;
    let get = async |path: &str| hive.call(Method::GET, path, None, None).await;
    assert_eq!(get("/v1/openapi.json").await.expect(200), *openapi());
    assert_eq!(get("/v1/asyncapi.json").await.expect(200), *skep_contract::asyncapi());
    for path in ["/docs", "/docs/socket", "/errors/not_found"] {
        let page = get(path).await;
        let allowed = page.headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(allowed.starts_with("default-src 'none'; style-src 'self';"), "{allowed}");
        assert!(page.expect(200).as_str().unwrap().starts_with("<!doctype html>"));
    }
    get("/errors/none").await.refused(404, "not_found");
    // A method that nothing takes is answered with those that are taken: the same as are documented, or this panics.
    let odd = Method::from_bytes(b"SWARM").unwrap();
    for call in calls() {
        let path = path(call, &skep_protocol::ConversationId::channel(7).to_string(), &anna);
        if !path.starts_with("/v1/links/") {
            anna.call(odd.clone(), &path, None).await.refused(405, "method");
        }
    }
}

#[test]
fn calls_are_counted_as_is_documented() {
    for call in calls() {
        let kind = Kind::of(&call.method.as_str().parse().unwrap(), call.path);
        let documented = match call.rate {
            Rate::Messages => Kind::Message,
            Rate::SignUp => Kind::SignUp,
            Rate::LogIn => Kind::LogIn,
            Rate::Search => Kind::Search,
            Rate::Members => Kind::Join,
            Rate::Other | Rate::None => Kind::Other,
        };
        assert_eq!(kind, documented, "{}", call.id);
    }
}

#[test]
fn the_cells_table_and_the_documents_name_the_same_paths() {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../cell/src/http/server.rs")).unwrap();
    let served: Vec<&str> = source.split("\"/v1/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(served.len() > 15, "this reads the table");
    let any = |path: &str| {
        let segment = |s: &str| if s.starts_with('{') { "*".to_owned() } else { s.to_owned() };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    };
    let documented: Vec<&Call> = calls().iter().filter(|call| call.group != skep_contract::Group::Router).collect();
    let served: Vec<String> = served.into_iter().map(any).collect();
    for call in &documented {
        let is_served = served.contains(&any(&call.path["/v1/".len()..]));
        assert!(is_served, "{} is documented and not served", call.path);
    }
    for path in &served {
        let is_documented = documented.iter().any(|call| any(&call.path["/v1/".len()..]) == *path);
        assert!(is_documented, "/v1/{path} is served and not documented");
    }
}

/// Each form of a call's JSON body: an example, and the schema of it.
fn forms(call: &Call) -> Vec<(Value, Value)> {
    let Some(body) = &call.body else { return Vec::new() };
    let examples = body.forms.iter().filter_map(|form| match form {
        Content::Json(shape) => Some(shape.examples.iter().map(|(_, value)| value.clone())),
        _ => None,
    });
    let schema = &openapi()["paths"][call.path][call.method.as_str().to_lowercase()]["requestBody"]["content"]["application/json"]
        ["schema"];
    let named = |schema: &Value| match schema["$ref"].as_str() {
        Some(path) => openapi().pointer(&path[1..]).unwrap().clone(),
        None => schema.clone(),
    };
    let schema = named(schema);
    let form_of = |example: &Value| match schema["oneOf"].as_array() {
        Some(forms) => forms.iter().find(|f| f["properties"]["kind"]["const"] == example["kind"]).unwrap().clone(),
        None => schema.clone(),
    };
    examples.flatten().map(|example| (form_of(&example), example)).map(|(form, example)| (example, form)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_field_is_read_and_the_required_ones_are_needed() {
    let hive: Arc<Deployment> = Deployment::start(1).await;
    let (anna, ben) = (hive.sign_up("anna").await, hive.sign_up("ben").await);
    let made = anna.post("/v1/conversations", json!({"kind": "channel", "title": "honey"})).await.expect(201);
    let channel = made["conversation"]["conversation_id"].as_str().unwrap();
    let mut fields = 0;
    for call in calls() {
        let method: Method = call.method.as_str().parse().unwrap();
        let path = path(call, channel, &ben);
        let faulty = async |body: &Value, field: &str, code: Option<&str>| {
            let reply = anna.call(method.clone(), &path, Some(body.clone())).await.refused(400, "invalid");
            let named = |e: &Value| e["field"] == field && code.is_none_or(|code| e["code"] == code);
            let found = reply["errors"].as_array().is_some_and(|errors| errors.iter().any(named));
            assert!(found, "{}: {field} of {body}: {reply}", call.id);
        };
        for (example, form) in forms(call) {
            let required = form["required"].as_array().cloned().unwrap_or_default();
            for field in form["properties"].as_object().unwrap().keys() {
                fields += 1;
                let mut wrong = example.clone();
                wrong[field] = json!({"not": ["this"]});
                faulty(&wrong, field, None).await;
                if required.iter().any(|name| name == field) {
                    wrong.as_object_mut().unwrap().remove(field);
                    faulty(&wrong, field, Some("required")).await;
                }
            }
        }
    }
    assert!(fields > 25, "{fields} fields");
}
