//! Requests that are not quite as they should be.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{HeaderName, HeaderValue},
};
use rand::{RngExt, rngs::StdRng};
use serde_json::Value;
use skep_contract::{Call, Content, In, calls};

use super::{
    Scene,
    mutate::{bytes, json_text, one_of, text},
};

/// A body over the limit, of a JSON that would be right.
const OVERSIZED: usize = 300 * 1024;

/// Asks, and looks at what comes back: the fixture for its form, this for its status.
pub async fn ask_something(scene: &Scene, random: &mut StdRng) {
    let call = &calls()[random.random_range(0..calls().len())];
    let Some(request) = made(scene, random, call) else { return };
    let what = format!("{} {}", request.method(), request.uri());
    let reply = scene.hive.request(request).await;
    assert!(reply.status.as_u16() < 500, "{what}: {} {}", reply.status, reply.body);
}

/// `None`: not something that HTTP can say.
fn made(scene: &Scene, random: &mut StdRng, call: &Call) -> Option<Request<Full<Bytes>>> {
    let method = if random.random_bool(0.05) {
        one_of(random, &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "SWARM"])
    } else {
        call.method.as_str()
    };
    let target = format!("{}{}{}", scene.hive.url, path(scene, random, call), query(scene, random, call));
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers(scene, random, call) {
        request = request.header(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?);
    }
    request.body(Full::new(Bytes::from(body(scene, random, call)))).ok()
}

fn path(scene: &Scene, random: &mut StdRng, call: &Call) -> String {
    let segment = |random: &mut StdRng, segment: &str| {
        if random.random_bool(0.1) && (segment.starts_with('{') || random.random_bool(0.2)) {
            let odd = text(random);
            return escaped(&odd[..odd.floor_char_boundary(2_000)]);
        }
        match segment {
            "{id}" => scene.channel.clone(),
            "{user_id}" => one_of(random, &[&scene.anna.user_id, &scene.ben.user_id, "me"]).to_owned(),
            "{code}" => scene.code.clone(),
            "{session_id}" => "s_4b2m9x0000000000000000000a".to_owned(),
            fixed => fixed.to_owned(),
        }
    };
    // What comes before the first slash is the address, which must be found.
    let named = call.path.strip_prefix('/').unwrap_or_default().split('/');
    format!("/{}", named.map(|named| segment(random, named)).collect::<Vec<_>>().join("/"))
}

fn query(scene: &Scene, random: &mut StdRng, call: &Call) -> String {
    let named: Vec<&str> = call.parameters.iter().filter(|p| p.place == In::Query).map(|p| p.name).collect();
    if named.is_empty() && random.random_bool(0.9) {
        return String::new();
    }
    let pair = |random: &mut StdRng| {
        let name = if named.is_empty() || random.random_bool(0.1) { "limit" } else { one_of(random, &named) };
        let value = match random.random_range(0..5) {
            0 => "7".to_owned(),
            1 => scene.ben.username.clone(),
            2 => one_of(random, &["%", "%zz", "%ff%fe", "%00", "+", "&", "a=b", "%ed%a0%80"]).to_owned(),
            _ => escaped(&text(random).chars().take(500).collect::<String>()),
        };
        format!("{name}={value}")
    };
    let pairs: Vec<String> = (0..random.random_range(0..4)).map(|_| pair(random)).collect();
    format!("?{}", pairs.join("&"))
}

fn headers(scene: &Scene, random: &mut StdRng, call: &Call) -> Vec<(&'static str, Vec<u8>)> {
    let token = &scene.anna.token;
    let mut headers: Vec<(&'static str, Vec<u8>)> = match random.random_range(0..20) {
        0 => Vec::new(),
        1 => vec![("authorization", bytes(random, format!("Bearer {token}").as_bytes()))],
        2 => vec![("authorization", format!("Basic {token}").into_bytes())],
        3 => vec![("authorization", format!("Bearer  {token} ").into_bytes()), ("authorization", b"Bearer x".to_vec())],
        _ => vec![("authorization", format!("Bearer {token}").into_bytes())],
    };
    if call.body.is_some() || random.random_bool(0.1) {
        let kind = match random.random_range(0..12) {
            0 => one_of(
                random,
                &[
                    "",
                    "text/plain",
                    "application/json; charset=utf-16",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data",
                    "multipart/form-data; boundary=x",
                    "application/json, application/json",
                    "image/png",
                ],
            )
            .to_owned(),
            1 => text(random),
            _ => "application/json".to_owned(),
        };
        headers.push(("content-type", kind.into_bytes()));
    }
    if random.random_bool(0.2) {
        let name = [
            "idempotency-key",
            "x-request-id",
            "accept",
            "content-encoding",
            "x-forwarded-for",
            "x-skep-wrong-cell",
            "origin",
            "cookie",
            "range",
            "if-none-match",
            "accept-encoding",
            "forwarded",
        ];
        headers.push((one_of(random, &name), text(random).into_bytes()));
    }
    headers
}

fn body(scene: &Scene, random: &mut StdRng, call: &Call) -> Vec<u8> {
    let Some(taken) = &call.body else {
        return if random.random_bool(0.9) { Vec::new() } else { json_text(random, &Value::from(7)) };
    };
    let right: Vec<Value> = taken
        .forms
        .iter()
        .filter_map(|form| match form {
            Content::Json(shape) => Some(shape.examples.iter().map(|(_, value)| about(scene, value))),
            _ => None,
        })
        .flatten()
        .collect();
    if right.is_empty() || random.random_bool(0.03) {
        return (0..random.random_range(0..2_000)).map(|_| random.random()).collect();
    }
    let right = &right[random.random_range(0..right.len())];
    match random.random_range(0..40) {
        0 => Vec::new(),
        1 => right.to_string().into_bytes(),
        2 => format!("{}{right}", " ".repeat(OVERSIZED)).into_bytes(),
        3 => bytes(random, b"--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nanna\r\n--x--"),
        _ => json_text(random, right),
    }
}

/// An example, about the people who are there.
fn about(scene: &Scene, example: &Value) -> Value {
    let mut people = [&scene.ben, &scene.anna].into_iter().cycle();
    fn put(value: &mut Value, id: &mut dyn FnMut() -> String) {
        match value {
            Value::String(text) if text.starts_with("u_") => *text = id(),
            Value::Array(values) => values.iter_mut().for_each(|value| put(value, id)),
            Value::Object(fields) => fields.values_mut().for_each(|value| put(value, id)),
            _ => {}
        }
    }
    let mut value = example.clone();
    put(&mut value, &mut || people.next().map(|person| person.user_id.clone()).unwrap_or_default());
    if value.get("client_message_id").is_some() {
        value["client_message_id"] = uuid::Uuid::now_v7().to_string().into();
    }
    value
}

/// What a path or a query can hold of a text.
fn escaped(text: &str) -> String {
    let letter = |b: u8| {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }
    };
    text.bytes().map(letter).collect()
}
