//! Errors over HTTP: RFC 9457 problem documents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Code, FieldError, Refusal};

/// The body of every HTTP error, `application/problem+json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The page about the code, relative to the router.
    #[serde(rename = "type")]
    pub page: String,
    /// A few words about the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for a person.
    pub detail: String,
    pub code: Code,
    /// As in `X-Request-Id`: the operators find the request by it.
    pub request_id: String,
    /// When to try again, in milliseconds; absent where that does not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
    /// The fields at fault; absent where it is not about fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A refusal as the answer to a request.
    pub fn new(refusal: Refusal, request_id: &str) -> Self {
        let Refusal { code, detail, retry_after_ms, errors } = refusal;
        Self {
            page: format!("/errors/{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail,
            code,
            request_id: request_id.to_owned(),
            retry_after_ms,
            errors,
        }
    }

    /// The header `Retry-After`: whole seconds, rounded up.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1))
    }
}
