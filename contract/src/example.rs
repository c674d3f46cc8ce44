//! The people and conversations of the examples. Made by the types, so that they look like real ones.

use skep_protocol::{
    CellId, ClientMessageId, Code, Conversation, ConversationId, FieldCode, FieldError, Kind, Message, Millis, OwnUser,
    Presence, Problem, Profile, Refusal, Role, Route, SECRET_BYTES, Seq, SessionId, SessionToken, User, UserId,
    answers::{Link, LoggedIn, SessionEntry},
};

/// When it all happens.
pub(crate) const NOW: Millis = Millis(1_795_860_000_123);
const TOKEN: [u8; SECRET_BYTES] = [0x5a; SECRET_BYTES];

pub(crate) fn anna() -> UserId {
    UserId::new("anna", Millis(1_790_000_000_000), 0x0123_4567_89ab)
}

pub(crate) fn ben() -> UserId {
    UserId::new("ben", Millis(1_791_000_000_000), 0x0fed_cba9_8765)
}

pub(crate) fn carol() -> UserId {
    UserId::new("carol", Millis(1_792_000_000_000), 0x0246_8ace_0246)
}

pub(crate) fn group_id() -> ConversationId {
    ConversationId::group(0x0b1e_55ed_0b1e_55ed_0b1e_55ed)
}

pub(crate) fn channel_id() -> ConversationId {
    ConversationId::channel(0xca11_ab1e_ca11_ab1e_ca11_ab1e)
}

pub(crate) fn session_id() -> SessionId {
    SessionId::new(anna(), 0x5e55_1045_5e55_1045_5e55_1045)
}

pub(crate) fn token() -> String {
    SessionToken::new(session_id(), TOKEN).to_text()
}

pub(crate) fn message_id() -> ClientMessageId {
    ClientMessageId::from_u128(0x0199_a6c4_7e00_7b3c_9d41_5f6e_7a8b_9c0d)
}

pub(crate) fn profile() -> Profile {
    Profile { user_id: ben(), username: "ben".to_owned(), display_name: "Ben".to_owned(), image_url: None }
}

pub(crate) fn user() -> User {
    User { profile: profile(), presence: Presence { online: false, last_seen: Some(NOW.plus(-3_600_000)) } }
}

pub(crate) fn own_user() -> OwnUser {
    let profile =
        Profile { user_id: anna(), username: "anna".to_owned(), display_name: "Anna".to_owned(), image_url: None };
    let presence = Presence { online: true, last_seen: None };
    OwnUser { user: User { profile, presence }, email: "anna@example.org".to_owned() }
}

pub(crate) fn route() -> Route {
    Route { cell_id: CellId(2), socket_url: "wss://cell2.chat.example.org/v1/socket".to_owned() }
}

pub(crate) fn logged_in() -> LoggedIn {
    let expires_at = NOW.plus(skep_protocol::limits::SESSION_ABSOLUTE_MS);
    LoggedIn { token: token(), expires_at, session_id: session_id(), user: own_user(), route: route() }
}

pub(crate) fn session() -> SessionEntry {
    SessionEntry {
        session_id: session_id(),
        device: Some("Anna's phone".to_owned()),
        created_at: NOW.plus(-86_400_000),
        last_used_at: NOW,
        expires_at: NOW.plus(skep_protocol::limits::SESSION_ABSOLUTE_MS - 86_400_000),
        current: true,
    }
}

pub(crate) fn message() -> Message {
    Message {
        conversation_id: group_id(),
        seq: Seq(17),
        sender_id: anna(),
        client_message_id: message_id(),
        sent_at: NOW,
        text: "The lime trees are in flower".into(),
    }
}

pub(crate) fn group() -> Conversation {
    Conversation {
        conversation_id: group_id(),
        kind: Kind::Group,
        title: None,
        topic: None,
        created_at: NOW.plus(-86_400_000),
        created_by: Some(anna()),
        member_count: 3,
        head_seq: Seq(17),
        role: Role::Admin,
        first_seq: Seq(1),
        read_seq: Seq(17),
        unread: 0,
        peer_id: None,
        heroes: vec![ben(), carol()],
    }
}

pub(crate) fn channel() -> Conversation {
    Conversation {
        conversation_id: channel_id(),
        kind: Kind::Channel,
        title: Some("Beekeeping".to_owned()),
        topic: Some("What blooms, and where".to_owned()),
        member_count: 1,
        head_seq: Seq(0),
        read_seq: Seq(0),
        heroes: Vec::new(),
        ..group()
    }
}

pub(crate) fn link() -> Link {
    let code = "1f3aPq7ZxW0bT9uKc2LmRvYd".to_owned();
    Link { url: format!("https://chat.example.org/c/{code}"), code }
}

/// An error as it comes over HTTP.
pub(crate) fn problem(code: Code) -> Problem {
    let mut refusal = Refusal::new(code, detail(code));
    if let Some(error) = error(code) {
        refusal.errors.push(error);
    }
    Problem::new(refusal, "6f1d0c9b8a7e4f3d2c1b0a9f8e7d6c5b")
}

/// A sentence that comes with a code.
pub(crate) fn detail(code: Code) -> &'static str {
    match code {
        Code::Invalid => "text is needed",
        Code::Unauthenticated => "this token is not, or no longer, good: log in to get one",
        Code::NotAllowed => "you are no longer a member of this conversation",
        Code::NotFound => "there is nothing of this id",
        Code::Method => "this address does not take DELETE: see Allow",
        Code::Conflict => "this username is taken: choose another",
        Code::LimitReached => "you are in 10000 conversations, which is as many as one can be in",
        Code::TooLarge => "a body has at most 256 KiB",
        Code::Unsupported => "send a JSON object, with Content-Type: application/json",
        Code::RateLimited => "too many of these for the moment: wait as long as Retry-After says",
        Code::Internal => "something is wrong on our side; trying again is safe",
        Code::Busy => "too many calls at the moment; nothing was done, try again soon",
        Code::Unavailable => "the cell cannot be reached at the moment; nothing was done, try again soon",
    }
}

fn error(code: Code) -> Option<FieldError> {
    let (field, field_code) = match code {
        Code::Invalid => ("text", FieldCode::Required),
        Code::Conflict => ("username", FieldCode::Taken),
        _ => return None,
    };
    Some(FieldError { field: field.to_owned(), code: field_code, detail: detail(code).to_owned() })
}
