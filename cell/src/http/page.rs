//! Lists: their queries, and where a page ended.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::Deserialize;
use skep_protocol::{FieldCode, Millis, Refusal, Seq, UserId, limits};
use xxhash_rust::xxh3::xxh3_64;

use super::{answer::Failure, body::invalid};

/// How long a cursor is good for.
const CURSOR_MS: i64 = 60 * 60 * 1_000;

/// What a list may be asked with. A parameter that a call does not know is ignored.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    limit: Option<String>,
    cursor: Option<String>,
    pub query: Option<String>,
    pub size: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(asked),
            Err(error) => Err(invalid(&format!("the query cannot be read: {}", error.body_text())).into()),
        }
    }
}

impl Asked {
    /// How many entries are wanted.
    pub fn limit(&self) -> Result<usize, Refusal> {
        match &self.limit {
            None => Ok(limits::PAGE_DEFAULT as usize),
            Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                // However large the number is.
                match text.parse().unwrap_or(u64::MAX) {
                    0 => Err(parameter("limit", "limit is a number from 1 to 100")),
                    limit => Ok(limit.min(u64::from(limits::PAGE)) as usize),
                }
            }
            Some(_) => Err(parameter("limit", "limit is a number from 1 to 100")),
        }
    }

    /// Where the page before ended, when this call and this person were given it within the last hour.
    pub fn cursor(&self, call: &str, user: UserId, now: Millis) -> Result<Option<String>, Refusal> {
        self.cursor.as_deref().map(|text| read(text, call, user, now).ok_or_else(stale)).transpose()
    }

    pub fn before(&self) -> Result<Option<Seq>, Refusal> {
        seq("before", self.before.as_deref())
    }

    pub fn after(&self) -> Result<Option<Seq>, Refusal> {
        seq("after", self.after.as_deref())
    }
}

/// A cursor that leads behind `position`. Its check sum binds it to the call and the person; it keeps no secret.
pub(super) fn cursor(call: &str, user: UserId, now: Millis, position: &str) -> String {
    format!("{:x}.{:016x}.{position}", now.0, check(call, user, now.0, position))
}

/// A cursor that is not, or no longer, good.
pub(super) fn stale() -> Refusal {
    parameter("cursor", "this cursor is not, or no longer, good for this call: begin anew without it")
}

fn read(text: &str, call: &str, user: UserId, now: Millis) -> Option<String> {
    let (issued, rest) = text.split_once('.')?;
    let (given, position) = rest.split_once('.')?;
    let issued = i64::from_str_radix(issued, 16).ok()?;
    let fresh = (0..=CURSOR_MS).contains(&(now.0.checked_sub(issued)?));
    let whole = u64::from_str_radix(given, 16).ok()? == check(call, user, issued, position);
    (fresh && whole).then(|| position.to_owned())
}

fn check(call: &str, user: UserId, issued: i64, position: &str) -> u64 {
    xxh3_64(format!("{call}|{user}|{issued}|{position}").as_bytes())
}

fn seq(name: &str, text: Option<&str>) -> Result<Option<Seq>, Refusal> {
    let read =
        text.map(|text| text.parse().map(Seq).map_err(|_| parameter(name, &format!("{name} is a seq, such as 17"))));
    read.transpose()
}

fn parameter(name: &str, detail: &str) -> Refusal {
    Refusal::field(skep_protocol::Code::Invalid, name, FieldCode::Format, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_call_its_person_and_an_hour() {
        let (anna, ben) = (UserId::new("anna", Millis(1), 1), UserId::new("ben", Millis(1), 2));
        let text = cursor("users", anna, Millis(1_000), "x.y");
        assert_eq!(read(&text, "users", anna, Millis(1_000 + CURSOR_MS)), Some("x.y".to_owned()));
        assert_eq!(read(&text, "users", anna, Millis(1_001 + CURSOR_MS)), None);
        assert_eq!(read(&text, "members", anna, Millis(1_000)), None);
        assert_eq!(read(&text, "users", ben, Millis(1_000)), None);
        assert_eq!(read(&text.replace("x.y", "x.z"), "users", anna, Millis(1_000)), None);
    }
}
