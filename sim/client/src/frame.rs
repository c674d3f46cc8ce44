//! Server frames as they are read: the two that come by the thousand without a detour, all others by their type.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};
use skep_protocol::{ClientMessageId, ConversationId, Message, Millis, Seq, ServerFrame, UserId, parse_rfc3339};

/// A message, its text still lying in what was read.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct MessageRef<'a> {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub sender_id: UserId,
    pub client_message_id: ClientMessageId,
    #[serde(deserialize_with = "millis")]
    pub sent_at: Millis,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    fn from(message: &'a Message) -> Self {
        let Message { conversation_id, seq, sender_id, client_message_id, sent_at, ref text } = *message;
        Self { conversation_id, seq, sender_id, client_message_id, sent_at, text: Cow::Borrowed(text) }
    }
}

/// Reads a time without copying its text first.
fn millis<'de, D: Deserializer<'de>>(d: D) -> Result<Millis, D::Error> {
    let text = <Cow<'de, str>>::deserialize(d)?;
    parse_rfc3339(&text).ok_or_else(|| D::Error::custom("expected a time such as 2026-11-25T09:30:00.123Z"))
}

/// A server frame.
#[derive(Debug)]
pub enum Frame<'a> {
    Messages(Vec<MessageRef<'a>>),
    Other(ServerFrame),
}

#[derive(Deserialize)]
struct Messages<'a> {
    #[serde(borrow)]
    messages: Vec<MessageRef<'a>>,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "ref")]
    reference: u64,
    conversation_id: ConversationId,
    client_message_id: ClientMessageId,
    seq: Seq,
    sent_at: Millis,
}

/// Reads a text frame. A frame told apart by a field must be kept aside until that field is found; servers write
/// `type` first, so that the frequent ones are known by how they begin. Any other order is read as well, only slower.
pub fn parse(text: &[u8]) -> Result<Frame<'_>, serde_json::Error> {
    if text.starts_with(br#"{"type":"messages","#) {
        return serde_json::from_slice(text).map(|Messages { messages }| Frame::Messages(messages));
    }
    if text.starts_with(br#"{"type":"sent","#) {
        let Sent { reference, conversation_id, client_message_id, seq, sent_at } = serde_json::from_slice(text)?;
        return Ok(Frame::Other(ServerFrame::Sent { reference, conversation_id, client_message_id, seq, sent_at }));
    }
    serde_json::from_slice(text).map(Frame::Other)
}

#[cfg(test)]
mod tests {
    use skep_protocol::ConversationId;

    use super::*;

    fn message() -> Message {
        Message {
            conversation_id: ConversationId::group(7),
            seq: Seq(3),
            sender_id: UserId::new("anna", Millis(1), 1),
            client_message_id: ClientMessageId::from_u128(9),
            sent_at: Millis(1_764_063_000_123),
            text: "a \"quoted\"\nline".into(),
        }
    }

    #[test]
    fn a_message_is_the_same_whatever_the_order_of_fields() {
        let frame = serde_json::to_value(ServerFrame::Messages { messages: vec![message()] }).unwrap();
        let first = serde_json::to_string(&ServerFrame::Messages { messages: vec![message()] }).unwrap();
        let Frame::Messages(fast) = parse(first.as_bytes()).unwrap() else { panic!("the fast way") };
        assert_eq!(fast, vec![MessageRef::from(&message())]);
        let last = format!("{{\"messages\":{},\"type\":\"messages\",\"new\":1}}", frame["messages"]);
        let Frame::Other(ServerFrame::Messages { messages }) = parse(last.as_bytes()).unwrap() else {
            panic!("the other way")
        };
        assert_eq!(messages, vec![message()]);
    }

    #[test]
    fn unknown_types_are_read_as_unknown_and_nonsense_is_an_error() {
        let newer = parse(br#"{"type":"typing","user_id":"u_1"}"#).unwrap();
        assert!(matches!(newer, Frame::Other(ServerFrame::Unknown)));
        assert!(parse(b"{\"type\":\"messages\",\"messages\":3}").is_err());
        assert!(parse(b"nothing").is_err());
    }
}
