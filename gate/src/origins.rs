//! From which pages browsers may call.

use std::str::FromStr;

use http::{HeaderValue, Uri};

/// The origins whose pages may call: that of the public address always, others by configuration. Who sends no origin
/// is no browser, and may.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
    all: bool,
}

/// A text that no browser sends as an origin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotAnOrigin(pub String);

impl Origins {
    /// `public_url` and these; `*` allows all. What is no origin matches none: configurations are checked before.
    pub fn new(public_url: &str, others: &[String]) -> Self {
        let all = others.iter().any(|other| other == "*");
        let allowed = others.iter().map(String::as_str).chain([public_url]).filter_map(|url| origin_of(url).ok());
        Self { allowed: allowed.collect(), all }
    }

    /// Whether pages of this origin may call.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.all || self.allowed.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
    }

    /// Whether a setting is an origin, or `*`.
    pub fn check(text: &str) -> Result<(), NotAnOrigin> {
        match origin_of(text) {
            _ if text == "*" => Ok(()),
            Ok(_) if Uri::from_str(text).is_ok_and(|uri| uri.path() == "/" && !text.ends_with('/')) => Ok(()),
            _ => Err(NotAnOrigin(text.to_owned())),
        }
    }
}

impl std::fmt::Display for NotAnOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no origin; one looks like https://chat.example.org or http://localhost:5173", self.0)
    }
}

impl std::error::Error for NotAnOrigin {}

/// An address's origin, as browsers write it: without a port that goes without saying.
fn origin_of(url: &str) -> Result<String, NotAnOrigin> {
    let none = || NotAnOrigin(url.to_owned());
    let uri = Uri::from_str(url).map_err(|_| none())?;
    let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(none)?;
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return Err(none());
    }
    let host = authority.host().to_lowercase();
    Ok(match (scheme, authority.port_u16()) {
        ("http", None | Some(80)) | ("https", None | Some(443)) | (_, None) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_and_those_named_may_call() {
        let others = ["http://localhost:5173".to_owned(), "https://Other.example.org:443".to_owned()];
        let origins = Origins::new("https://Chat.example.org/", &others);
        for (origin, allowed) in [
            ("https://chat.example.org", true),
            ("http://localhost:5173", true),
            ("https://other.example.org", true),
            ("http://chat.example.org", false),
            ("https://chat.example.org:8443", false),
            ("https://chat.example.org.evil.test", false),
            ("https://evil.test/https://chat.example.org", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins.allows(&HeaderValue::from_static(origin)), allowed, "{origin}");
        }
        assert!(Origins::new("http://x", &["*".to_owned()]).allows(&HeaderValue::from_static("null")));
    }

    #[test]
    fn settings_are_origins_or_refused() {
        for good in ["*", "http://localhost:5173", "https://chat.example.org", "http://[::1]:3000", "tauri://localhost"]
        {
            assert_eq!(Origins::check(good), Ok(()), "{good}");
        }
        for bad in ["", "chat.example.org", "https://", "https://x/", "https://x/app", "https://me@x", "null"] {
            assert!(Origins::check(bad).is_err(), "{bad}");
        }
    }
}
