//! The frames of the public socket (`skep.v1.json`): one JSON object each, told apart by `type`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    CellId, ClientMessageId, Code, Conversation, ConversationId, FieldError, Message, Millis, Seq, SessionId, UserId,
};

/// What a client says. `reference` is the client's `ref`, given back in the answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    Hello {
        token: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sync_token: Option<String>,
    },
    Send {
        #[serde(rename = "ref")]
        reference: u64,
        conversation_id: ConversationId,
        client_message_id: ClientMessageId,
        text: String,
    },
    Read {
        #[serde(rename = "ref")]
        reference: u64,
        conversation_id: ConversationId,
        seq: Seq,
    },
    History {
        #[serde(rename = "ref")]
        reference: u64,
        conversation_id: ConversationId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    Sync {
        sync_token: String,
    },
    Ping {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
    },
}

impl ClientFrame {
    /// The client's `ref`, where the frame has one.
    pub fn reference(&self) -> Option<u64> {
        match self {
            Self::Send { reference, .. } | Self::Read { reference, .. } | Self::History { reference, .. } => {
                Some(*reference)
            }
            Self::Ping { reference } => *reference,
            Self::Hello { .. } | Self::Sync { .. } => None,
        }
    }
}

/// Why a conversation is no longer listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    Left = 1,
    Removed = 2,
    Hidden = 3,
}

impl LeftReason {
    /// From the number in rows and between cells.
    pub fn from_number(number: u32) -> Self {
        match number {
            2 => Self::Removed,
            3 => Self::Hidden,
            _ => Self::Left,
        }
    }
}

/// A conversation that is no longer listed, in a sync page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LeftConversation {
    pub conversation_id: ConversationId,
    /// The lowest that may still be read: who was away may have joined anew meanwhile.
    pub first_seq: Seq,
    pub left_seq: Seq,
    pub reason: LeftReason,
}

/// A conversation with its newest messages beyond the token, ascending.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SyncedConversation {
    #[serde(flatten)]
    pub conversation: Conversation,
    pub messages: Vec<Message>,
}

/// What a connection may do, told in `welcome`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SocketLimits {
    pub text_chars: u32,
    pub text_bytes: u32,
    pub frame_bytes: u32,
    pub message_burst: u32,
    /// A whole number or a fraction.
    pub message_per_s: serde_json::Number,
}

/// What a cell says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    Welcome {
        user_id: UserId,
        session_id: SessionId,
        cell_id: CellId,
        heartbeat_s: u32,
        limits: SocketLimits,
    },
    Sync {
        full: bool,
        conversations: Vec<SyncedConversation>,
        left: Vec<LeftConversation>,
    },
    Synced {
        sync_token: String,
    },
    Sent {
        #[serde(rename = "ref")]
        reference: u64,
        conversation_id: ConversationId,
        client_message_id: ClientMessageId,
        seq: Seq,
        sent_at: Millis,
    },
    Messages {
        messages: Vec<Message>,
    },
    Conversation {
        conversation: Conversation,
    },
    Left {
        conversation_id: ConversationId,
        first_seq: Seq,
        left_seq: Seq,
        reason: LeftReason,
    },
    Read {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
        conversation_id: ConversationId,
        read_seq: Seq,
        unread: u64,
    },
    History {
        #[serde(rename = "ref")]
        reference: u64,
        conversation_id: ConversationId,
        messages: Vec<Message>,
        has_more: bool,
    },
    Checkpoint {
        sync_token: String,
    },
    Resync,
    Error {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
        code: Code,
        detail: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u32>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<FieldError>,
    },
    Moved,
    Bye {
        code: u16,
        retry_after_ms: u32,
    },
    Pong {
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
    },
    /// A frame of a newer server: ignored by clients.
    #[serde(other, skip_serializing)]
    #[schemars(skip)]
    Unknown,
}

impl ServerFrame {
    /// The frame as a WebSocket text frame, header included, to be written as it is to any number of sockets.
    pub fn to_websocket(&self) -> bytes::Bytes {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&[0; crate::websocket::MAX_SERVER_HEADER]);
        serde_json::to_writer(&mut out, self).expect("frames hold nothing that JSON cannot");
        crate::websocket::with_text_header(out)
    }
}
