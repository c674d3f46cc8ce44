//! Refusals as answers. A handler's refusal becomes a problem document in one place, where the request's id is known.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::{
    body::Body,
    extract::{FromRequestParts, Request},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use skep_gate::{Kind, Limited, Standing};
use skep_inside::{REFUSED, Stranger};
use skep_protocol::{Code, Epoch, Problem, Refusal};
use tracing::Instrument;

use crate::{context::Context, trace::REQUEST};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Says to a router that this cell does not own the slot, and which map it goes by.
const WRONG_CELL: HeaderName = HeaderName::from_static("x-skep-wrong-cell");

/// Why a call was not carried out.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Refused(Refusal),
    /// Another cell has what it is about: the router has an older map, or this cell has.
    WrongCell(Epoch),
    /// Who asks is no router of this deployment.
    Stranger(Stranger),
}

pub(super) type Answer<T = Response> = Result<T, Failure>;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<crate::storage::StorageError> for Failure {
    fn from(error: crate::storage::StorageError) -> Self {
        Self::Refused(crate::context::failed(error))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// How the caller stands after this call; told in the answer's headers, whatever the answer is.
#[derive(Clone, Default)]
pub(super) struct Charged(Arc<OnceLock<Standing>>);

impl Charged {
    /// Notes what a limiter said, and refuses if it did.
    pub fn by(&self, context: &Context, kind: Kind, taken: Result<Option<Standing>, Limited>) -> Result<(), Refusal> {
        let (standing, refused) = match taken {
            Ok(standing) => (standing, Ok(())),
            Err(limited) => {
                context.hub.metrics.limited(kind);
                (Some(limited.standing), Err(limited.refusal(kind.plural())))
            }
        };
        if let Some(standing) = standing {
            // A call is counted once.
            _ = self.0.set(standing);
        }
        refused
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Charged {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Around every call: gives it an id, and turns failures into problem documents that name it.
pub(super) async fn with_request_id(mut request: Request, next: Next) -> Response {
    let (id, charged) = (request_id(&request), Charged::default());
    request.extensions_mut().insert(charged.clone());
    let span = tracing::info_span!("http", request_id = %id, method = %request.method(), path = request.uri().path());
    let mut response = REQUEST.scope(id.clone(), next.run(request).instrument(span.clone())).await;
    let _entered = span.entered();
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        tracing::debug!(?failure, "refused");
        response = problem(failure, &id);
    }
    tracing::debug!(status = response.status().as_u16(), "answered");
    if let Some(standing) = charged.0.get() {
        standing.write(response.headers_mut());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
    given.map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned)
}

fn problem(failure: Failure, request_id: &str) -> Response {
    let (refusal, to_router) = match failure {
        Failure::Refused(refusal) => (refusal, None),
        Failure::WrongCell(epoch) => {
            let refusal = crate::context::unavailable("another cell has this; trying again is safe");
            (refusal, Some((WRONG_CELL, epoch.0.into())))
        }
        Failure::Stranger(stranger) => {
            let reason = stranger.to_string();
            let word = HeaderValue::from_str(&reason).unwrap_or_else(|_| HeaderValue::from_static("stranger"));
            (Refusal::new(Code::NotAllowed, reason), Some((REFUSED, word)))
        }
    };
    let problem = Problem::new(refusal, request_id);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if problem.code == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some((name, word)) = to_router {
        headers.insert(name, word);
    }
    response
}
