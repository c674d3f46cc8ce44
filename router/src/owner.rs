//! The slot that a call is about.

use hyper::{HeaderMap, header};
use serde_json::Value;
use skep_protocol::{Code, Refusal, SessionToken, Slot, UserId, canonical_email, canonical_username};

use crate::multipart;

/// For a call that names nobody: whichever cell gets it refuses it, and says what is wrong.
const ANYWHERE: Slot = Slot(0);
/// Letters of a link's code: four hexadecimal ones of its slot, and the random ones.
const CODE_LETTERS: usize = 24;

/// The caller's slot. Whether the token holds is for the cell to say.
pub(crate) fn of_token(headers: &HeaderMap) -> Result<Slot, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let Some((scheme, token)) = header.and_then(|h| h.split_once(' ')) else {
        return Err(unauthenticated("this call needs a token: Authorization: Bearer TOKEN"));
    };
    let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().parse::<SessionToken>().ok()).flatten();
    token.map(|t| t.session_id.slot()).ok_or_else(|| unauthenticated("this is not a token: log in to get one"))
}

/// Where a link leads. The path's last segment is its code.
pub(crate) fn of_link(path: &str) -> Result<Slot, Refusal> {
    let code = path.rsplit('/').next().unwrap_or_default();
    let well_formed = code.len() == CODE_LETTERS
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && code.bytes().take(4).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let slot = well_formed.then(|| u16::from_str_radix(&code[..4], 16).ok()).flatten();
    slot.map(Slot).ok_or_else(|| Refusal::new(Code::NotFound, "this link leads nowhere: ask for a new one"))
}

/// Whose image it is. The path's third segment is the person.
pub(crate) fn of_image(path: &str) -> Result<Slot, Refusal> {
    let user = path.split('/').nth(3).and_then(|id| id.parse::<UserId>().ok());
    user.map(UserId::slot).ok_or_else(|| Refusal::new(Code::NotFound, "there is no such image"))
}

/// Where somebody who signs up will live.
pub(crate) fn of_sign_up(headers: &HeaderMap, body: &[u8]) -> Slot {
    let content_type = content_type(headers);
    let username = if multipart::is_form(content_type) {
        multipart::text_part(content_type, body, "username").map(str::to_owned)
    } else {
        field(body, "username")
    };
    username.map_or(ANYWHERE, |name| of_username(&name))
}

/// Where a log-in is decided: at the cell of the username, or at the one of the address's claim.
pub(crate) fn of_log_in(body: &[u8]) -> Slot {
    match field(body, "login") {
        Some(login) if login.contains('@') => canonical_email(&login).map_or(ANYWHERE, |e| Slot::of_email(&e)),
        Some(login) => of_username(&login),
        None => ANYWHERE,
    }
}

/// The content type as it was sent; empty when there is none.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

fn of_username(name: &str) -> Slot {
    canonical_username(name).map_or(ANYWHERE, |name| Slot::of_username(&name))
}

/// A text field of a JSON object. Read as the cell reads it: the last of several counts.
fn field(body: &[u8], name: &str) -> Option<String> {
    match serde_json::from_slice(body).ok()? {
        Value::Object(mut object) => match object.remove(name)? {
            Value::String(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn unauthenticated(detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, detail)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use skep_protocol::{Millis, SECRET_BYTES, SessionId};

    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn tokens_lead_to_their_slot_or_are_refused() {
        let user = UserId::new("anna", Millis(5), 7);
        let token = SessionToken::new(SessionId::new(user, 9), [7; SECRET_BYTES]).to_text();
        for scheme in ["Bearer", "bearer"] {
            assert_eq!(of_token(&with(header::AUTHORIZATION, &format!("{scheme} {token}"))), Ok(user.slot()));
        }
        for bad in [token.clone(), "Bearer".to_owned(), "Bearer x".to_owned(), format!("Basic {token}")] {
            let refusal = of_token(&with(header::AUTHORIZATION, &bad)).unwrap_err();
            assert_eq!(refusal.code, Code::Unauthenticated, "{bad}");
        }
        assert_eq!(of_token(&HeaderMap::new()).unwrap_err().code, Code::Unauthenticated);
    }

    #[test]
    fn paths_lead_to_the_slot_they_name_or_nowhere() {
        assert_eq!(of_link("/v1/links/00ffABCDEFGHIJKLMNOPQR_-"), Ok(Slot(0xff)));
        for bad in ["", "00ff", "00fgABCDEFGHIJKLMNOPQR_-", "+0ffABCDEFGHIJKLMNOPQR_-", "00ffABCDEFGHIJKLMNOPQR%20"] {
            assert_eq!(of_link(&format!("/v1/links/{bad}")).unwrap_err().code, Code::NotFound, "{bad}");
        }
        let user = UserId::new("anna", Millis(5), 7);
        assert_eq!(of_image(&format!("/v1/images/{user}/v1.webp")), Ok(user.slot()));
        assert_eq!(of_image("/v1/images/anna/v1.webp").unwrap_err().code, Code::NotFound);
    }

    #[test]
    fn bodies_lead_to_a_name_or_anywhere() {
        let json = with(header::CONTENT_TYPE, "application/json");
        let form = with(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
        let part = b"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nANNA\r\n--b--";
        let anna = Slot::of_username("anna");
        assert_eq!(of_sign_up(&json, br#"{"username": "Anna", "more": [1]}"#), anna);
        assert_eq!(of_sign_up(&json, br#"{"username": "ben", "username": "anna"}"#), anna);
        assert_eq!(of_sign_up(&form, part), anna);
        for lacking in [&b"{}"[..], b"[]", b"{", b"", br#"{"username": 5}"#, br#"{"username": "a b"}"#] {
            assert_eq!(of_sign_up(&json, lacking), ANYWHERE);
        }
        assert_eq!(of_log_in(br#"{"login": "ANNA"}"#), anna);
        assert_eq!(of_log_in(br#"{"login": "Anna@Example.org"}"#), Slot::of_email("anna@example.org"));
        assert_eq!(of_log_in(br#"{"login": "@"}"#), ANYWHERE);
        assert_eq!(of_log_in(br#"{"password": "anna"}"#), ANYWHERE);
    }
}
