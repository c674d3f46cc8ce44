//! JSON bodies, field by field: everything that is wrong is said at once, each with its field.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
    http::header,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use skep_protocol::{Code, FieldCode, FieldError, FieldIssue, Refusal, UserId, limits};

use super::answer::Failure;

/// The fields of a JSON object, and what was found wrong with them so far.
pub(super) struct Fields {
    object: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        if !is_json(&request) {
            return Err(
                Refusal::new(Code::Unsupported, "send a JSON object, with Content-Type: application/json").into()
            );
        }
        let bytes = read(request.into_body()).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self::of(object)),
            Ok(_) => Err(invalid("the body is not a JSON object").into()),
            Err(error) => Err(invalid(&format!("the body is not valid JSON: {error}")).into()),
        }
    }
}

impl Fields {
    /// Fields that came otherwise than in a JSON body.
    pub fn of(object: Map<String, Value>) -> Self {
        Self { object, errors: Vec::new() }
    }

    /// A field that may be absent; null counts as absent.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.read(name, value),
        }
    }

    /// A field that must be there.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.object.remove(name) {
            None | Some(Value::Null) => {
                self.fault(name, FieldCode::Required, format!("{name} is needed"));
                None
            }
            Some(value) => self.read(name, value),
        }
    }

    /// A field of which absent and null mean different things.
    pub fn nullable<T: DeserializeOwned>(&mut self, name: &str) -> Option<Option<T>> {
        match self.object.remove(name) {
            None => None,
            Some(Value::Null) => Some(None),
            Some(value) => self.read(name, value).map(Some),
        }
    }

    /// A required list of people, at most 100; repeats and `but` are left out.
    pub fn people(&mut self, name: &str, but: Option<UserId>) -> Option<Vec<UserId>> {
        self.required::<Vec<Value>>(name).and_then(|values| self.ids(name, values, but))
    }

    /// The same, and none when it is absent.
    pub fn optional_people(&mut self, name: &str, but: Option<UserId>) -> Option<Vec<UserId>> {
        match self.optional::<Vec<Value>>(name) {
            None => Some(Vec::new()),
            Some(values) => self.ids(name, values, but),
        }
    }

    /// Takes a value that passed a check, or notes what was wrong.
    pub fn checked<T>(&mut self, name: &str, checked: Result<T, FieldIssue>) -> Option<T> {
        checked.map_err(|issue| self.fault(name, issue.code, issue.detail)).ok()
    }

    /// Notes what is wrong with a field.
    pub fn fault(&mut self, name: &str, code: FieldCode, detail: impl Into<String>) {
        self.errors.push(FieldError { field: name.to_owned(), code, detail: detail.into() });
    }

    /// A text, if it is there, that passes a check.
    pub fn text(&mut self, name: &str, check: fn(&str) -> Result<(), FieldIssue>) -> Option<String> {
        let text = self.optional::<String>(name)?;
        self.checked(name, check(&text)).map(|()| text)
    }

    /// A text that must be there and pass a check.
    pub fn needed_text(&mut self, name: &str, check: fn(&str) -> Result<(), FieldIssue>) -> Option<String> {
        let text = self.required::<String>(name)?;
        self.checked(name, check(&text)).map(|()| text)
    }

    /// The refusal, if anything was wrong. Asked when all fields were read; until then nothing may be done.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let details: Vec<&str> = self.errors.iter().map(|e| e.detail.as_str()).collect();
        Err(Refusal { errors: self.errors.clone(), ..invalid(&details.join("; ")) })
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, value: Value) -> Option<T> {
        let read = serde_json::from_value(value);
        read.map_err(|error| self.fault(name, code_of(&error), not_as_documented(name, &error))).ok()
    }

    fn ids(&mut self, name: &str, values: Vec<Value>, but: Option<UserId>) -> Option<Vec<UserId>> {
        if values.len() > limits::IDS_PER_CALL {
            self.fault(name, FieldCode::TooLong, format!("{name} takes at most {} ids", limits::IDS_PER_CALL));
            return None;
        }
        let mut ids = Vec::with_capacity(values.len());
        for value in values {
            let id = self.read(name, value)?;
            if Some(id) != but && !ids.contains(&id) {
                ids.push(id);
            }
        }
        Some(ids)
    }
}

/// Serde says in words which of the two it is.
fn code_of(error: &serde_json::Error) -> FieldCode {
    if error.to_string().starts_with("invalid type") { FieldCode::Type } else { FieldCode::Format }
}

/// The client's own value may be part of the sentence: it is not given back whole.
fn not_as_documented(name: &str, error: &serde_json::Error) -> String {
    format!("{name} is not as documented: {error}").chars().take(200).collect()
}

/// A device's name, as its person gave it.
pub(super) fn check_device(text: &str) -> Result<(), FieldIssue> {
    let issue = |code, detail| Err(FieldIssue { code, detail });
    match text.chars().count() {
        101.. => issue(FieldCode::TooLong, "a device's name has at most 100 characters"),
        _ if text.chars().any(char::is_control) => {
            issue(FieldCode::Format, "a device's name has no control characters")
        }
        _ => Ok(()),
    }
}

pub(super) fn invalid(detail: &str) -> Refusal {
    Refusal::new(Code::Invalid, detail)
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn read(body: Body) -> Result<bytes::Bytes, Failure> {
    to_bytes(body, limits::BODY_BYTES).await.map_err(|_| {
        Refusal::new(Code::TooLarge, format!("a body has at most {} KiB", limits::BODY_BYTES / 1024)).into()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skep_protocol::{Millis, Role, Seq};

    use super::*;

    #[test]
    fn a_field_is_of_another_type_or_not_of_the_form() {
        let user = UserId::new("anna", Millis(1), 1).to_string();
        let mut fields = Fields { object: Map::new(), errors: Vec::new() };
        let mut put = |name: &str, value: Value| _ = fields.object.insert(name.to_owned(), value);
        put("list", json!("no list"));
        put("id", json!(5));
        put("other id", json!("u_nobody"));
        put("seq", json!("5"));
        put("negative", json!(-5));
        put("role", json!("queen"));
        put("ids", json!([user, user, 5]));
        put("null", json!(null));
        assert_eq!(fields.people("list", None), None);
        assert_eq!((fields.required::<UserId>("id"), fields.required::<UserId>("other id")), (None, None));
        assert_eq!((fields.required::<Seq>("seq"), fields.required::<Seq>("negative")), (None, None));
        assert_eq!(fields.required::<Role>("role"), None);
        assert_eq!(fields.people("ids", None), None);
        assert_eq!((fields.optional::<String>("null"), fields.required::<String>("absent")), (None, None));
        let codes: Vec<FieldCode> = fields.errors.iter().map(|error| error.code).collect();
        use FieldCode::{Format, Required, Type};
        assert_eq!(codes, [Type, Type, Format, Type, Format, Format, Type, Required]);
        assert_eq!(fields.finish().unwrap_err().errors.len(), 8);
    }
}
