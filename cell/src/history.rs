//! Pages of a conversation's messages as one person may see them: from blocks in the cache, from the own shard, and
//! where a mirror has a hole, from the home.

use skep_core::Visibility;
use skep_protocol::{Code, ConversationId, Message, Millis, Refusal, Seq, UserId, limits, wire};

use crate::{
    context::{Context, failed},
    storage::{Edge, Place},
};

/// Messages of an aligned block: 1-50, 51-100, ... A whole block never changes.
pub const BLOCK: u64 = 50;
/// Room in a frame for what is not messages.
const SLACK: usize = 8 * 1024;

/// What a page is asked for: the newest below `before`, the oldest above `after`, or the newest of all.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageAsked {
    pub before: Option<Seq>,
    pub after: Option<Seq>,
    pub limit: usize,
}

/// Messages, ascending, and whether there are more in the direction asked for.
#[derive(Clone, Debug)]
pub struct Page {
    pub messages: Vec<Message>,
    pub has_more: bool,
}

/// Somebody's place in a conversation, with everything in it that had arrived before. Never a member: `not_found`.
pub async fn place(context: &Context, user: UserId, id: ConversationId) -> Result<Place, Refusal> {
    if !context.owns(id.slot()) {
        context.hub.barrier().await?;
    }
    let place = context.shard.membership(user, id).await.map_err(failed)?;
    place.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such conversation"))
}

/// A page of what this person may read.
pub async fn page(context: &Context, user: UserId, id: ConversationId, asked: PageAsked) -> Result<Page, Refusal> {
    if asked.before.is_some() && asked.after.is_some() {
        return Err(Refusal::new(Code::Invalid, "ask with before or with after, not with both"));
    }
    let Place { member, head, .. } = place(context, user, id).await?;
    let visibility = Visibility::of(id.kind(), member.joined_seq, member.left_seq);
    let lowest = visibility.first();
    let highest = visibility.last(member.shown_head(id.kind(), head));
    let width = asked.limit as u64;
    let (first, last, edge) = match asked.after {
        Some(after) => {
            // A client may name any number: what is beyond every head has nothing after it.
            let first = Seq(after.0.saturating_add(1)).max(lowest);
            (first, Seq(highest.0.min(first.0.saturating_add(width - 1))), Edge::Oldest)
        }
        None => {
            let last = asked.before.map_or(highest, |before| highest.min(Seq(before.0.saturating_sub(1))));
            (Seq(last.0.saturating_sub(width - 1)).max(lowest), last, Edge::Newest)
        }
    };
    if first > last {
        return Ok(Page { messages: Vec::new(), has_more: false });
    }
    let mut messages = range(context, id, first, last, head).await?;
    let cut = fit(&mut messages, edge);
    let has_more = cut || if edge == Edge::Oldest { last < highest } else { first > lowest };
    Ok(Page { messages, has_more })
}

/// Whole, or refused.
async fn range(
    context: &Context,
    id: ConversationId,
    first: Seq,
    last: Seq,
    head: Seq,
) -> Result<Vec<Message>, Refusal> {
    let mut messages = Vec::with_capacity((last.0 - first.0 + 1) as usize);
    for block in block_of(first)..=block_of(last) {
        let (begin, end) = (Seq(block * BLOCK + 1), Seq((block + 1) * BLOCK));
        if end > head {
            // The newest block is not whole yet: it is the shard's.
            messages.extend(stored(context, id, first.max(begin), last.min(end)).await?);
            continue;
        }
        let whole = match context.cache.block(context.hub.era, id, block).await {
            Some(whole) => whole,
            None => {
                let whole = kept(context, id, begin, end).await?;
                if whole.len() as u64 == BLOCK {
                    context.cache.keep_block(context.hub.era, id, block, &whole).await;
                    whole
                } else {
                    // A mirror need not have what lies before its first member.
                    stored(context, id, first.max(begin), last.min(end)).await?
                }
            }
        };
        messages.extend(whole.into_iter().filter(|m| (first..=last).contains(&m.seq)));
    }
    Ok(messages)
}

/// What the own shard has of these.
async fn kept(context: &Context, id: ConversationId, first: Seq, last: Seq) -> Result<Vec<Message>, Refusal> {
    let width = (last.0 - first.0 + 1) as usize;
    context.shard.page(id, first, last, Edge::Oldest, width).await.map_err(failed)
}

/// From the own shard; a mirror's holes are filled by the home.
async fn stored(context: &Context, id: ConversationId, first: Seq, last: Seq) -> Result<Vec<Message>, Refusal> {
    let width = (last.0 - first.0 + 1) as usize;
    let messages = kept(context, id, first, last).await?;
    // No seq comes twice, so a page of full width has no hole.
    if messages.len() == width {
        return Ok(messages);
    }
    let Some(home) = context.elsewhere(id.slot())? else {
        tracing::error!(conversation = %id, %first, %last, "the home of a conversation misses messages");
        return Err(Refusal::new(Code::Internal, "messages are missing on our side; trying again is safe"));
    };
    context.hub.metrics.completed_page();
    let messages = context.peers.history(home.cell_id, id, first.0, last.0).await?;
    let messages: Vec<Message> = messages.into_iter().filter_map(|message| of_wire(id, message)).collect();
    if messages.len() == width {
        return Ok(messages);
    }
    Err(crate::context::unavailable("the messages before these cannot be reached at the moment; trying again is safe"))
}

/// Keeps what fits in one frame, from the edge that was asked for. At least one message always does.
fn fit(messages: &mut Vec<Message>, edge: Edge) -> bool {
    let mut bytes = SLACK;
    let mut fits = |message: &&Message| {
        bytes += message_bytes(message);
        bytes <= limits::SERVER_FRAME_BYTES
    };
    let kept = match edge {
        Edge::Oldest => messages.iter().take_while(&mut fits).count(),
        Edge::Newest => messages.iter().rev().take_while(&mut fits).count(),
    };
    let cut = kept < messages.len();
    match edge {
        Edge::Oldest => messages.truncate(kept),
        Edge::Newest => _ = messages.drain(..messages.len() - kept),
    }
    cut
}

/// As JSON at most: escaping makes up to six bytes of one.
pub fn message_bytes(message: &Message) -> usize {
    300 + message.text.bytes().map(|b| if b < 0x20 || b == b'"' || b == b'\\' { 6 } else { 1 }).sum::<usize>()
}

fn block_of(seq: Seq) -> u64 {
    (seq.0 - 1) / BLOCK
}

pub fn to_wire(message: &Message) -> wire::StoredMessage {
    wire::StoredMessage {
        seq: message.seq.0,
        sender_id: bytes::Bytes::copy_from_slice(&message.sender_id.to_bytes()),
        client_message_id: bytes::Bytes::copy_from_slice(message.client_message_id.as_bytes()),
        sent_at_ms: message.sent_at.0,
        text: message.text.to_string(),
    }
}

pub fn of_wire(conversation_id: ConversationId, message: wire::StoredMessage) -> Option<Message> {
    Some(Message {
        conversation_id,
        seq: Seq(message.seq),
        sender_id: UserId::from_bytes(&message.sender_id).ok()?,
        client_message_id: uuid::Uuid::from_slice(&message.client_message_id).ok()?,
        sent_at: Millis(message.sent_at_ms),
        text: message.text.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: u64, text: &str) -> Message {
        let sender_id = UserId::new("anna", Millis(1), 1);
        let conversation_id = ConversationId::group(7);
        let client_message_id = uuid::Uuid::nil();
        Message { conversation_id, seq: Seq(seq), sender_id, client_message_id, sent_at: Millis(2), text: text.into() }
    }

    #[test]
    fn what_does_not_fit_is_cut_at_the_far_end() {
        let large = "x".repeat(100_000);
        let page = || (1..=5).map(|seq| message(seq, &large)).collect::<Vec<_>>();
        let seqs = |messages: &[Message]| messages.iter().map(|m| m.seq.0).collect::<Vec<_>>();
        let mut oldest = page();
        assert!(fit(&mut oldest, Edge::Oldest));
        assert_eq!(seqs(&oldest), [1, 2]);
        let mut newest = page();
        assert!(fit(&mut newest, Edge::Newest));
        assert_eq!(seqs(&newest), [4, 5]);
        let mut small = vec![message(1, "a")];
        assert!(!fit(&mut small, Edge::Oldest));
    }

    #[test]
    fn the_largest_message_of_all_fits_alone() {
        let mut alone = vec![message(1, &"\u{1}".repeat(limits::TEXT_CHARS))];
        assert!(!fit(&mut alone, Edge::Newest));
        assert_eq!(alone.len(), 1);
    }

    #[test]
    fn messages_survive_the_way_between_cells() {
        let sent = message(9, "h\u{e9}llo");
        assert_eq!(of_wire(sent.conversation_id, to_wire(&sent)), Some(sent));
    }

    #[test]
    fn blocks_are_aligned() {
        assert_eq!([1, 50, 51, 100].map(|seq| block_of(Seq(seq))), [0, 0, 1, 1]);
    }
}
