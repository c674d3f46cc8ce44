//! Calls to the router: one connection pool, safe repeats, typed answers.

mod calls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::{Serialize, de::DeserializeOwned};
use skep_protocol::{Code, Problem};
use skep_tls::Connector;

pub use self::calls::{
    Added, Created, HistoryPage, Link, Listed, MemberEntry, MembersPage, NewConversation, NotAdded, SignUp, SignedIn,
};
use crate::backoff::Backoff;

/// An answer may be so large: a page of the list with its last messages, and room to spare.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// One try.
const TRY: Duration = Duration::from_secs(20);

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("{method} {path}: {} ({}): {}", problem.code, problem.status, problem.detail)]
    Refused { method: Method, path: String, problem: Box<Problem> },
    #[error("{method} {path}: the router cannot be reached: {reason}")]
    Unreachable { method: Method, path: String, reason: String },
    #[error("{method} {path}: the answer ({status}) is not as documented: {reason}")]
    Answer { method: Method, path: String, status: u16, reason: String },
}

impl CallError {
    /// The code, where the server gave one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { problem, .. } => Some(problem.code),
            _ => None,
        }
    }
}

/// Calls to one router.
pub struct Http {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    base: String,
    patience: Duration,
    repeated: AtomicU64,
}

/// Whether a call may be made again when it is not known what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Repeat {
    /// The same effect however often.
    Safe,
    /// Only after an answer which says that nothing was done.
    IfRefused,
}

struct Call<'a> {
    method: Method,
    path: String,
    token: Option<&'a str>,
    body: Bytes,
    key: Option<&'a str>,
    repeat: Repeat,
}

impl Http {
    /// `base`: the router's URL, as `http://127.0.0.1:7700`. `patience`: how long one call is repeated.
    pub fn new(base: &str, patience: Duration) -> Self {
        Self::over(Connector::bare(), base, patience)
    }

    /// The same, and sockets too, by this connector: it knows which authorities to accept.
    pub fn over(connector: Connector, base: &str, patience: Duration) -> Self {
        let connector = connector.connect_timeout(Duration::from_secs(5));
        let pool = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(20)).clone();
        let client = pool.build(connector.clone());
        Self { client, connector, base: base.trim_end_matches('/').to_owned(), patience, repeated: AtomicU64::new(0) }
    }

    /// How many tries were repeats.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The router's URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, CallError> {
        let until = Instant::now() + self.patience;
        let mut backoff = Backoff::default();
        loop {
            let error = match self.once(&call).await {
                Ok((status, body)) => {
                    // An answer without a body stands for nothing at all.
                    let text: &[u8] = if body.is_empty() { b"null" } else { &body };
                    return serde_json::from_slice(text).map_err(|e| call.odd(status, e.to_string()));
                }
                Err(error) => error,
            };
            let wait = match (&error, call.repeat) {
                (CallError::Refused { problem, .. }, repeat) if may_repeat(problem.code, repeat) => problem
                    .retry_after_ms
                    .map_or_else(|| backoff.next(), |ms| Backoff::asked(Duration::from_millis(ms.into()))),
                (CallError::Unreachable { .. }, Repeat::Safe) => backoff.next(),
                _ => return Err(error),
            };
            if Instant::now() + wait > until {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<(u16, Bytes), CallError> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = call.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = call.key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Full::new(call.body.clone())).map_err(|e| call.unreachable(e.to_string()))?;
        let answer = tokio::time::timeout(TRY, async {
            let response = self.client.request(request).await.map_err(|e| call.unreachable(described(&e)))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            Ok((status, body.map_err(|e| call.unreachable(e.to_string()))?.to_bytes()))
        });
        let (status, body) = answer.await.unwrap_or_else(|_| Err(call.unreachable("no answer in time".to_owned())))?;
        if (200..300).contains(&status) {
            return Ok((status, body));
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(CallError::Refused {
                method: call.method.clone(),
                path: call.path.clone(),
                problem: Box::new(problem),
            }),
            Err(error) => Err(call.odd(status, error.to_string())),
        }
    }
}

impl<'a> Call<'a> {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), token: None, body: Bytes::new(), key: None, repeat: Repeat::Safe }
    }

    fn by(mut self, token: &'a str) -> Self {
        self.token = Some(token);
        self
    }

    fn with(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).expect("bodies hold nothing that JSON cannot").into();
        self
    }

    fn unreachable(&self, reason: String) -> CallError {
        CallError::Unreachable { method: self.method.clone(), path: self.path.clone(), reason }
    }

    fn odd(&self, status: u16, reason: String) -> CallError {
        CallError::Answer { method: self.method.clone(), path: self.path.clone(), status, reason }
    }
}

fn may_repeat(code: Code, repeat: Repeat) -> bool {
    match repeat {
        Repeat::Safe => code.retryable(),
        Repeat::IfRefused => matches!(code, Code::Busy | Code::RateLimited),
    }
}

/// With its causes: "client error (Connect)" alone says little.
pub(crate) fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
