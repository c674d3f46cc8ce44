//! Looking people up.

use std::collections::HashSet;
use std::sync::Arc;

use axum::{Json, extract::State};
use skep_protocol::{Code, OwnUser, Refusal, User, UserId, answers::LookedUp};

use super::{
    answer::Answer,
    body::Fields,
    caller::{Caller, Named},
    people,
};
use crate::{
    accounts::Account,
    context::{Context, unavailable},
};

pub(super) async fn user(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(user): Named<UserId>,
) -> Answer<Json<User>> {
    let mut found = people::find(&context, caller.user, &[user]).await?;
    if !found.unavailable.is_empty() {
        return Err(unavailable("their cell does not answer at the moment; trying again is safe").into());
    }
    let user = found.users.pop().ok_or_else(|| Refusal::new(Code::NotFound, "there is nobody of this id"))?;
    Ok(Json(user))
}

pub(super) async fn lookup(
    State(context): State<Arc<Context>>,
    caller: Caller,
    mut fields: Fields,
) -> Answer<Json<LookedUp>> {
    let ids = fields.people("user_ids", None);
    fields.finish()?;
    let people::Found { users, unavailable, .. } =
        people::find(&context, caller.user, &ids.unwrap_or_default()).await?;
    Ok(Json(LookedUp { users, unavailable }))
}

/// Somebody as they see themselves.
pub(super) async fn own_view(context: &Context, account: Account) -> OwnUser {
    let email = account.email.clone();
    OwnUser { user: people::view(context, account, &HashSet::new()).await, email }
}
