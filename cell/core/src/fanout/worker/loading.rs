//! Conversations whose members are not known yet: their changes wait, and so do the marks that cover them.

use std::collections::VecDeque;

use skep_protocol::{ConversationId, Lane, Pos};

use super::{ConnectionId, Effect, Held, Source, Worker, is_in_use, is_loading};
use crate::Change;
use crate::fanout::{
    LocalConversation,
    conversation::{Entry, Ready},
};

impl Worker {
    /// What is known may be out of date, and every connection may have missed something.
    pub(super) fn skipped(&mut self, lane: Lane, through: Pos, effects: &mut Vec<Effect>) {
        let loading = self.conversations.iter_mut().filter(|(_, entry)| is_loading(entry));
        let mut loading: Vec<ConversationId> = loading.map(|(id, _)| *id).collect();
        loading.sort_unstable();
        for id in loading {
            self.pass_over(id, effects);
            self.conversations.insert(id, Entry::Loading(VecDeque::new()), is_in_use);
            self.outdated.insert(id);
        }
        self.conversations.retain(is_loading);
        self.counts.clear();
        if lane != Lane::MIRROR {
            let position = &mut self.positions[usize::from(lane.0)];
            *position = (*position).max(through);
        }
        self.everybody_behind(effects);
    }

    pub(super) fn everybody_behind(&self, effects: &mut Vec<Effect>) {
        let mut everybody: Vec<ConnectionId> = self.connections.keys().copied().collect();
        everybody.sort_unstable();
        effects.extend(everybody.into_iter().map(Effect::Behind));
    }

    /// Whether what was loaded is too old; then it is loaded again, if anything waits for it.
    pub(super) fn is_outdated(&mut self, id: ConversationId, effects: &mut Vec<Effect>) -> bool {
        if !self.outdated.remove(&id) {
            return false;
        }
        match self.conversations.get_mut(&id) {
            Some(Entry::Loading(held)) if held.is_empty() => _ = self.conversations.remove(&id),
            Some(Entry::Loading(_)) => effects.push(Effect::Load(id)),
            _ => {}
        }
        true
    }

    /// Until this conversation's members are loaded, checkpoints stay before the change.
    pub(super) fn hold(&mut self, id: ConversationId, change: &Change, source: Source) {
        let (lane, before) = self.before(change, source);
        self.held.entry(id).or_default().entry(lane).or_insert(before);
    }

    /// While everybody is to be told the number of members, too.
    pub(super) fn hold_count(&mut self, id: ConversationId, change: &Change, source: Source) {
        let owes = matches!(self.conversations.peek(&id), Some(Entry::Ready(ready)) if ready.owes_count());
        if !owes {
            self.counts.remove(&id);
            return;
        }
        let (lane, before) = self.before(change, source);
        self.counts.entry(id).or_default().entry(lane).or_insert(before);
    }

    /// Where this cell's lane stood before a change.
    pub(super) fn before(&self, change: &Change, source: Source) -> (Lane, Pos) {
        match source {
            Source::Home => (change.lane, change.after),
            Source::Mirror => (Lane::MIRROR, self.positions[0]),
        }
    }

    pub(super) fn loaded(&mut self, local: LocalConversation, effects: &mut Vec<Effect>) {
        let id = local.conversation_id();
        if self.is_outdated(id, effects) {
            return;
        }
        let Some(held) = self.take_held(id) else { return };
        let (index, workers) = (self.options.index, self.options.workers);
        let ready = Ready::new(local, |user| Self::of(user, workers) == index);
        self.conversations.insert(id, Entry::Ready(Box::new(ready)), is_in_use);
        for held in held {
            match held {
                Held::Change(change, index) => {
                    self.deliver(&change.conversations[index], (change.era, change.after), effects)
                }
                Held::Marked(mark) => self.marked(mark, effects),
                Held::Answered(request_id, answer) => self.answered(request_id, answer, effects),
            }
        }
        let held = self.held.remove(&id);
        if let Some(Entry::Ready(ready)) = self.conversations.peek(&id)
            && ready.owes_count()
        {
            self.counts.insert(id, held.unwrap_or_default());
        }
    }

    /// Unless somebody has come since it was asked: a change that waits brings the conversation.
    pub(super) fn nobody_here(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        if self.is_outdated(id, effects) {
            return;
        }
        let brings_it = |held: &Held| match held {
            Held::Change(change, index) => change.conversations[*index].row.is_some(),
            Held::Marked(_) | Held::Answered(..) => false,
        };
        match self.conversations.get_mut(&id) {
            Some(Entry::Loading(held)) if held.iter().any(brings_it) => effects.push(Effect::Load(id)),
            _ => self.pass_over(id, effects),
        }
    }

    /// What waits for the conversation, which is forgotten; nothing when it is not being loaded.
    pub(super) fn take_held(&mut self, id: ConversationId) -> Option<VecDeque<Held>> {
        match self.conversations.get_mut(&id) {
            Some(Entry::Loading(held)) => {
                let held = std::mem::take(held);
                self.conversations.remove(&id);
                Some(held)
            }
            Some(Entry::Ready(_)) | None => None,
        }
    }

    /// What waits for members who are not known is passed over; answers go out all the same.
    pub(super) fn pass_over(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        let Some(held) = self.take_held(id) else { return };
        for held in held {
            match held {
                Held::Change(change, index) => self.settle_elsewhere(&change.conversations[index], effects),
                Held::Answered(request_id, answer) => self.answered(request_id, answer, effects),
                Held::Marked(_) => {}
            }
        }
        self.held.remove(&id);
    }

    pub(super) fn not_loaded(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        if self.is_outdated(id, effects) {
            return;
        }
        self.pass_over(id, effects);
        // Who is a member is not known: everybody here syncs, from a token before the change.
        self.everybody_behind(effects);
    }
}
