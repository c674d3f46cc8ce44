//! What every part of Skep speaks: typed ids that carry their slot, the map of slots to cells, limits with their
//! reasons, error codes, the frames of the public socket, and the messages between processes (`wire`).
//!
//! Nothing here does I/O; every crate of the workspace may depend on this one, and it depends on none of them.

/// What calls are answered with.
pub mod answers;
mod code;
mod frame;
mod id;
pub mod limits;
mod map;
mod names;
mod object;
mod order;
mod problem;
mod slot;
mod time;
mod token;
pub mod websocket;

/// Messages between processes, generated from `proto/skep/v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used)]
pub mod wire {
    tonic::include_proto!("skep.v1");
}

pub use code::{CloseCode, Code, FieldCode, FieldError, Refusal};
pub use frame::{ClientFrame, LeftConversation, LeftReason, ServerFrame, SocketLimits, SyncedConversation};
pub use id::{ClientMessageId, ConversationId, IdError, Kind, RequestId, SessionId, UserId};
pub use map::{CellEntry, MapError, SlotMap};
pub use names::{
    FieldIssue, canonical_email, canonical_username, check_display_name, check_password, check_text, check_title,
    check_topic,
};
pub use object::{Conversation, Message, OwnUser, Presence, Profile, Role, Route, User};
pub use order::{CellId, Epoch, Era, Lane, Pos, Seq};
pub use problem::Problem;
pub use slot::{SLOTS, Slot};
pub use time::{Millis, format_rfc3339, parse_rfc3339};
pub use token::{SECRET_BYTES, SessionToken, TokenFormError, url_text};
