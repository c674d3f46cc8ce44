//! Frames of the server, taken in.

use std::borrow::Cow;

use skep_protocol::{ClientFrame, Conversation, ConversationId, LeftConversation, LeftReason, Seq, ServerFrame};

use super::{
    Asked, Effects, Kept, Pages, Phase, State,
    kept::{Disorder, Fetch, Stream},
    waiting::GRACE_MS,
};
use crate::{
    event::{Event, Source, Wrong},
    frame::{Frame, MessageRef},
};

impl State {
    /// Takes a frame in.
    pub fn frame(&mut self, frame: Frame<'_>, now_ms: u64, fx: &mut dyn Effects) {
        match frame {
            Frame::Messages(messages) => {
                messages.iter().for_each(|m| self.message(m, Source::Push, now_ms, fx));
            }
            Frame::Other(frame) => self.other_frame(frame, now_ms, fx),
        }
        self.tell_whole(now_ms, fx);
    }

    fn other_frame(&mut self, frame: ServerFrame, now_ms: u64, fx: &mut dyn Effects) {
        match frame {
            ServerFrame::Welcome { .. } => {
                self.phase = Phase::Syncing { pages: Pages::NoneYet, resync: false };
                self.reset_streams();
                fx.tell(Event::Connected);
            }
            ServerFrame::Messages { messages } => {
                messages.iter().for_each(|m| self.message(&m.into(), Source::Push, now_ms, fx));
            }
            ServerFrame::Sync { full, conversations, left } => {
                self.begin_page(full);
                for synced in conversations {
                    let id = synced.conversation.conversation_id;
                    self.listed(synced.conversation, Source::Sync, fx);
                    synced.messages.iter().for_each(|m| self.message(&m.into(), Source::Sync, now_ms, fx));
                    self.look_for_hole(id, now_ms);
                }
                for gone in left {
                    self.left(&gone, now_ms, fx);
                    // It stands for all up to its left_seq: of that, pushes that waited for the sync may bring a part.
                    if let Some(kept) = self.conversations.get_mut(&gone.conversation_id) {
                        kept.stream = Stream::after(kept.head.max(gone.left_seq));
                    }
                }
            }
            ServerFrame::Synced { sync_token } => self.synced(sync_token, now_ms, fx),
            ServerFrame::Sent { reference, conversation_id, client_message_id, seq, sent_at } => {
                self.asked.remove(&reference);
                let Some(unsent) = self.unsent.settle(client_message_id) else { return };
                fx.tell(Event::Acknowledged { conversation_id, client_message_id, seq, sent_at });
                let source = if unsent.attempts > 1 { Source::SentAgain } else { Source::Sent };
                let text = Cow::Borrowed(unsent.text.as_ref());
                let sender_id = self.user;
                let message = MessageRef { conversation_id, seq, sender_id, client_message_id, sent_at, text };
                self.message(&message, source, now_ms, fx);
            }
            ServerFrame::Conversation { conversation } => {
                let id = conversation.conversation_id;
                self.listed(conversation, Source::Push, fx);
                self.look_for_hole(id, now_ms + GRACE_MS);
            }
            ServerFrame::Left { conversation_id, first_seq, left_seq, reason } => {
                self.left(&LeftConversation { conversation_id, first_seq, left_seq, reason }, now_ms, fx);
            }
            ServerFrame::Read { reference, conversation_id, read_seq, unread } => {
                reference.and_then(|r| self.asked.remove(&r));
                if let Some(kept) = self.conversations.get_mut(&conversation_id) {
                    kept.read = kept.read.max(read_seq);
                    kept.head = kept.head.max(Seq(read_seq.0 + unread));
                }
                fx.tell(Event::Read { conversation_id, read_seq });
            }
            ServerFrame::History { reference, messages, .. } => {
                messages.iter().for_each(|m| self.message(&m.into(), Source::History, now_ms, fx));
                if let Some(Asked::History(id, from)) = self.asked.remove(&reference).map(|a| a.what) {
                    self.fetched(id, from, now_ms, fx);
                }
            }
            ServerFrame::Checkpoint { sync_token } => match self.phase {
                Phase::Live => self.token = Some(sync_token),
                _ => fx.tell(Event::Wrong(Wrong::Checkpoint)),
            },
            ServerFrame::Resync => self.resync(now_ms, fx),
            ServerFrame::Error { reference, code, retry_after_ms, .. } => {
                match reference.and_then(|r| self.asked.remove(&r)).map(|a| a.what) {
                    Some(Asked::Send(id)) => self.send_refused(id, code, retry_after_ms, now_ms, fx),
                    Some(Asked::History(id, _)) if code.retryable() => self.fetched_nothing(id, now_ms, fx),
                    Some(Asked::History(id, _)) => self.fetch_refused(id),
                    Some(Asked::Read) | None => {}
                }
            }
            ServerFrame::Moved => fx.tell(Event::Moved),
            ServerFrame::Bye { code, .. } => fx.tell(Event::Bye { code }),
            ServerFrame::Pong { .. } | ServerFrame::Unknown => {}
        }
    }

    // === syncs ===

    fn begin_page(&mut self, full: bool) {
        let Phase::Syncing { pages, resync } = self.phase else { return };
        if pages == Pages::NoneYet {
            if full {
                self.former.extend(std::mem::take(&mut self.conversations));
                self.hungry.clear();
                self.fetching = 0;
            }
            let pages = if full { Pages::Full } else { Pages::Partial };
            self.phase = Phase::Syncing { pages, resync };
        }
    }

    fn synced(&mut self, sync_token: String, now_ms: u64, fx: &mut dyn Effects) {
        let Phase::Syncing { pages, resync } = self.phase else {
            return fx.tell(Event::Wrong(Wrong::Frame("synced, but no sync was under way".to_owned())));
        };
        self.token = Some(sync_token);
        self.phase = Phase::Live;
        for (conversation_id, kept) in std::mem::take(&mut self.former) {
            fx.tell(Event::Forgot { conversation_id, kept: &kept });
        }
        fx.tell(Event::Synced { full: pages == Pages::Full, resync });
        self.write_waiting(now_ms, fx);
        self.feed_hungry(now_ms, fx);
    }

    /// Something was missed. Answers may be among it: what was asked is asked again after the sync.
    fn resync(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        fx.tell(Event::Resync);
        self.broken_at_ms.get_or_insert(now_ms);
        self.take_back_former();
        self.doubt_all(fx);
        self.phase = Phase::Syncing { pages: Pages::NoneYet, resync: true };
        self.reset_streams();
        // A token that no cell takes gives a full sync, which is what is needed where none is there yet.
        fx.say(&ClientFrame::Sync { sync_token: self.token.clone().unwrap_or_default() });
    }

    fn reset_streams(&mut self) {
        for kept in self.conversations.values_mut() {
            kept.stream = Stream::after(kept.head);
            kept.listed_head = kept.listed_head.max(kept.seqs.last().unwrap_or_default());
        }
    }

    fn tell_whole(&mut self, now_ms: u64, fx: &mut dyn Effects) {
        if self.is_whole()
            && let Some(since) = self.broken_at_ms.take()
        {
            fx.tell(Event::Whole { after_ms: now_ms.saturating_sub(since) });
        }
    }

    // === conversations ===

    fn listed(&mut self, info: Conversation, source: Source, fx: &mut dyn Effects) {
        let id = info.conversation_id;
        fx.tell(Event::Listed { conversation: &info });
        let Some(kept) = self.conversations.get_mut(&id) else {
            let mut kept = Kept::new(info, self.backlog);
            if let Some(former) = self.former.remove(&id) {
                // What was wanted before is still wanted, wherever this sync's page begins.
                if former.info.first_seq < kept.info.first_seq {
                    fx.tell(Event::Forgot { conversation_id: id, kept: &former });
                }
                kept.floor = kept.floor.min(former.floor).max(kept.info.first_seq);
            }
            self.conversations.insert(id, kept);
            return;
        };
        let is_anew = begins_anew(kept, id, info.first_seq, fx);
        let was_left = kept.left.take().is_some();
        kept.head = kept.head.max(info.head_seq);
        kept.read = kept.read.max(info.read_seq);
        if is_anew || was_left || source == Source::Sync {
            kept.listed_head = kept.listed_head.max(info.head_seq);
            kept.stream = Stream::after(kept.head);
            if kept.fetch == Fetch::Hopeless {
                kept.fetch = Fetch::Idle;
            }
        }
        kept.info = info;
    }

    fn left(&mut self, gone: &LeftConversation, now_ms: u64, fx: &mut dyn Effects) {
        let LeftConversation { conversation_id: id, first_seq, left_seq, reason } = *gone;
        if let Some(kept) = self.conversations.get_mut(&id) {
            begins_anew(kept, id, first_seq, fx);
            kept.left = Some((left_seq, reason));
            kept.listed_head = kept.listed_head.max(left_seq);
            self.look_for_hole(id, now_ms + GRACE_MS);
        }
        fx.tell(Event::Left { conversation_id: id, left_seq, reason });
    }

    // === messages ===

    fn message(&mut self, message: &MessageRef<'_>, source: Source, now_ms: u64, fx: &mut dyn Effects) {
        let MessageRef { conversation_id: id, seq, client_message_id, sent_at, .. } = *message;
        let is_own = message.sender_id == self.user;
        if is_own && self.unsent.settle(client_message_id).is_some() {
            fx.tell(Event::Acknowledged { conversation_id: id, client_message_id, seq, sent_at });
        }
        let Some(kept) = self.conversations.get_mut(&id) else {
            if source == Source::Push {
                fx.tell(Event::Wrong(Wrong::Unlisted { conversation_id: id, seq }));
            }
            return;
        };
        if seq < kept.info.first_seq {
            return;
        }
        check_stream(kept, seq, source, fx);
        kept.head = kept.head.max(seq);
        if is_own {
            kept.read = kept.read.max(seq);
        }
        if kept.seqs.insert(seq) {
            fx.tell(Event::Message { message, source });
        } else {
            fx.tell(Event::Replayed { conversation_id: id, seq });
        }
        if !matches!(source, Source::History | Source::Sync) && (kept.fetch != Fetch::Idle || kept.hole().is_some()) {
            self.look_for_hole(id, now_ms + GRACE_MS);
        }
    }
}

/// Joined anew since it was listed last, perhaps unseen: what lies before is no longer readable.
fn begins_anew(kept: &mut Kept, conversation_id: ConversationId, first_seq: Seq, fx: &mut dyn Effects) -> bool {
    let is_anew = first_seq > kept.info.first_seq;
    if is_anew {
        fx.tell(Event::Forgot { conversation_id, kept });
        kept.seqs.drop_below(first_seq);
        kept.floor = kept.floor.max(first_seq);
        kept.info.first_seq = first_seq;
    }
    is_anew
}

fn check_stream(kept: &mut Kept, seq: Seq, source: Source, fx: &mut dyn Effects) {
    let conversation_id = kept.info.conversation_id;
    if let Some((left_seq, LeftReason::Left | LeftReason::Removed)) = kept.left
        && seq > left_seq
        && source == Source::Push
    {
        fx.tell(Event::Wrong(Wrong::AfterLeft { conversation_id, left_seq, seq }));
    }
    let disorder = match source {
        Source::Push | Source::Sent => kept.stream.gives(seq),
        Source::SentAgain => kept.stream.repeats(seq),
        Source::Sync | Source::History => None,
    };
    match disorder {
        Some(Disorder::Hole(after)) => fx.tell(Event::Wrong(Wrong::Hole { conversation_id, after, seq })),
        Some(Disorder::Again(after)) => fx.tell(Event::Wrong(Wrong::Again { conversation_id, after, seq })),
        None => {}
    }
}
