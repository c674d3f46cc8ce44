//! Signing up: the claim of the address at its cell, the account here, then the claim made active.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use skep_protocol::{
    Code, FieldCode, Refusal, Slot, UserId, answers::LoggedIn, canonical_email, canonical_username, check_display_name,
};

use super::{
    answer::Answer,
    body::{Fields, check_device},
    caller::must_own,
    form::Form,
    images,
    sessions::logged_in,
};
use crate::{
    accounts::{ClaimOutcome, NewAccount, NotMade, Passwords, claims},
    context::{Context, unavailable},
    shell::now,
};

pub(super) async fn sign_up(State(context): State<Arc<Context>>, form: Form) -> Answer<(StatusCode, Json<LoggedIn>)> {
    let wanted = Wanted::read(form.fields)?;
    must_own(&context, Slot::of_username(&wanted.username))?;
    // The account's own row decides; this only spares the work.
    if context.accounts.find_username(&wanted.username).await?.is_some() {
        return Err(taken("username").into());
    }
    let picture = match form.image {
        Some(sent) => Some(context.press.make(sent).await?),
        None => None,
    };
    let user_id = UserId::new(&wanted.username, now(), rand::random());
    let mut account = NewAccount {
        user_id,
        password_hash: context.accounts.passwords.hash(wanted.password).await?,
        username: wanted.username,
        display_name: wanted.display_name,
        email: wanted.email,
        image: None,
        created_at: now(),
    };
    let under_way = context.accounts.begin_sign_up(user_id);
    match claims::claim_for(&context, &account.email, user_id).await? {
        ClaimOutcome::Claimed => {}
        ClaimOutcome::Taken => return Err(taken("email").into()),
        ClaimOutcome::Pending(_) => {
            let detail = "somebody is signing up with this address at this moment; try again soon";
            return Err(unavailable(detail).into());
        }
    }
    if let Some(picture) = picture {
        match images::store(&context, user_id, &picture).await {
            Ok(name) => account.image = Some(name),
            Err(refusal) => {
                claims::release(&context, &account.email, user_id).await;
                return Err(refusal.into());
            }
        }
    }
    let session = match context.accounts.create(&account, wanted.device.as_deref()).await {
        Ok(session) => session,
        Err(NotMade::UsernameTaken) => {
            claims::release(&context, &account.email, user_id).await;
            return Err(taken("username").into());
        }
        Err(NotMade::GivenUp) => return Err(unavailable("the sign-up was interrupted; try again").into()),
        // It may stand: whoever meets the claim finds out.
        Err(NotMade::Storage(error)) => return Err(error.into()),
    };
    claims::activate(&context, &account.email, user_id).await;
    drop(under_way);
    let account = context.accounts.find(&[user_id]).await?.pop();
    let account = account.ok_or_else(|| Refusal::new(Code::Internal, "the account was made and is not there"))?;
    Ok((StatusCode::CREATED, Json(logged_in(&context, account, session).await?)))
}

struct Wanted {
    username: String,
    display_name: String,
    email: String,
    password: String,
    device: Option<String>,
}

impl Wanted {
    fn read(mut fields: Fields) -> Result<Self, Refusal> {
        let username = fields.required::<String>("username");
        let username = username.and_then(|text| fields.checked("username", canonical_username(&text)));
        let display_name = fields.needed_text("display_name", check_display_name);
        let email = fields.required::<String>("email");
        let email = email.and_then(|text| fields.checked("email", canonical_email(&text)));
        let password = fields.needed_text("password", Passwords::check_choice);
        let device = fields.text("device", check_device);
        fields.finish()?;
        match (username, display_name, email, password) {
            (Some(username), Some(display_name), Some(email), Some(password)) => {
                Ok(Self { username, display_name, email, password, device })
            }
            _ => Err(Refusal::new(Code::Internal, "a field was neither there nor missing")),
        }
    }
}

fn taken(field: &str) -> Refusal {
    let detail = match field {
        "email" => "somebody has signed up with this address already",
        _ => "this username is taken: choose another",
    };
    Refusal::field(Code::Conflict, field, FieldCode::Taken, detail)
}
