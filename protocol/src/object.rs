//! The objects of the public contract, in their JSON form.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CellId, ClientMessageId, ConversationId, Kind, Millis, Seq, UserId};

/// What a member may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Member = 1,
    Admin = 2,
}

impl Role {
    /// From the number in rows and between cells; anything but an admin's is a member.
    pub fn from_number(number: u32) -> Self {
        if number == Self::Admin as u32 { Self::Admin } else { Self::Member }
    }
}

/// A person as others see them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    pub user_id: UserId,
    /// Unique, in lower case.
    pub username: String,
    /// 1 to 64 characters, as its person likes it.
    pub display_name: String,
    /// An absolute path at the router; add `?size=64` or `?size=256`. Null while there is no image.
    pub image_url: Option<String>,
}

/// Whether somebody is there now, and else when they last were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// At least one socket past `welcome`.
    pub online: bool,
    /// When the last socket went. Null while online, never seen, or blocked.
    pub last_seen: Option<Millis>,
}

/// A person with presence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct User {
    #[serde(flatten)]
    pub profile: Profile,
    pub presence: Presence,
}

/// A person as they see themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OwnUser {
    #[serde(flatten)]
    pub user: User,
    /// Shown to nobody else.
    pub email: String,
}

/// A message, durable at its home.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub sender_id: UserId,
    /// The sender's own id of it.
    pub client_message_id: ClientMessageId,
    /// When its home took it.
    pub sent_at: Millis,
    /// 1 to 10,000 characters, as sent.
    pub text: Arc<str>,
}

/// A conversation as one person sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    pub conversation_id: ConversationId,
    pub kind: Kind,
    pub title: Option<String>,
    pub topic: Option<String>,
    pub created_at: Millis,
    pub created_by: Option<UserId>,
    pub member_count: u32,
    /// The newest message's; zero while there is none.
    pub head_seq: Seq,
    /// One's own.
    pub role: Role,
    /// The lowest that one may read. Nothing below it is a hole.
    pub first_seq: Seq,
    /// How far one has read.
    pub read_seq: Seq,
    /// `head_seq` - `read_seq`.
    pub unread: u64,
    /// The other person of a direct conversation.
    pub peer_id: Option<UserId>,
    /// Of an untitled group: up to five others, longest-standing first.
    pub heroes: Vec<UserId>,
}

/// Where a person's socket is served.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    #[schemars(extend("minimum" = 1))]
    pub cell_id: CellId,
    /// To be dialled with the subprotocol `skep.v1.json`.
    pub socket_url: String,
}
