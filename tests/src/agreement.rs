//! Every answer and every frame that tests get is held to the contract: what is not documented fails the test that
//! met it. Clients ignore what they do not know; here a field that is not documented is a fault.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use hyper::{HeaderMap, Method, StatusCode, header};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use skep_contract::{Call, Content};

const PROBLEM: &str = "application/problem+json";

/// Validators by what they are for: making one takes longer than using it.
static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// The named schemas of a document, without room for anything else.
static CALLS: LazyLock<Value> = LazyLock::new(|| closed(skep_contract::openapi()["components"]["schemas"].clone()));
static FRAMES: LazyLock<Value> = LazyLock::new(|| closed(skep_contract::asyncapi()["components"]["schemas"].clone()));

/// An answer of a router or a cell.
pub(crate) struct Answered<'a> {
    pub method: &'a Method,
    /// Without the query.
    pub path: &'a str,
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Panics when an answer is not as documented.
pub(crate) fn check_answer(answered: &Answered<'_>) {
    // What doors between processes say to strangers is no part of the contract, and no router lets it out.
    if answered.headers.contains_key("x-skep-refused") {
        return;
    }
    if let Err(fault) = answered.fault() {
        let Answered { method, path, status, body, .. } = answered;
        panic!("{method} {path} was answered {status}, {fault}:\n{}", String::from_utf8_lossy(body));
    }
}

/// Panics when a frame of a server is not as documented.
pub(crate) fn check_frame(frame: &Value) {
    let kind = frame["type"].as_str().unwrap_or_default();
    let message = &skep_contract::asyncapi()["components"]["messages"][format!("server.{kind}")];
    assert!(message.is_object(), "the server said something that is not documented: {frame}");
    let schema = || closed(message["payload"].clone());
    let fault = conforms(&format!("frame {kind}"), schema, &FRAMES, Draft::Draft7, frame);
    assert!(fault.is_ok(), "the server said {frame}, {}", fault.unwrap_err());
}

// === impl Answered ===

impl Answered<'_> {
    fn fault(&self) -> Result<(), String> {
        // Only a bug of ours says that.
        require(self.status != StatusCode::INTERNAL_SERVER_ERROR, "which is a bug")?;
        // Before there is a call: the document says so once for all.
        if self.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
            return require(self.body.is_empty(), "with a body, where none is documented");
        }
        if self.path.starts_with("/v1/") {
            require(self.headers.contains_key("x-request-id"), "without X-Request-Id")?;
        }
        match skep_contract::find(self.method.as_str(), self.path) {
            // A GET without its body: nothing is left to be held to.
            _ if self.method == Method::HEAD => Ok(()),
            Some(call) => self.as_documented(call),
            None if self.path.starts_with("/v1/") => self.of_no_call(),
            // A part of the house that is not of the contract.
            None => Ok(()),
        }
    }

    fn as_documented(&self, call: &Call) -> Result<(), String> {
        let (id, status) = (call.id, self.status.as_u16());
        let responses = &skep_contract::openapi()["paths"][call.path][call.method.as_str().to_lowercase()]["responses"];
        let response = &responses[status.to_string()];
        require(response.is_object(), "which is not documented")?;
        let Some(answer) = call.answer(status) else {
            self.is_problem()?;
            let schema = || closed(response["content"][PROBLEM]["schema"].clone());
            return conforms(&format!("{id} {status}"), schema, &CALLS, Draft::Draft202012, &self.json()?);
        };
        let (media_types, given) = (answer.content.media_types(), self.content_type());
        match &answer.content {
            Content::Nothing => require(self.body.is_empty(), "with a body, where none is documented"),
            _ if !media_types.contains(&given) => Err(format!("as {given}, not {}", media_types.join(" or "))),
            Content::Json(_) => {
                let schema = || closed(response["content"]["application/json"]["schema"].clone());
                conforms(&format!("{id} {status}"), schema, &CALLS, Draft::Draft202012, &self.json()?)
            }
            _ => require(!self.body.is_empty(), "with nothing in it"),
        }
    }

    /// What is refused wherever it is not found out to be a call.
    fn of_no_call(&self) -> Result<(), String> {
        require([401, 403, 404, 405, 413, 429, 503, 204].contains(&self.status.as_u16()), "which is no call")?;
        if self.status == 204 {
            return require(self.method == Method::OPTIONS, "to what is no call");
        }
        if self.status == 405 {
            let allowed = self.headers.get(header::ALLOW).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let mut allowed: Vec<&str> = allowed.split(',').map(str::trim).filter(|m| *m != "HEAD").collect();
            let mut documented: Vec<&str> = methods_of(self.path);
            allowed.sort_unstable();
            documented.sort_unstable();
            require(allowed == documented, &format!("and takes {allowed:?}, but {documented:?} are documented"))?;
        }
        self.is_problem()?;
        let schema = || json!({"$ref": "#/components/schemas/Problem"});
        conforms("any problem", schema, &CALLS, Draft::Draft202012, &self.json()?)
    }

    fn is_problem(&self) -> Result<(), String> {
        let problem = self.json()?;
        require(self.content_type() == PROBLEM, "which is no problem document")?;
        require(problem["status"] == self.status.as_u16(), "which is not the status it says")?;
        require(
            problem["type"] == format!("/errors/{}", problem["code"].as_str().unwrap_or_default()),
            "of another page",
        )?;
        let waits = self.headers.contains_key(header::RETRY_AFTER);
        require(waits == problem["retry_after_ms"].is_u64(), "whose Retry-After is not what retry_after_ms says")?;
        let asks = self.headers.get(header::WWW_AUTHENTICATE).is_some_and(|v| v == "Bearer");
        require(asks == (self.status == 401), "whose WWW-Authenticate is not as documented")
    }

    fn content_type(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(self.body).map_err(|error| format!("which is not JSON: {error}"))
    }
}

fn methods_of(path: &str) -> Vec<&'static str> {
    let named = |method: &&str| skep_contract::find(method, path).is_some();
    ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(named).collect()
}

fn require(holds: bool, fault: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(fault.to_owned()) }
}

fn conforms(what: &str, schema: impl Fn() -> Value, named: &Value, draft: Draft, value: &Value) -> Result<(), String> {
    let made = MADE.lock().unwrap().get(what).cloned();
    let validator = made.unwrap_or_else(|| {
        let mut whole = schema();
        whole["components"] = json!({"schemas": named});
        let options = jsonschema::options().with_draft(draft).should_validate_formats(true);
        let validator = Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("the schema of {what}: {error}")));
        MADE.lock().unwrap().insert(what.to_owned(), Arc::clone(&validator));
        validator
    });
    let faults: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if faults.is_empty() { Ok(()) } else { Err(format!("which is not as documented ({what}): {}", faults.join("; "))) }
}

/// The same schema, whose objects have no fields but those it names.
fn closed(mut schema: Value) -> Value {
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("type").is_some_and(|kind| kind == "object") && fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(method: &Method, path: &str, status: u16, body: &Value) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "1".parse().unwrap());
        let kind = if status < 400 { "application/json" } else { PROBLEM };
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let (status, body) = (StatusCode::from_u16(status).unwrap(), body.to_string());
        Answered { method, path, status, headers: &headers, body: body.as_bytes() }.fault().err()
    }

    #[test]
    fn what_is_not_documented_is_a_fault() {
        let route = json!({"cell_id": 1, "socket_url": "ws://x/v1/socket"});
        assert_eq!(fault(&Method::GET, "/v1/route", 200, &route), None);
        let problem = json!({"type": "/errors/not_found", "title": "x", "status": 404, "detail": "x", "code": "not_found", "request_id": "1"});
        assert_eq!(fault(&Method::GET, "/v1/users/u_x", 404, &problem), None);
        for (path, status, body, said) in [
            ("/v1/route", 201, route.clone(), "not documented"),
            ("/v1/route", 200, json!({"cell_id": 1}), "socket_url"),
            ("/v1/route", 200, json!({"cell_id": 0, "socket_url": "x"}), "/cell_id"),
            ("/v1/route", 200, json!({"cell_id": 1, "socket_url": "x", "secret": 1}), "secret"),
            ("/v1/route", 404, problem.clone(), "not documented"),
            ("/v1/users/u_x", 404, json!({"code": "not_found"}), "status"),
            ("/v1/nothing", 200, route, "no call"),
            ("/v1/me", 500, problem, "bug"),
        ] {
            let fault = fault(&Method::GET, path, status, &body).unwrap_or_default();
            assert!(fault.contains(said), "{path} {status} {body}: {fault}");
        }
    }

    #[test]
    fn frames_have_no_fields_that_are_not_documented() {
        check_frame(&json!({"type": "synced", "sync_token": "x"}));
        for bad in [json!({"type": "dance"}), json!({"type": "synced"}), json!({"type": "moved", "to": 1})] {
            assert!(std::panic::catch_unwind(|| check_frame(&bad)).is_err(), "{bad}");
        }
    }
}
