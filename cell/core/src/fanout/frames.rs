//! What connections are sent, as bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use skep_protocol::{Message, Refusal, Seq, ServerFrame, limits};

use super::{
    conversation::{News, Seen},
    worker::{ConnectionId, Effect},
};
use crate::ConversationChange;

/// What one connection is sent of a change: `conversation`, then `messages` with `sent` in the place of its own, then
/// `left`. Frames that everybody gets are encoded once.
pub(super) fn tell(
    connection: ConnectionId,
    change: &ConversationChange,
    news: &News,
    sent: Option<&BTreeMap<Seq, u64>>,
    shared: &mut Option<Vec<Bytes>>,
    effects: &mut Vec<Effect>,
) {
    let id = Some(change.conversation_id);
    if let Some(conversation) = &news.conversation {
        let frame = ServerFrame::Conversation { conversation: (**conversation).clone() };
        effects.push(Effect::Push(connection, id, frame.to_websocket()));
    }
    match (news.messages, sent) {
        (Seen::None, _) => {}
        (Seen::All, None) => {
            let frames = shared.get_or_insert_with(|| messages_frames(&change.messages));
            effects.extend(frames.iter().map(|f| Effect::Push(connection, id, f.clone())));
        }
        (seen, sent) => {
            let (from, to) = match seen {
                Seen::Between(from, to) => (from, to),
                _ => (Seq(0), Seq(u64::MAX)),
            };
            let visible = change.messages.iter().filter(|m| m.seq >= from && m.seq <= to);
            let mut run: Vec<Message> = Vec::new();
            for message in visible {
                match sent.and_then(|s| s.get(&message.seq)) {
                    None => run.push(message.clone()),
                    Some(reference) => {
                        let frames = messages_frames(&std::mem::take(&mut run));
                        effects.extend(frames.into_iter().map(|f| Effect::Push(connection, id, f)));
                        effects.push(Effect::Answer(connection, id, sent_frame(message, *reference)));
                    }
                }
            }
            effects.extend(messages_frames(&run).into_iter().map(|f| Effect::Push(connection, id, f)));
        }
    }
    if let Some(left) = &news.left {
        effects.push(Effect::Push(connection, id, left.to_websocket()));
    }
}

/// Messages in frames of at most the size that clients take.
fn messages_frames(messages: &[Message]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut bytes = 0;
        // Escaping makes at most six bytes of one.
        let fits = rest.iter().take_while(|m| {
            bytes += 6 * m.text.len() + 300;
            bytes <= limits::SERVER_FRAME_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        frames.push(ServerFrame::Messages { messages: now.to_vec() }.to_websocket());
        rest = later;
    }
    frames
}

pub(super) fn sent_frame(message: &Message, reference: u64) -> Bytes {
    ServerFrame::Sent {
        reference,
        conversation_id: message.conversation_id,
        client_message_id: message.client_message_id,
        seq: message.seq,
        sent_at: message.sent_at,
    }
    .to_websocket()
}

/// An `error` frame.
pub(super) fn error_frame(reference: Option<u64>, refusal: Refusal) -> Bytes {
    let Refusal { code, detail, retry_after_ms, errors } = refusal;
    ServerFrame::Error { reference, code, detail, retry_after_ms, errors }.to_websocket()
}
