//! Message ids and texts that say which message they are: a receiver needs no table to know what it should read.

use std::io::Write;
use std::sync::Arc;

use skep_protocol::ClientMessageId;
use uuid::Builder;

/// What fills a text after its name.
const FILLER: &str = "Bees tell each other where the flowers are by dancing on the comb in the dark. ";

/// A run's own number, 20 bits: messages of other runs are told apart by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run(u32);

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:05x}", self.0)
    }
}

/// A message of a run: its conversation and its number there, both by the run's own count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag {
    pub conversation: u32,
    pub number: u32,
}

/// Bits of a conversation's number in an id.
const CONVERSATION_BITS: u32 = 20;

impl Run {
    /// Of these bits, of which 20 count.
    pub fn new(bits: u32) -> Self {
        Self(bits & 0xf_ffff)
    }

    /// The id of a message: a UUIDv7 whose random bits are 12 and 8 of the run, 20 of the conversation, 32 of the
    /// number.
    pub fn id(self, tag: Tag, unix_ms: u64) -> ClientMessageId {
        assert!(tag.conversation < 1 << CONVERSATION_BITS, "a run has fewer conversations");
        let low = (u64::from(self.0 & 0xff) << 52) | (u64::from(tag.conversation) << 32) | u64::from(tag.number);
        let mut random = [0_u8; 10];
        random[..2].copy_from_slice(&((self.0 >> 8) as u16).to_be_bytes());
        random[2..].copy_from_slice(&low.to_be_bytes());
        Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid()
    }

    /// Which message of this run an id names, if any.
    pub fn tag(self, id: ClientMessageId) -> Option<Tag> {
        let bits = id.as_u128();
        let low = bits as u64;
        let is_own = id.get_version_num() == 7
            && ((bits >> 64) & 0xfff) as u32 == self.0 >> 8
            && ((low >> 52) & 0xff) as u32 == self.0 & 0xff;
        let conversation = ((low >> 32) & ((1 << CONVERSATION_BITS) - 1)) as u32;
        is_own.then_some(Tag { conversation, number: low as u32 })
    }

    /// The text of a message, of so many bytes.
    pub fn text(self, tag: Tag, bytes: usize) -> Arc<str> {
        let (name, len) = self.name(tag);
        let mut text = String::with_capacity(bytes);
        text.push_str(std::str::from_utf8(&name[..len]).expect("names are ASCII"));
        while text.len() < bytes {
            text.push_str(&FILLER[..FILLER.len().min(bytes - text.len())]);
        }
        text.into()
    }

    /// Whether a text is that of this message.
    pub fn is_text(self, tag: Tag, bytes: usize, text: &str) -> bool {
        let (name, len) = self.name(tag);
        let Some(filler) = text.as_bytes().strip_prefix(&name[..len]) else { return false };
        text.len() == bytes.max(len) && filler.chunks(FILLER.len()).all(|chunk| FILLER.as_bytes().starts_with(chunk))
    }

    fn name(self, tag: Tag) -> ([u8; 48], usize) {
        let mut name = [0; 48];
        let mut rest = &mut name[..];
        write!(rest, "{:05x}/{}/{} ", self.0, tag.conversation, tag.number)
            .expect("48 bytes are enough for three numbers");
        let left = rest.len();
        (name, 48 - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_text_name_their_message_and_no_other() {
        let (run, other) = (Run::new(0xabcde), Run::new(0xabcdf));
        for conversation in [0, 1, 77, (1 << 20) - 1] {
            for number in [0, 1, 1_000_000, u32::MAX] {
                let tag = Tag { conversation, number };
                let id = run.id(tag, 1_764_063_000_123);
                assert_eq!(run.tag(id), Some(tag));
                assert_eq!(other.tag(id), None);
                let text = run.text(tag, 150);
                assert_eq!(text.len(), 150);
                assert!(run.is_text(tag, 150, &text));
                assert!(!other.is_text(tag, 150, &text));
                assert!(!run.is_text(tag, 149, &text));
                let changed = text.replace("Bees", "Bess");
                assert!(!run.is_text(tag, 150, &changed));
            }
        }
        assert_eq!(run.tag(uuid::Uuid::now_v7()), None);
    }
}
