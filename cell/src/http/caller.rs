//! Who asks, and what a path names.

use std::str::FromStr;
use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath, Path},
    http::{header, request::Parts},
};
use skep_gate::Kind;
use skep_protocol::{Code, Refusal, SessionId, SessionToken, Slot, UserId};

use super::answer::{Charged, Failure};
use crate::{accounts::unauthenticated, context::Context};

/// The person of the token that came with the call, who may make it now.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub user: UserId,
    pub session: SessionId,
}

impl FromRequestParts<Arc<Context>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, Failure> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let text = header.and_then(|h| h.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let text = text.map(|(_, token)| token.trim()).ok_or_else(unauthenticated)?;
        let token: SessionToken = text.parse().map_err(|_| unauthenticated())?;
        must_own(context, token.session_id.slot())?;
        let (session, user) = context.accounts.authenticate(text).await?;
        let template = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let kind = Kind::of(&parts.method, template);
        let charged = Charged::from_request_parts(parts, context).await.unwrap_or_default();
        charged.by(context, kind, context.rates.take(user, kind))?;
        Ok(Self { user, session })
    }
}

/// Refuses what another cell owns, so that the router asks there.
pub(super) fn must_own(context: &Context, slot: Slot) -> Result<(), Failure> {
    if context.owns(slot) { Ok(()) } else { Err(Failure::WrongCell(context.map.current().epoch)) }
}

/// An id in the path. What is none names nothing.
pub(super) struct Named<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        text.parse().map(Self).map_err(|_| nothing())
    }
}

/// Two ids in the path.
pub(super) struct NamedPair<A, B>(pub A, pub B);

impl<A: FromStr, B: FromStr, S: Send + Sync> FromRequestParts<S> for NamedPair<A, B> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path((a, b)) = Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        Ok(Self(a.parse().map_err(|_| nothing())?, b.parse().map_err(|_| nothing())?))
    }
}

fn nothing() -> Failure {
    Refusal::new(Code::NotFound, "there is nothing of this id").into()
}
