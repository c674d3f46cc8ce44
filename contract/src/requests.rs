//! What calls take. The cell reads bodies field by field, to say everything that is wrong at once; a test holds it to
//! these types, field by field.

use schemars::JsonSchema;
use serde::Serialize;
use skep_protocol::{ClientMessageId, Role, Seq, UserId};

const USERNAME: &str = r"^[A-Za-z][A-Za-z0-9_.\-]*$";
const EMAIL: &str = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$";
const DISPLAY_NAME: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
const NO_CONTROLS: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
const NO_NUL: &str = r"^[^\x00]*$";

/// Somebody new.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SignUp {
    /// Any case is accepted and folded. Unique.
    #[schemars(length(min = 3, max = 32), regex(pattern = USERNAME))]
    pub username: String,
    #[schemars(length(min = 1, max = 64), regex(pattern = DISPLAY_NAME))]
    pub display_name: String,
    /// Unique; shown to its person only.
    #[schemars(length(max = 254), regex(pattern = EMAIL))]
    pub email: String,
    /// Not one of the common ones.
    #[schemars(length(min = 8, max = 256))]
    pub password: String,
    /// A name for the session that begins, shown in the list of sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), regex(pattern = NO_CONTROLS))]
    pub device: Option<String>,
}

/// Somebody new, with an image. A bad image: nothing is made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SignUpForm {
    #[serde(flatten)]
    pub person: SignUp,
    /// A PNG, JPEG or WebP file of at most 5 MiB and 4096 x 4096 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("contentMediaType" = "application/octet-stream"))]
    pub image: Option<String>,
}

/// Who one is, and the proof.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogIn {
    /// A username or an e-mail address, in any case.
    pub login: String,
    pub password: String,
    /// A name for the session that begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), regex(pattern = NO_CONTROLS))]
    pub device: Option<String>,
}

/// What is to change of one's own account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EditMe {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = DISPLAY_NAME))]
    pub display_name: Option<String>,
}

/// A new password.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SetPassword {
    pub old_password: String,
    /// Not one of the common ones.
    #[schemars(length(min = 8, max = 256))]
    pub new_password: String,
}

/// People to look up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LookUp {
    /// Repeats are ignored.
    #[schemars(length(max = 100))]
    pub user_ids: Vec<UserId>,
}

/// A conversation to be made, of one of three kinds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CreateConversation {
    /// With one other person; there is one of it for ever.
    Direct { user_id: UserId },
    /// With anybody, or with nobody at first.
    Group {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1, max = 100), regex(pattern = NO_NUL))]
        title: Option<String>,
        /// Repeats and oneself are ignored.
        #[schemars(length(max = 100))]
        user_ids: Vec<UserId>,
    },
    /// Joined by link, or by being added.
    Channel {
        #[schemars(length(min = 1, max = 100), regex(pattern = NO_NUL))]
        title: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1, max = 500), regex(pattern = NO_NUL))]
        topic: Option<String>,
        /// Repeats and oneself are ignored.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 100))]
        user_ids: Option<Vec<UserId>>,
    },
}

/// What is to change of a conversation. What is absent stays; null clears the title of a group, or the topic.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EditConversation {
    /// A channel always has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = NO_NUL))]
    pub title: Option<String>,
    /// Channels only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500), regex(pattern = NO_NUL))]
    pub topic: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Send {
    /// Any UUID, the same for every retry.
    pub client_message_id: ClientMessageId,
    /// Given back exactly as sent.
    #[schemars(length(min = 1, max = 10_000), regex(pattern = NO_NUL))]
    pub text: String,
}

/// A message to people, wherever one writes with them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OpenAndSend {
    /// One: the direct conversation with them. More: a new group.
    #[schemars(length(min = 1, max = 100))]
    pub user_ids: Vec<UserId>,
    #[schemars(length(min = 1, max = 10_000), regex(pattern = NO_NUL))]
    pub text: String,
    /// Any UUID, the same for every retry.
    pub client_message_id: ClientMessageId,
}

/// How far one has read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MarkRead {
    /// Above the head counts as the head; it never goes back.
    pub seq: Seq,
}

/// People to be added.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AddMembers {
    /// Repeats and oneself are ignored.
    #[schemars(length(max = 100))]
    pub user_ids: Vec<UserId>,
}

/// What a member may do from now on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SetRole {
    pub role: Role,
}
