//! Whom the caller blocks.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use skep_core::Blocked;
use skep_protocol::{UserId, answers::Blocks};

use super::{
    answer::Answer,
    body::invalid,
    caller::{Caller, Named},
    people,
};
use crate::{accounts::blocks, context::Context};

pub(super) async fn list(State(context): State<Arc<Context>>, caller: Caller) -> Answer<Json<Blocks>> {
    Ok(Json(Blocks { user_ids: context.accounts.blocked_by(caller.user).await? }))
}

pub(super) async fn block(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(other): Named<UserId>,
) -> Answer<StatusCode> {
    say(&context, caller.user, other, Blocked::Yes).await
}

pub(super) async fn unblock(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Named(other): Named<UserId>,
) -> Answer<StatusCode> {
    say(&context, caller.user, other, Blocked::No).await
}

async fn say(context: &Context, user: UserId, other: UserId, blocked: Blocked) -> Answer<StatusCode> {
    if user == other {
        return Err(invalid("one cannot block oneself").into());
    }
    // Whom one blocks does exist, whether or not their cell can be asked now.
    if !context.accounts.blocks(user, other).await? {
        people::must_exist(context, user, other).await?;
    }
    blocks::say(context, user, other, blocked).await?;
    Ok(StatusCode::NO_CONTENT)
}
