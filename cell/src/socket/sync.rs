//! A return made whole: the barrier, one look at the own shard, then pages, then the token.

use std::sync::Arc;
use std::time::Duration;

use skep_core::{
    Visibility,
    sync::{Listed, Snapshot, Token},
};
use skep_protocol::{CloseCode, LeftConversation, Message, ServerFrame, SyncedConversation, UserId, limits};

use super::session::Doors;
use crate::{history::message_bytes, shell::Connection, storage::StorageError};

/// Room in a page for what is not counted.
const SLACK: usize = 8 * 1024;
/// A conversation that is no longer listed, in a page.
const LEFT_BYTES: usize = 128;
/// Who cannot look within this is told to come back.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// What a sync is about.
pub(super) struct Span {
    /// What the client has.
    pub since: Option<Token>,
    /// What it will have: what is pushed is behind it.
    pub from: Token,
}

/// Runs beside the connection's reading, and ends with `synced` or with the connection.
pub(super) async fn run(connection: Arc<Connection>, doors: Arc<Doors>, user: UserId, span: Span) {
    let stall = Duration::from_millis(limits::SYNC_STALL_MS);
    match sync(&connection, &doors, user, span, stall).await {
        Ok(()) => {}
        Err(Broken::Stalled) => connection.close(CloseCode::Busy),
        Err(Broken::Unavailable(detail)) => {
            tracing::warn!(detail, "a sync broke off");
            let bye = ServerFrame::Bye { code: CloseCode::Busy.number(), retry_after_ms: 1_000 };
            connection.reply(&bye);
            connection.close(CloseCode::Busy);
        }
    }
}

enum Broken {
    /// The client takes nothing.
    Stalled,
    Unavailable(String),
}

impl From<StorageError> for Broken {
    fn from(error: StorageError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

async fn sync(
    connection: &Arc<Connection>,
    doors: &Doors,
    user: UserId,
    Span { since, from }: Span,
    stall: Duration,
) -> Result<(), Broken> {
    let Looked { full, listed, left } = look(doors, user, since).await?;
    let mut page = Page { full, conversations: Vec::new(), left: Vec::new(), bytes: SLACK, is_first: true };
    for left in left {
        if page.bytes + LEFT_BYTES > limits::SERVER_FRAME_BYTES {
            send(connection, page.take(), stall).await?;
        }
        page.bytes += LEFT_BYTES;
        page.left.push(left);
    }
    for listed in listed {
        let conversation = with_messages(doors, &listed).await?;
        let bytes = size(&conversation);
        if page.bytes + bytes > limits::SERVER_FRAME_BYTES && !page.is_empty() {
            send(connection, page.take(), stall).await?;
        }
        page.bytes += bytes;
        page.conversations.push(conversation);
    }
    if page.is_first || !page.is_empty() {
        send(connection, page.take(), stall).await?;
    }
    if !connection.drained(stall).await {
        return Err(Broken::Stalled);
    }
    connection.end_sync(ServerFrame::Synced { sync_token: from.to_text() }.to_websocket());
    Ok(())
}

/// One look at the shard, behind the barrier. So many at once: a storm of returning people must not starve those who
/// are here. The turn is over before anything is written, so that no slow client holds it.
async fn look(doors: &Doors, user: UserId, token: Option<Token>) -> Result<Looked, Broken> {
    let turn = tokio::time::timeout(TURN_WITHIN, doors.syncs.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Broken::Unavailable("too many people return at once".to_owned())) };
    doors.context.hub.barrier().await.map_err(|refusal| Broken::Unavailable(refusal.detail))?;
    let since = token.filter(|token| doors.context.shard.token_holds(token));
    let Snapshot { listed, left, .. } = doors.context.shard.snapshot(user, since.as_ref()).await?;
    Ok(Looked { full: since.is_none(), listed, left })
}

/// What a look has shown.
struct Looked {
    full: bool,
    listed: Vec<Listed>,
    left: Vec<LeftConversation>,
}

/// A page in the making.
struct Page {
    full: bool,
    conversations: Vec<SyncedConversation>,
    left: Vec<LeftConversation>,
    bytes: usize,
    is_first: bool,
}

impl Page {
    fn is_empty(&self) -> bool {
        self.conversations.is_empty() && self.left.is_empty()
    }

    fn take(&mut self) -> ServerFrame {
        self.bytes = SLACK;
        self.is_first = false;
        let (conversations, left) = (std::mem::take(&mut self.conversations), std::mem::take(&mut self.left));
        ServerFrame::Sync { full: self.full, conversations, left }
    }
}

async fn send(connection: &Arc<Connection>, page: ServerFrame, stall: Duration) -> Result<(), Broken> {
    if connection.page(page.to_websocket(), stall).await { Ok(()) } else { Err(Broken::Stalled) }
}

/// The newest messages beyond the token, at most 50 and what one frame holds. A mirror with a hole gives what is above
/// it; the rest is for `history`.
async fn with_messages(doors: &Doors, listed: &Listed) -> Result<SyncedConversation, StorageError> {
    let id = listed.row.conversation_id;
    let visibility = Visibility::of(id.kind(), listed.member.joined_seq, listed.member.left_seq);
    let upto = visibility.last(listed.head);
    let mut messages = Vec::new();
    if listed.news_above < upto {
        let newest = doors.context.shard.newest(id, listed.news_above, upto, limits::SYNC_MESSAGES).await?;
        messages = fitting(newest);
    }
    Ok(SyncedConversation { conversation: listed.member.view(&listed.row, listed.head), messages })
}

/// The newest run without holes that fits in a frame.
fn fitting(newest: Vec<Message>) -> Vec<Message> {
    let mut bytes = SLACK;
    let mut next = None;
    let mut kept: Vec<Message> = newest
        .into_iter()
        .rev()
        .take_while(|m| {
            bytes += message_bytes(m);
            let joins = next.is_none_or(|next: skep_protocol::Seq| m.seq.next() == next);
            next = Some(m.seq);
            joins && bytes <= limits::SERVER_FRAME_BYTES
        })
        .collect();
    kept.reverse();
    kept
}

/// Titles and topics are the client's own: what they take is seen by writing them.
fn size(synced: &SyncedConversation) -> usize {
    let head = serde_json::to_string(&synced.conversation).map_or(SLACK, |text| text.len());
    32 + head + synced.messages.iter().map(message_bytes).sum::<usize>()
}
