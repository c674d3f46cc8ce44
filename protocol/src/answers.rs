//! What calls are answered with, besides the objects themselves. In JSON, as clients see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Conversation, ConversationId, Message, Millis, OwnUser, Profile, Role, Route, Seq, SessionId, User, UserId,
};

/// Somebody is logged in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoggedIn {
    /// For `Authorization: Bearer` and for `hello`. Shown once.
    pub token: String,
    /// When it ends unless it is used: 90 days after its last use, a year after the log-in.
    pub expires_at: Millis,
    pub session_id: SessionId,
    pub user: OwnUser,
    pub route: Route,
}

/// The caller's log-ins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    pub sessions: Vec<SessionEntry>,
}

/// A log-in as its person sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionEntry {
    pub session_id: SessionId,
    /// As the client named it.
    pub device: Option<String>,
    pub created_at: Millis,
    /// To the hour, when their cell was restarted since.
    pub last_used_at: Millis,
    pub expires_at: Millis,
    /// The one that asks.
    pub current: bool,
}

/// Whom the caller blocks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Blocks {
    pub user_ids: Vec<UserId>,
}

/// People found by a name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FoundPeople {
    pub users: Vec<Profile>,
    pub next_cursor: Option<String>,
}

/// People of these ids. Who is in neither list does not exist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LookedUp {
    pub users: Vec<User>,
    /// Those whose cell does not answer at the moment: ask again later.
    pub unavailable: Vec<UserId>,
}

/// A conversation that was made, or was there already.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    pub conversation: Conversation,
    /// Of a channel.
    pub link: Option<Link>,
    pub not_added: Vec<NotAddedEntry>,
}

/// Somebody who was not added, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NotAddedEntry {
    pub user_id: UserId,
    pub code: NotAddedCode,
}

/// Why somebody could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotAddedCode {
    /// There is nobody of this id.
    NotFound = 1,
    /// One blocks the other.
    NotAllowed = 2,
    /// An admin has removed them: only an admin adds them again.
    Removed = 3,
    /// They are in as many conversations as one can be, or there is no room for more members.
    LimitReached = 4,
    /// Their cell does not answer at the moment: try again later.
    Unavailable = 5,
}

/// The caller's conversations, the most recently active first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListedConversations {
    pub conversations: Vec<WithLastMessage>,
    pub next_cursor: Option<String>,
}

/// A conversation in the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WithLastMessage {
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The newest message that the caller may read.
    pub last_message: Option<Message>,
}

/// A page of messages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Messages {
    /// Ascending.
    pub messages: Vec<Message>,
    /// Whether there are more readable ones in the direction asked for.
    pub has_more: bool,
}

/// A conversation that was opened by its first message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    pub conversation: Conversation,
    pub message: Message,
    pub not_added: Vec<NotAddedEntry>,
}

/// How far the caller has read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadMark {
    pub read_seq: Seq,
    pub unread: u64,
}

/// A page of the members of a conversation, by joining.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Members {
    pub members: Vec<Member>,
    pub next_cursor: Option<String>,
}

/// A member of a group or a channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    pub user_id: UserId,
    pub role: Role,
    pub joined_at: Millis,
}

/// Who was added, and who was not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// Who is a member now; members before as well.
    pub added: Vec<UserId>,
    pub not_added: Vec<NotAddedEntry>,
}

/// The link by which people join a channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// The page to join by, for people.
    pub url: String,
    pub code: String,
}

/// What a link leads to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LinkPreview {
    pub conversation_id: ConversationId,
    pub title: Option<String>,
    pub topic: Option<String>,
    pub member_count: u32,
}

// === impl NotAddedCode ===

impl NotAddedCode {
    /// From the number between cells; unknown ones count as `unavailable`.
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::NotFound,
            2 => Self::NotAllowed,
            3 => Self::Removed,
            4 => Self::LimitReached,
            _ => Self::Unavailable,
        }
    }
}
