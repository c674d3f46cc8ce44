//! Signing up, logging in and out, and one's own account.

use schemars::{Schema, SchemaGenerator, json_schema};
use skep_protocol::{
    Code, SessionId,
    answers::{Blocks, Sessions},
};

use super::{delete, get, parameter, patch, person, post, put};
use crate::{
    call::{Call, Content, Group::Accounts, In, Rate, Shape},
    example,
    requests::{EditMe, LogIn, SetPassword, SignUp, SignUpForm},
};

const IMAGES: &[&str] = &["image/png", "image/jpeg", "image/webp"];
const PASSWORD: &str = "correct horse battery staple";

pub(super) fn calls() -> Vec<Call> {
    vec![
        post("/v1/users", "signUp", Accounts)
            .says(
                "Sign up",
                "Makes an account and its first session. With an image, send a form with the same names and one file \
                 part `image`.",
            )
            .by_anybody()
            .counted_as(Rate::SignUp)
            .taking(Content::json(sign_up()))
            .taking(Content::Form(Shape::like(sign_up_form())))
            .gives(201, "The account is made, and logged in.", Content::json(example::logged_in()))
            .refuses(Code::Conflict, "The username or the e-mail address is taken: `errors[0].field` says which.")
            .refuses(Code::Unsupported, "The content type is not one that this call takes, or the image is of another format."),
        post("/v1/sessions", "logIn", Accounts)
            .says("Log in", "Begins a session. A person's 51st ends the one that was unused longest.")
            .by_anybody()
            .counted_as(Rate::LogIn)
            .taking(Content::json(log_in()))
            .gives(201, "Logged in.", Content::json(example::logged_in()))
            .refuses(Code::Unauthenticated, "The login and the password do not go together: one answer, in one time, for unknown names, wrong passwords and disabled accounts."),
        get("/v1/sessions", "listSessions", Accounts)
            .says("One's sessions", "All log-ins that have not ended, the latest used first.")
            .gives(200, "The sessions.", Content::json(Sessions { sessions: vec![example::session()] })),
        delete("/v1/sessions/{session_id}", "endSession", Accounts)
            .says("Log out", "Ends a session: this one by the name `current`, or another of one's own. Its sockets are closed with 4100.")
            .with(parameter(In::Path, "session_id", "The session, or `current`.", session_shape()))
            .gives(204, "It has ended.", Content::Nothing)
            .refuses(Code::NotFound, "The caller has no such session."),
        get("/v1/route", "getRoute", Accounts)
            .says("Where one's socket is", "Asked again after `moved`, and whenever the socket cannot be reached.")
            .gives(200, "The cell of the caller.", Content::json(example::route())),
        get("/v1/me", "getMe", Accounts)
            .says("Oneself", "The caller's own account, with the e-mail address.")
            .gives(200, "The account.", Content::json(example::own_user())),
        patch("/v1/me", "editMe", Accounts)
            .says("Change one's name", "What is absent stays as it is.")
            .taking(Content::json(EditMe { display_name: Some("Anna".to_owned()) }))
            .gives(200, "The account as it is now.", Content::json(example::own_user())),
        put("/v1/me/password", "setPassword", Accounts)
            .says("Change one's password", "All other sessions end.")
            .counted_as(Rate::LogIn)
            .taking(Content::json(SetPassword { old_password: PASSWORD.to_owned(), new_password: "a horse of another colour".to_owned() }))
            .gives(204, "It is changed.", Content::Nothing)
            .refuses(Code::NotAllowed, "`old_password` is not the caller's password."),
        put("/v1/me/image", "setImage", Accounts)
            .says(
                "Set one's image",
                "A PNG, JPEG or WebP image of at most 5 MiB and 4096 x 4096 pixels, told by what it is, not by its \
                 name. It is made anew in two sizes, without what else the file said.",
            )
            .taking(Content::Image(IMAGES))
            .gives(200, "The account with its image.", Content::json(example::own_user()))
            .refuses(Code::Invalid, "The image is empty or damaged.")
            .refuses(Code::TooLarge, "The image has too many bytes or pixels.")
            .refuses(Code::Unsupported, "It is not an image in a format that is taken."),
        delete("/v1/me/image", "removeImage", Accounts)
            .says("Remove one's image", "Also when there is none.")
            .gives(200, "The account without an image.", Content::json(example::own_user())),
        get("/v1/me/blocks", "listBlocks", Accounts)
            .says("Whom one blocks", "All of them.")
            .gives(200, "The people.", Content::json(Blocks { user_ids: vec![example::ben()] })),
        put("/v1/me/blocks/{user_id}", "block", Accounts)
            .says(
                "Block somebody",
                "Neither can write in the direct conversation of the two; they cannot add the caller anywhere, and see \
                 the caller as offline. Shared groups and channels go on. Again is the same.",
            )
            .with(person("Whom to block."))
            .gives(204, "They are blocked.", Content::Nothing)
            .refuses(Code::Invalid, "It is oneself.")
            .refuses(Code::NotFound, "There is nobody of this id."),
        delete("/v1/me/blocks/{user_id}", "unblock", Accounts)
            .says("Unblock somebody", "All is as before. Also when they were not blocked.")
            .with(person("Whom to unblock."))
            .gives(204, "They are not blocked.", Content::Nothing)
            .refuses(Code::Invalid, "It is oneself.")
            .refuses(Code::NotFound, "There is nobody of this id."),
    ]
}

fn sign_up() -> SignUp {
    SignUp {
        username: "anna".to_owned(),
        display_name: "Anna".to_owned(),
        email: "anna@example.org".to_owned(),
        password: PASSWORD.to_owned(),
        device: Some("Anna's phone".to_owned()),
    }
}

fn sign_up_form() -> SignUpForm {
    SignUpForm { person: SignUp { device: None, ..sign_up() }, image: Some("(the file)".to_owned()) }
}

fn log_in() -> LogIn {
    LogIn { login: "anna".to_owned(), password: PASSWORD.to_owned(), device: Some("Anna's laptop".to_owned()) }
}

fn session_shape() -> Shape {
    Shape { schema: session_or_current, examples: Vec::new() }.example("current", "current")
}

fn session_or_current(generator: &mut SchemaGenerator) -> Schema {
    let id = generator.subschema_for::<SessionId>();
    json_schema!({"anyOf": [{"const": "current"}, id]})
}
