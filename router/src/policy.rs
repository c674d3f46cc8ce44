//! What browsers are told: which pages may call (CORS), and what may be done with what they get.

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use skep_gate::Origins;
use skep_protocol::{Code, Refusal};

use crate::answer::{Answer, page};

/// Answers are data: nothing in them runs, loads or is framed. Pages that need more say so themselves.
const NOTHING_RUNS: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const MAY_SEND: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, X-Request-Id");
const MAY_READ: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Allow",
);
/// Two hours: what browsers remember at most.
const REMEMBERED_S: u32 = 7_200;
/// A year.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The rules of one router.
pub(crate) struct Policy {
    origins: Origins,
    /// The public address is https: browsers are told to use no other.
    is_https: bool,
}

/// What an answer's headers depend on.
pub(crate) struct Asked {
    origin: Option<HeaderValue>,
    is_api: bool,
}

// === impl Asked ===

impl Asked {
    pub fn of<B>(request: &Request<B>) -> Self {
        let is_api = request.uri().path().starts_with("/v1/");
        Self { origin: request.headers().get(header::ORIGIN).cloned(), is_api }
    }
}

// === impl Policy ===

impl Policy {
    pub fn new(public_url: &str, allowed_origins: &[String]) -> Self {
        let is_https = public_url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        Self { origins: Origins::new(public_url, allowed_origins), is_https }
    }

    /// Whether a browser asks if a page may make a call. Tokens are no cookies: no credentials are spoken of.
    pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    pub fn preflight(&self, asked: &Asked) -> Result<Answer, Refusal> {
        if !asked.origin.as_ref().is_some_and(|origin| self.origins.allows(origin)) {
            let detail = "pages of this origin may not call here: the operator can name it in allowed_origins";
            return Err(Refusal::new(Code::NotAllowed, detail));
        }
        let mut answer = page(StatusCode::NO_CONTENT, "text/plain", "");
        let headers = answer.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, MAY_SEND);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S.into());
        Ok(answer)
    }

    /// What goes with every answer. What an answer says for itself stays.
    pub fn complete(&self, asked: &Asked, headers: &mut HeaderMap) {
        let mut by_default = |name: HeaderName, value: HeaderValue| {
            headers.entry(name).or_insert(value);
        };
        by_default(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // An address may hold the code of a link.
        by_default(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        by_default(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        by_default(header::CONTENT_SECURITY_POLICY, NOTHING_RUNS);
        if self.is_https {
            by_default(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
        if asked.is_api {
            by_default(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = asked.origin.as_ref().filter(|origin| self.origins.allows(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, MAY_READ);
        }
    }
}
