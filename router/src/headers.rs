//! Headers on their way through: what belongs to one connection only stays behind, and what only we may say is ours.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Request,
    header::{self, HeaderName, HeaderValue},
};
use skep_protocol::{Code, Epoch, Refusal};

use crate::limits;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// By which a cell says that it does not own the slot, and which map it goes by. Never seen by clients.
const WRONG_CELL: HeaderName = HeaderName::from_static("x-skep-wrong-cell");
/// Words between cells and routers. A client's are dropped.
const INTERNAL: &str = "x-skep-";

/// Headers of one connection (RFC 9110, 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a client may not say for itself, and what is made anew for the way to the cell.
const REMADE: &[&str] = &[
    "host",
    "content-length",
    "expect",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// What is wrong with the size of a request's head, if anything is.
pub(crate) fn check_head<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.len() > limits::HEADERS {
        return Err(Refusal::new(Code::TooLarge, format!("a request has at most {} headers", limits::HEADERS)));
    }
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if lines + target > limits::HEAD_BYTES {
        let detail = format!("a request's line and headers have at most {} KiB", limits::HEAD_BYTES / 1024);
        return Err(Refusal::new(Code::TooLarge, detail));
    }
    Ok(())
}

/// A client's headers, made ready for the cell. Who asks is the router's to say.
pub(crate) fn for_cell(mut headers: HeaderMap, client: IpAddr, request_id: &HeaderValue) -> HeaderMap {
    strip(&mut headers);
    for name in REMADE {
        headers.remove(*name);
    }
    if let Ok(client) = HeaderValue::from_str(&client.to_canonical().to_string()) {
        headers.insert(FORWARDED_FOR, client);
    }
    headers.insert(REQUEST_ID, request_id.clone());
    headers
}

/// A cell's headers, made ready for the client.
pub(crate) fn for_client(headers: &mut HeaderMap) {
    strip(headers);
}

/// The id by which a request is known: the client's, if it is one, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        (1..=limits::REQUEST_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(REQUEST_ID).filter(sane).cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&format!("{:032x}", rand::random::<u128>())).expect("hexadecimal letters are visible")
    })
}

/// The epoch that a cell names when it does not own the slot.
pub(crate) fn wrong_cell(headers: &HeaderMap) -> Option<Epoch> {
    let epoch = headers.get(WRONG_CELL)?;
    // An epoch that cannot be read asks for nothing newer, and is tried again like any other.
    Some(Epoch(epoch.to_str().ok().and_then(|e| e.parse().ok()).unwrap_or_default()))
}

/// Why a cell does not take calls of this router.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<&str> {
    headers.get(skep_inside::REFUSED).map(|reason| reason.to_str().unwrap_or_default())
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Nobody takes the caller's name off by calling it a matter of the connection.
        .filter(|name| *name != header::AUTHORIZATION && *name != header::CONTENT_TYPE)
        .collect();
    let internal: Vec<HeaderName> = headers.keys().filter(|n| n.as_str().starts_with(INTERNAL)).cloned().collect();
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
    for name in named.iter().chain(&internal) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse::<HeaderName>().unwrap(), HeaderValue::from_str(v).unwrap())).collect()
    }

    #[test]
    fn what_belongs_to_a_connection_stays_behind() {
        let given = headers(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-skep-wrong-cell", "5"),
            ("x-skep-cluster-secret", "a guess"),
            ("host", "chat.example.org"),
            ("authorization", "Bearer x"),
            ("idempotency-key", "k"),
        ]);
        let sent = for_cell(given, "::ffff:127.0.0.1".parse().unwrap(), &HeaderValue::from_static("r"));
        let expected = headers(&[
            ("authorization", "Bearer x"),
            ("idempotency-key", "k"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-request-id", "r"),
        ]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_sane_request_id_is_kept() {
        let long = "x".repeat(65);
        for (given, kept) in [("abc-1", true), (&long, false), ("a b", false), ("", false)] {
            let id = request_id(&headers(&[("x-request-id", given)]));
            assert_eq!(id == given, kept, "{given}");
            assert!((1..=64).contains(&id.len()));
        }
    }
}
