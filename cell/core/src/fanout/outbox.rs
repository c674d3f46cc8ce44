//! What one connection has not taken yet: bounded, and never slowing others.

use std::collections::VecDeque;

use bytes::Bytes;
use skep_protocol::{ConversationId, ServerFrame, limits};

/// The unsent frames of one connection, in the order in which it gets them.
///
/// A frame is taken while fewer than `limit` bytes wait, however large it is: a page of history may be as large as the
/// limit itself. So at most `limit` and one frame wait; during a sync also what waits for its end.
#[derive(Debug)]
pub struct Outbox {
    phase: Phase,
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// Pushes that wait for `synced`.
    held: Waiting,
    /// Answers that wait for the first page of a sync: it may make the client forget all that came before.
    early: Waiting,
    pages: Pages,
    lost: Lost,
    limit: usize,
}

/// Whether an answer was lost after the client was told to sync: it is told once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lost {
    Nothing,
    AnAnswer,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<(Option<ConversationId>, Bytes)>,
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pages {
    NoneYet,
    Some,
}

/// What a connection may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Between `hello` or `sync` and `synced`: pushes wait.
    Syncing,
    /// A sync in which something was lost: `resync` follows `synced`.
    SyncingBehind,
    Live,
    /// Something was lost: the client is told `resync`, and gets no pushes until it sends `sync`.
    Lagging,
}

impl Outbox {
    /// Of a connection that has just said hello. `limit` in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            phase: Phase::Syncing,
            queue: VecDeque::new(),
            bytes: 0,
            held: Waiting::default(),
            early: Waiting::default(),
            pages: Pages::NoneYet,
            lost: Lost::Nothing,
            limit,
        }
    }

    /// What it may be sent now.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Bytes that wait to be written.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A change of a conversation, or of none.
    pub fn push(&mut self, conversation: Option<ConversationId>, frame: Bytes) {
        match self.phase {
            Phase::Live | Phase::Syncing if frame.len() > self.limit => self.behind(),
            Phase::Live if self.has_room() => self.enqueue(frame),
            Phase::Syncing if self.held.bytes < self.limit => self.held.put(conversation, frame),
            Phase::Live | Phase::Syncing => self.behind(),
            Phase::SyncingBehind | Phase::Lagging => {}
        }
    }

    /// An answer to a request: waits for nothing but earlier pushes of the same conversation, and in a sync for its
    /// first page.
    pub fn answer(&mut self, conversation: Option<ConversationId>, frame: Bytes) {
        let is_syncing = matches!(self.phase, Phase::Syncing | Phase::SyncingBehind);
        let is_early = is_syncing && self.pages == Pages::NoneYet && conversation.is_some();
        let is_behind_push = self.phase == Phase::Syncing && self.held.holds(conversation);
        if is_behind_push {
            self.push(conversation, frame);
        } else if is_early && self.early.bytes < self.limit {
            self.early.put(conversation, frame);
        } else if !is_early && self.has_room() {
            self.enqueue(frame);
        } else {
            self.behind();
        }
    }

    /// A page of a sync: it waits until the outbox is empty.
    pub fn page(&mut self, frame: Bytes) {
        self.enqueue(frame);
        self.pages = Pages::Some;
        for (_, frame) in std::mem::take(&mut self.early).frames {
            self.enqueue(frame);
        }
    }

    /// A checkpoint: only where nothing is missing before it.
    pub fn checkpoint(&mut self, frame: Bytes) {
        if self.phase == Phase::Live && self.has_room() {
            self.enqueue(frame);
        }
    }

    /// Something for it was lost, here or before it came here: the client is told to sync, after the sync under way.
    pub fn behind(&mut self) {
        match self.phase {
            Phase::Live => self.lag(),
            Phase::Syncing => {
                self.held = Waiting::default();
                self.phase = Phase::SyncingBehind;
            }
            Phase::Lagging => self.lost = Lost::AnAnswer,
            Phase::SyncingBehind => {}
        }
    }

    /// A sync begins; after hello it has.
    pub fn begin_sync(&mut self) {
        if matches!(self.phase, Phase::Syncing | Phase::SyncingBehind) {
            return;
        }
        self.phase = if self.lost == Lost::AnAnswer { Phase::SyncingBehind } else { Phase::Syncing };
        self.lost = Lost::Nothing;
        self.pages = Pages::NoneYet;
    }

    /// The sync is whole: its token, then what was held back.
    pub fn end_sync(&mut self, synced: Bytes) {
        self.enqueue(synced);
        for (_, frame) in
            std::mem::take(&mut self.early).frames.into_iter().chain(std::mem::take(&mut self.held).frames)
        {
            self.enqueue(frame);
        }
        if self.phase == Phase::SyncingBehind {
            self.lag();
        } else {
            self.phase = Phase::Live;
        }
    }

    /// The frames to write, oldest first.
    pub fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.queue.iter()
    }

    /// So many bytes were written.
    pub fn written(&mut self, mut count: usize) {
        self.bytes -= count;
        while count > 0 {
            let first = self.queue.front_mut().expect("no more is written than there was");
            if count < first.len() {
                bytes::Buf::advance(first, count);
                return;
            }
            count -= first.len();
            self.queue.pop_front();
        }
    }

    fn has_room(&self) -> bool {
        self.bytes < self.limit
    }

    fn enqueue(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.queue.push_back(frame);
    }

    /// Something is lost. What waits is dropped, but for a frame that may be written in part; the client is told.
    fn lag(&mut self) {
        self.phase = Phase::Lagging;
        self.queue.truncate(1);
        self.bytes = self.queue.iter().map(Bytes::len).sum();
        self.enqueue(ServerFrame::Resync.to_websocket());
    }
}

impl Waiting {
    fn put(&mut self, conversation: Option<ConversationId>, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back((conversation, frame));
    }

    fn holds(&self, conversation: Option<ConversationId>) -> bool {
        conversation.is_some() && self.frames.iter().any(|(held, _)| *held == conversation)
    }
}

/// The limit of the product.
impl Default for Outbox {
    fn default() -> Self {
        Self::new(limits::BACKLOG_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    #[test]
    fn pushes_wait_for_synced_and_come_in_order() {
        let mut outbox = Outbox::new(100);
        outbox.push(None, Bytes::from_static(b"push"));
        outbox.answer(None, Bytes::from_static(b"answer"));
        outbox.page(Bytes::from_static(b"page"));
        outbox.end_sync(Bytes::from_static(b"synced"));
        let got: Vec<&[u8]> = outbox.frames().map(|f| &f[..]).collect();
        assert_eq!(got, [&b"answer"[..], b"page", b"synced", b"push"]);
    }

    #[test]
    fn a_lost_push_in_a_sync_means_resync_after_it() {
        let mut outbox = Outbox::new(10);
        outbox.push(None, frame(8));
        outbox.push(None, frame(8));
        outbox.push(None, frame(8));
        outbox.end_sync(Bytes::from_static(b"synced"));
        assert_eq!(outbox.phase(), Phase::Lagging);
        assert_eq!(outbox.frames().next().unwrap(), "synced");
        assert!(outbox.frames().any(|f| f.ends_with(br#"{"type":"resync"}"#)));
    }

    #[test]
    fn an_answer_about_a_conversation_waits_for_the_page_that_may_make_the_client_forget() {
        let id = ConversationId::group(7);
        let mut outbox = Outbox::new(100);
        outbox.answer(Some(id), Bytes::from_static(b"sent"));
        assert_eq!(outbox.bytes(), 0);
        outbox.page(Bytes::from_static(b"page"));
        outbox.answer(Some(id), Bytes::from_static(b"sent"));
        let got: Vec<&[u8]> = outbox.frames().map(|f| &f[..]).collect();
        assert_eq!(got, [&b"page"[..], b"sent", b"sent"]);
    }

    #[test]
    fn a_lost_answer_is_followed_by_resync_in_every_phase() {
        let resync = |outbox: &Outbox| outbox.frames().filter(|f| f.ends_with(br#"{"type":"resync"}"#)).count();
        let mut outbox = Outbox::new(10);
        outbox.page(frame(50));
        outbox.answer(None, frame(5));
        outbox.end_sync(frame(1));
        assert_eq!((outbox.phase(), resync(&outbox)), (Phase::Lagging, 1));
        outbox.answer(None, frame(5));
        outbox.written(outbox.bytes());
        outbox.begin_sync();
        outbox.end_sync(frame(1));
        assert_eq!((outbox.phase(), resync(&outbox)), (Phase::Lagging, 1));
    }

    proptest! {
        #[test]
        fn it_stays_bounded_and_counts_right(steps in prop::collection::vec((0_usize..60, 0_usize..80), 1..200)) {
            let mut outbox = Outbox::new(200);
            outbox.page(frame(1));
            outbox.end_sync(frame(1));
            for (push, written) in steps {
                outbox.push(None, frame(push));
                let waiting: usize = outbox.frames().map(Bytes::len).sum();
                prop_assert_eq!(outbox.bytes(), waiting);
                prop_assert!(waiting <= 200 + 80);
                outbox.written(written.min(waiting));
            }
        }
    }
}
