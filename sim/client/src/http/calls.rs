//! The calls of api.md that clients and loads need.

use ::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use skep_protocol::{
    ClientMessageId, Code, Conversation, ConversationId, Message, Millis, Role, Route, Seq, SessionId, User, UserId,
};

use super::{Call, CallError, Http, Repeat};

/// A new person.
#[derive(Clone, Debug, Serialize)]
pub struct SignUp {
    pub username: String,
    pub display_name: String,
    pub email: String,
    pub password: String,
    pub device: Option<String>,
}

/// The answer to sign-up and log-in.
#[derive(Clone, Debug, Deserialize)]
pub struct SignedIn {
    pub token: String,
    pub expires_at: Millis,
    pub session_id: SessionId,
    pub user: User,
    pub route: Route,
}

/// What to open.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NewConversation {
    Direct {
        user_id: UserId,
    },
    Group {
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        user_ids: Vec<UserId>,
    },
    Channel {
        title: String,
        user_ids: Vec<UserId>,
    },
}

/// Who could not be added, and why.
#[derive(Clone, Debug, Deserialize)]
pub struct NotAdded {
    pub user_id: UserId,
    /// `removed` among them, which is no error code of calls.
    pub code: String,
}

/// The way into a channel.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    pub url: String,
    pub code: String,
}

/// An opened conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Created {
    pub conversation: Conversation,
    pub link: Option<Link>,
    pub not_added: Vec<NotAdded>,
}

/// Who is in now, and who could not be added.
#[derive(Clone, Debug, Deserialize)]
pub struct Added {
    pub added: Vec<UserId>,
    pub not_added: Vec<NotAdded>,
}

/// A page of a conversation's messages, ascending.
#[derive(Clone, Debug, Deserialize)]
pub struct HistoryPage {
    pub messages: Vec<Message>,
    pub has_more: bool,
}

/// A conversation of the list.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    #[serde(flatten)]
    pub conversation: Conversation,
    pub last_message: Option<Message>,
}

/// A member.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberEntry {
    pub user_id: UserId,
    pub role: Role,
    pub joined_at: Millis,
}

/// Members by joining.
#[derive(Clone, Debug, Deserialize)]
pub struct MembersPage {
    pub members: Vec<MemberEntry>,
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct ListPage {
    conversations: Vec<Listed>,
    next_cursor: Option<String>,
}

impl Http {
    /// Makes a person. When an earlier try did it without an answer, the name is taken: then this logs in.
    pub async fn sign_up(&self, new: &SignUp) -> Result<SignedIn, CallError> {
        let call = Call { repeat: Repeat::IfRefused, ..Call::new(Method::POST, "/v1/users").with(new) };
        match self.call(call).await {
            Err(CallError::Unreachable { .. }) => {}
            Err(error) if error.code().is_some_and(|c| c.retryable() || c == Code::Conflict) => {}
            settled => return settled,
        }
        match self.log_in(&new.username, &new.password, new.device.as_deref()).await {
            Err(error) if error.code() == Some(Code::Unauthenticated) => {
                let call = Call { repeat: Repeat::IfRefused, ..Call::new(Method::POST, "/v1/users").with(new) };
                self.call(call).await
            }
            settled => settled,
        }
    }

    /// `login`: a username or an e-mail address. A repeat whose first try did succeed leaves an unused session.
    pub async fn log_in(&self, login: &str, password: &str, device: Option<&str>) -> Result<SignedIn, CallError> {
        let body = json!({ "login": login, "password": password, "device": device });
        self.call(Call::new(Method::POST, "/v1/sessions").with(&body)).await
    }

    /// The caller's own cell.
    pub async fn route(&self, token: &str) -> Result<Route, CallError> {
        self.call(Call::new(Method::GET, "/v1/route").by(token)).await
    }

    /// Opens a conversation. `key` (1 to 64 visible characters): the same one gives the same conversation, and makes
    /// repeating safe; a direct conversation is the same one in any case.
    pub async fn create(&self, token: &str, new: &NewConversation, key: &str) -> Result<Created, CallError> {
        let call = Call { key: Some(key), ..Call::new(Method::POST, "/v1/conversations").by(token).with(new) };
        self.call(call).await
    }

    /// One conversation as the caller sees it.
    pub async fn conversation(&self, token: &str, id: ConversationId) -> Result<Conversation, CallError> {
        self.call(Call::new(Method::GET, format!("/v1/conversations/{id}")).by(token)).await
    }

    /// All conversations of the caller, page by page, the most recently active first.
    pub async fn conversations(&self, token: &str) -> Result<Vec<Listed>, CallError> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let call = Call::new(Method::GET, format!("/v1/conversations?limit=100{cursor}")).by(token);
            let ListPage { conversations, next_cursor } = self.call(call).await?;
            all.extend(conversations);
            match next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    /// Changes the title.
    pub async fn rename(&self, token: &str, id: ConversationId, title: &str) -> Result<Conversation, CallError> {
        let body = json!({ "title": title });
        self.call(Call::new(Method::PATCH, format!("/v1/conversations/{id}")).by(token).with(&body)).await
    }

    /// The oldest messages above `after`.
    pub async fn history(
        &self,
        token: &str,
        id: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<HistoryPage, CallError> {
        let path = format!("/v1/conversations/{id}/messages?after={after}&limit={limit}");
        self.call(Call::new(Method::GET, path).by(token)).await
    }

    /// Sends a message; repeated under the same id until the outcome is known or patience ends.
    pub async fn send(
        &self,
        token: &str,
        id: ConversationId,
        client_message_id: ClientMessageId,
        text: &str,
    ) -> Result<Message, CallError> {
        let body = json!({ "client_message_id": client_message_id, "text": text });
        self.call(Call::new(Method::POST, format!("/v1/conversations/{id}/messages")).by(token).with(&body)).await
    }

    /// Moves the read mark.
    pub async fn read(&self, token: &str, id: ConversationId, seq: Seq) -> Result<(), CallError> {
        let body = json!({ "seq": seq });
        let call = Call::new(Method::PUT, format!("/v1/conversations/{id}/read")).by(token).with(&body);
        self.call::<serde::de::IgnoredAny>(call).await.map(|_| ())
    }

    /// Members, by joining. `cursor` from the page before.
    pub async fn members(
        &self,
        token: &str,
        id: ConversationId,
        cursor: Option<&str>,
    ) -> Result<MembersPage, CallError> {
        let cursor = cursor.map(|c| format!("&cursor={c}")).unwrap_or_default();
        let path = format!("/v1/conversations/{id}/members?limit=100{cursor}");
        self.call(Call::new(Method::GET, path).by(token)).await
    }

    /// Adds up to 100 people.
    pub async fn add_members(&self, token: &str, id: ConversationId, people: &[UserId]) -> Result<Added, CallError> {
        let body = json!({ "user_ids": people });
        self.call(Call::new(Method::POST, format!("/v1/conversations/{id}/members")).by(token).with(&body)).await
    }

    /// Removes somebody, or oneself.
    pub async fn remove_member(&self, token: &str, id: ConversationId, who: UserId) -> Result<(), CallError> {
        self.call(Call::new(Method::DELETE, format!("/v1/conversations/{id}/members/{who}")).by(token)).await
    }

    /// Leaves.
    pub async fn leave(&self, token: &str, id: ConversationId) -> Result<(), CallError> {
        self.call(Call::new(Method::DELETE, format!("/v1/conversations/{id}/members/me")).by(token)).await
    }

    /// A channel's link.
    pub async fn link(&self, token: &str, id: ConversationId) -> Result<Link, CallError> {
        self.call(Call::new(Method::GET, format!("/v1/conversations/{id}/link")).by(token)).await
    }

    /// Joins by a link's code.
    pub async fn join(&self, token: &str, code: &str) -> Result<Conversation, CallError> {
        self.call(Call::new(Method::POST, format!("/v1/links/{code}/join")).by(token)).await
    }
}
