//! The caller's own account.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use skep_gate::Kind;
use skep_protocol::{Code, OwnUser, Refusal, Route, check_display_name};

use super::{
    answer::{Answer, Charged},
    body::Fields,
    caller::Caller,
    users::own_view,
};
use crate::{
    accounts::{
        Account, Passwords,
        ending::{self, Done, PasswordChange},
        unauthenticated,
    },
    context::{Context, unavailable},
};

pub(super) async fn route(State(context): State<Arc<Context>>, _: Caller) -> Answer<Json<Route>> {
    Ok(Json(route_of(&context)?))
}

pub(super) async fn me(State(context): State<Arc<Context>>, caller: Caller) -> Answer<Json<OwnUser>> {
    let account = account(&context, caller).await?;
    Ok(Json(own_view(&context, account).await))
}

pub(super) async fn rename(
    State(context): State<Arc<Context>>,
    caller: Caller,
    mut fields: Fields,
) -> Answer<Json<OwnUser>> {
    let display_name = fields.text("display_name", check_display_name);
    fields.finish()?;
    if let Some(display_name) = display_name {
        context.accounts.rename(caller.user, &display_name).await?;
    }
    me(State(context), caller).await
}

pub(super) async fn set_password(
    State(context): State<Arc<Context>>,
    caller: Caller,
    charged: Charged,
    mut fields: Fields,
) -> Answer<StatusCode> {
    let old = fields.required::<String>("old_password");
    let new = fields.needed_text("new_password", Passwords::check_choice);
    fields.finish()?;
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    // Whoever has found a token tries no more passwords than at the door; and who tries at the door bars nobody here.
    charged.by(&context, Kind::LogIn, context.rates.log_in(&caller.user.to_string()))?;
    let from = account(&context, caller).await?.password_hash;
    let wrong = || Refusal::new(Code::NotAllowed, "old_password is not your password");
    if !context.accounts.passwords.verify(old, Some(from.clone())).await? {
        return Err(wrong().into());
    }
    let to = context.accounts.passwords.hash(new).await?;
    match ending::change_password(&context, caller.user, PasswordChange { from, to }, caller.session).await? {
        Done::Yes => Ok(StatusCode::NO_CONTENT),
        Done::NothingThere => Err(wrong().into()),
    }
}

/// Where this cell's people connect.
pub(super) fn route_of(context: &Context) -> Result<Route, Refusal> {
    let map = context.map.current();
    let entry =
        map.cells.get(&context.cell).ok_or_else(|| unavailable("this cell is not in the map yet; try again soon"))?;
    Ok(Route { cell_id: context.cell, socket_url: entry.socket_url.clone() })
}

async fn account(context: &Context, caller: Caller) -> Answer<Account> {
    let account = context.accounts.find(&[caller.user]).await?.pop();
    Ok(account.ok_or_else(unauthenticated)?)
}
