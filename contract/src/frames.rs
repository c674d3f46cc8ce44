//! The table of the socket's frames. Their fields come from the types that are read and written.

use serde_json::Value;
use skep_protocol::{
    CellId, ClientFrame, CloseCode, Code, LeftConversation, LeftReason, Seq, ServerFrame, SocketLimits,
    SyncedConversation, limits,
};

use crate::example;

/// Who says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    Client,
    Server,
}

/// A kind of frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub sender: Sender,
    /// Its `type`.
    pub kind: &'static str,
    /// A few words.
    pub summary: &'static str,
    /// Sentences.
    pub about: &'static str,
    /// The server's frames that answer it.
    pub answers: &'static [&'static str],
    pub example: Value,
}

/// Every frame: the client's, then the server's.
pub fn frames() -> Vec<Frame> {
    client().into_iter().chain(server()).collect()
}

fn client() -> Vec<Frame> {
    let says = |frame: ClientFrame, summary, about, answers| {
        let (kind, example) = (kind_of_client(&frame), serde_json::to_value(&frame));
        let example = example.expect("frames hold nothing that JSON cannot");
        Frame { sender: Sender::Client, kind, summary, about, answers, example }
    };
    let (conversation_id, reference) = (example::group_id(), 7);
    vec![
        says(
            ClientFrame::Hello { token: example::token(), sync_token: Some("opaque".to_owned()) },
            "Who one is",
            "The first frame, within 10 seconds. With the last sync token only what is new since is sent; without one, or with one that is not usable here, all is.",
            &["welcome", "sync", "synced", "moved", "error"],
        ),
        says(
            ClientFrame::Send {
                reference,
                conversation_id,
                client_message_id: example::message_id(),
                text: "The lime trees are in flower".to_owned(),
            },
            "Send a message",
            "`client_message_id` is any UUID, the same for every retry. `text`: 1 to 10,000 characters, anything but NUL, given back exactly as sent.",
            &["sent", "error"],
        ),
        says(
            ClientFrame::Read { reference, conversation_id, seq: Seq(17) },
            "Mark as read",
            "Above the head counts as the head; it never goes back.",
            &["read", "error"],
        ),
        says(
            ClientFrame::History { reference, conversation_id, before: Some(Seq(17)), after: None, limit: Some(50) },
            "Read messages",
            "`before` gives the newest below it, `after` the oldest above it, neither the newest; not both.",
            &["history", "error"],
        ),
        says(
            ClientFrame::Sync { sync_token: "opaque".to_owned() },
            "Ask for what is new",
            "After `resync`. One at a time.",
            &["sync", "synced", "error"],
        ),
        says(
            ClientFrame::Ping { reference: Some(reference) },
            "A sign of life",
            "Every 30 seconds; any frame counts. After 90 seconds of silence the socket is closed with 4002.",
            &["pong"],
        ),
    ]
}

fn server() -> Vec<Frame> {
    let says = |frame: ServerFrame, summary, about| {
        let (kind, example) = (kind_of_server(&frame), serde_json::to_value(&frame));
        let example = example.expect("frames hold nothing that JSON cannot");
        Frame { sender: Sender::Server, kind, summary, about, answers: &[], example }
    };
    let conversation_id = example::group_id();
    let (messages, sync_token) = (vec![example::message()], "opaque".to_owned());
    vec![
        says(
            ServerFrame::Welcome {
                user_id: example::anna(),
                session_id: example::session_id(),
                cell_id: CellId(2),
                heartbeat_s: limits::HEARTBEAT_S,
                limits: SocketLimits {
                    text_chars: limits::TEXT_CHARS as u32,
                    text_bytes: limits::TEXT_BYTES as u32,
                    frame_bytes: limits::CLIENT_FRAME_BYTES as u32,
                    message_burst: 60,
                    message_per_s: 1.into(),
                },
            },
            "One is known",
            "The first answer to `hello`. Requests are answered from here on.",
        ),
        says(
            ServerFrame::Sync {
                full: true,
                conversations: vec![SyncedConversation { conversation: example::group(), messages: messages.clone() }],
                left: vec![LeftConversation {
                    conversation_id: example::channel_id(),
                    first_seq: Seq(1),
                    left_seq: Seq(4),
                    reason: LeftReason::Removed,
                }],
            },
            "A page of what is new",
            "Each conversation is in one page only, with its newest messages beyond the token, at most 50, ascending. `full`: what is not listed by `synced` is no longer yours; else it is unchanged.",
        ),
        says(
            ServerFrame::Synced { sync_token: sync_token.clone() },
            "All pages are sent",
            "Keep the token. What happens is pushed from here on.",
        ),
        says(
            ServerFrame::Sent {
                reference: 7,
                conversation_id,
                client_message_id: example::message_id(),
                seq: Seq(17),
                sent_at: example::NOW,
            },
            "A message is durable",
            "To the connection that sent it; one's others get `messages`.",
        ),
        says(
            ServerFrame::Messages { messages: messages.clone() },
            "New messages",
            "Per conversation in the order of `seq`, without holes, together with `sent`.",
        ),
        says(
            ServerFrame::Conversation { conversation: example::group() },
            "A conversation is new or changed",
            "Its title, topic, role or heroes; the number of members alone only up to 1,000 of them, and at most every five seconds. Comes before the first message of one new to the connection.",
        ),
        says(
            ServerFrame::Left { conversation_id, first_seq: Seq(3), left_seq: Seq(17), reason: LeftReason::Left },
            "A conversation is no longer listed",
            "One left it, was removed from it, or hid it. `hidden` counts only while nothing newer than `left_seq` is there. What lies from `first_seq` to `left_seq` may still be read.",
        ),
        says(
            ServerFrame::Read { reference: Some(7), conversation_id, read_seq: Seq(17), unread: 0 },
            "How far one has read",
            "The answer to `read`; to all own connections when it moved, without `ref`.",
        ),
        says(
            ServerFrame::History { reference: 7, conversation_id, messages, has_more: true },
            "A page of messages",
            "Ascending. `has_more`: there are more readable ones in the direction asked for.",
        ),
        says(ServerFrame::Checkpoint { sync_token }, "A newer sync token", "Keep it instead of the last one."),
        says(
            ServerFrame::Resync,
            "Something was missed",
            "The client was too slow: send `sync`. Pages may repeat what was pushed.",
        ),
        says(
            ServerFrame::Error {
                reference: Some(7),
                code: Code::NotAllowed,
                detail: example::detail(Code::NotAllowed).to_owned(),
                retry_after_ms: None,
                errors: Vec::new(),
            },
            "A request was refused",
            "The socket stays, except after `hello`. The codes are those of HTTP; each has a page at `/errors/{code}`.",
        ),
        says(
            ServerFrame::Moved,
            "One's cell is another",
            "Ask `/v1/route`, keep the sync token. The socket is closed with 4003.",
        ),
        says(
            ServerFrame::Bye { code: CloseCode::GoingAway.number(), retry_after_ms: 1_000 },
            "The socket is about to be closed",
            "Come back after that time, with jitter.",
        ),
        says(
            ServerFrame::Pong { reference: Some(7) },
            "The answer to a ping",
            "Not there within 10 seconds: reconnect.",
        ),
    ]
}

fn kind_of_client(frame: &ClientFrame) -> &'static str {
    match frame {
        ClientFrame::Hello { .. } => "hello",
        ClientFrame::Send { .. } => "send",
        ClientFrame::Read { .. } => "read",
        ClientFrame::History { .. } => "history",
        ClientFrame::Sync { .. } => "sync",
        ClientFrame::Ping { .. } => "ping",
    }
}

fn kind_of_server(frame: &ServerFrame) -> &'static str {
    match frame {
        ServerFrame::Welcome { .. } => "welcome",
        ServerFrame::Sync { .. } => "sync",
        ServerFrame::Synced { .. } => "synced",
        ServerFrame::Sent { .. } => "sent",
        ServerFrame::Messages { .. } => "messages",
        ServerFrame::Conversation { .. } => "conversation",
        ServerFrame::Left { .. } => "left",
        ServerFrame::Read { .. } => "read",
        ServerFrame::History { .. } => "history",
        ServerFrame::Checkpoint { .. } => "checkpoint",
        ServerFrame::Resync => "resync",
        ServerFrame::Error { .. } => "error",
        ServerFrame::Moved => "moved",
        ServerFrame::Bye { .. } => "bye",
        ServerFrame::Pong { .. } => "pong",
        ServerFrame::Unknown => unreachable!("never sent, and no example"),
    }
}
