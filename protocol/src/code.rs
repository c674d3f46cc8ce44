//! Error codes: append-only, each with a page in `errors/`, each saying whether to try again.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal, $status:literal, $title:literal;)*) => {
        /// Why something was refused. Numbers travel between cells, texts to clients.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = "ErrorCode")]
        pub enum Code { $(#[doc = $title] $name = $number,)* }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as clients see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status it comes with.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A few words for a person.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The page about it, in Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../errors/", $text, ".md")),)* }
            }
        }
    };
}

codes! {
    Invalid = 1, "invalid", 400, "The request is not as documented";
    Unauthenticated = 2, "unauthenticated", 401, "You are not logged in";
    NotAllowed = 3, "not_allowed", 403, "This is not yours to do";
    NotFound = 4, "not_found", 404, "There is nothing here";
    Method = 5, "method", 405, "This address does not take that method";
    Conflict = 6, "conflict", 409, "It clashes with what is there";
    LimitReached = 7, "limit_reached", 409, "A limit is reached";
    TooLarge = 8, "too_large", 413, "The request is too large";
    Unsupported = 9, "unsupported", 415, "This format is not supported";
    RateLimited = 10, "rate_limited", 429, "Too many requests";
    Internal = 11, "internal", 500, "Something is wrong on our side";
    Busy = 12, "busy", 503, "Too much to do at the moment";
    Unavailable = 13, "unavailable", 503, "A part cannot be reached at the moment";
}

impl Code {
    /// The code of a number from another cell; unknown ones (of a newer version) count as `internal`.
    pub fn from_number(number: u32) -> Self {
        Self::ALL.iter().copied().find(|c| *c as u32 == number).unwrap_or(Self::Internal)
    }

    /// Whether the same request may succeed later.
    pub fn retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Internal | Self::Busy | Self::Unavailable)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with one field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldCode {
    /// It is not there.
    Required = 1,
    /// It is of another JSON type.
    Type = 2,
    /// It has too few characters or entries.
    TooShort = 3,
    /// It has too many characters, bytes or entries.
    TooLong = 4,
    /// It is not written as documented.
    Format = 5,
    /// Somebody else has it.
    Taken = 6,
    /// It is on the list of common passwords.
    Common = 7,
    /// It was used for something else before.
    Reused = 8,
}

impl FieldCode {
    /// The code of a number from another cell; `None` for those of a newer version.
    pub fn from_number(number: u32) -> Option<Self> {
        use FieldCode::{Common, Format, Required, Reused, Taken, TooLong, TooShort, Type};
        let all = [Required, Type, TooShort, TooLong, Format, Taken, Common, Reused];
        all.into_iter().find(|code| *code as u32 == number)
    }
}

/// One field of a request that cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// Its name in the body, the query or the frame.
    pub field: String,
    pub code: FieldCode,
    /// A sentence for a person.
    pub detail: String,
}

/// A refusal on its way to whoever asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    pub code: Code,
    /// A sentence for a person: what is wrong and what to do.
    pub detail: String,
    /// When to try again, where that can help.
    pub retry_after_ms: Option<u32>,
    /// The fields at fault, where it is about fields.
    pub errors: Vec<FieldError>,
}

impl Refusal {
    /// A refusal without fields; retryable codes ask for a second's patience.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_ms = code.retryable().then_some(1_000);
        Self { code, detail: detail.into(), retry_after_ms, errors: Vec::new() }
    }

    /// The same with another delay, in milliseconds.
    pub fn after(mut self, retry_after_ms: u32) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// A refusal about one field.
    pub fn field(code: Code, field: impl Into<String>, field_code: FieldCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let error = FieldError { field: field.into(), code: field_code, detail: detail.clone() };
        Self { code, detail, retry_after_ms: None, errors: vec![error] }
    }
}

/// Why a socket is closed. 40xx: come back; 41xx: do not come back as you are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum CloseCode {
    Done = 1000,
    GoingAway = 4000,
    Busy = 4001,
    Silent = 4002,
    Moved = 4003,
    Unauthenticated = 4100,
    Protocol = 4101,
    TooLarge = 4102,
    TooManyConnections = 4103,
}

impl CloseCode {
    /// The number in the close frame.
    pub fn number(self) -> u16 {
        self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_number_text_and_page() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, i + 1, "numbers are append-only");
            assert_eq!(Code::from_number(*code as u32), *code);
            assert!(code.page().starts_with(&format!("# {code}")), "the page of {code} names it");
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
    }
}
