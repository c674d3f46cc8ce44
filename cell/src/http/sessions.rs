//! Logging in and out.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use skep_gate::Kind;
use skep_protocol::{
    Code, Millis, Refusal, Slot, UserId,
    answers::{LoggedIn, Sessions},
    canonical_email, canonical_username,
};

use super::{
    answer::{Answer, Charged},
    body::{Fields, check_device},
    caller::{Caller, Named, must_own},
    me::route_of,
    users::own_view,
};
use crate::{
    accounts::{
        Account, NewSession, Settled, claims,
        ending::{self, Done},
    },
    context::Context,
};

/// By username at the person's own cell; by address at the address's cell, which finds the person.
pub(super) async fn post(State(context): State<Arc<Context>>, charged: Charged, mut fields: Fields) -> Answer {
    let login = fields.required::<String>("login");
    let password = fields.required::<String>("password");
    let device = fields.text("device", check_device);
    fields.finish()?;
    let (login, password) = (login.unwrap_or_default(), password.unwrap_or_default());
    if login.contains('@') {
        let email = canonical_email(&login).unwrap_or_else(|_| login.clone());
        charged.by(&context, Kind::LogIn, context.rates.log_in(&email))?;
        return by_email(&context, &login, password, device).await;
    }
    let username = canonical_username(&login);
    if let Ok(username) = &username {
        must_own(&context, Slot::of_username(username))?;
    }
    charged.by(&context, Kind::LogIn, context.rates.log_in(username.as_ref().unwrap_or(&login)))?;
    let account = match username {
        Ok(username) => context.accounts.find_username(&username).await?,
        // Nobody can have that name; it costs the same to find out.
        Err(_) => None,
    };
    Ok((StatusCode::CREATED, Json(log_in(&context, account, password, device).await?)).into_response())
}

async fn by_email(context: &Arc<Context>, login: &str, password: String, device: Option<String>) -> Answer {
    // Whoever it is, and if it is nobody, is asked about in the same way and time.
    let user = match canonical_email(login) {
        Ok(email) => {
            must_own(context, Slot::of_email(&email))?;
            match context.accounts.email_holder(&email).await? {
                Some((user, false)) if claims::settle(context, &email, user).await? != Settled::Exists => {
                    nobody(&email)
                }
                Some((user, _)) => user,
                None => nobody(&email),
            }
        }
        Err(_) => nobody(login),
    };
    match context.elsewhere(user.slot())? {
        Some(cell) => {
            let body = context.peers.log_in(cell.cell_id, user, password, device).await?;
            Ok((StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], body).into_response())
        }
        None => {
            let account = context.accounts.find(&[user]).await?.pop();
            Ok((StatusCode::CREATED, Json(log_in(context, account, password, device).await?)).into_response())
        }
    }
}

/// Somebody who does not exist, in place of the holder of an address that nobody has.
fn nobody(login: &str) -> UserId {
    UserId::new(login, Millis(0), 0)
}

/// At the person's own cell. One answer, in one time, for unknown names and wrong passwords.
pub async fn log_in(
    context: &Arc<Context>,
    account: Option<Account>,
    password: String,
    device: Option<String>,
) -> Result<LoggedIn, Refusal> {
    let hash = account.as_ref().map(|a| a.password_hash.clone());
    let matches = context.accounts.passwords.verify(password, hash).await?;
    let account = account.filter(|a| matches && !a.is_disabled);
    let wrong = || Refusal::new(Code::Unauthenticated, "this login and password do not go together");
    let account = account.ok_or_else(wrong)?;
    let session = ending::log_in(context, &account, device).await?.ok_or_else(wrong)?;
    logged_in(context, account, session).await
}

pub(super) async fn logged_in(context: &Context, account: Account, session: NewSession) -> Result<LoggedIn, Refusal> {
    let NewSession { session_id, token, expires_at } = session;
    Ok(LoggedIn { token, expires_at, session_id, user: own_view(context, account).await, route: route_of(context)? })
}

pub(super) async fn list(State(context): State<Arc<Context>>, caller: Caller) -> Answer<Json<Sessions>> {
    Ok(Json(Sessions { sessions: context.accounts.sessions(caller.user, Some(caller.session)).await? }))
}

pub(super) async fn revoke(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(named): Named<String>,
) -> Answer<Response> {
    let session = if named == "current" { Some(caller.session) } else { named.parse().ok() };
    let none = || Refusal::new(Code::NotFound, "you have no such session");
    let session = session.ok_or_else(none)?;
    match ending::log_out(&context, caller.user, session).await? {
        Done::Yes => Ok(StatusCode::NO_CONTENT.into_response()),
        Done::NothingThere => Err(none().into()),
    }
}
