//! A sync: barrier, one look at the shard, pages, `synced`.

use std::collections::VecDeque;

use skep_core::fanout::{ConnectionId, Outbox};
use skep_core::sync::{Listed, Snapshot, Token};
use skep_protocol::{CellId, LeftConversation, ServerFrame, SyncedConversation};

use super::World;
use super::process::AfterBarrier;
use crate::plan::Mutant;
use crate::trace::tell;

/// A client that takes nothing for so long during a sync is closed.
const STALL_MS: i64 = 10_000;

/// A sync under way.
pub(super) struct Syncing {
    since: Option<Token>,
    /// What `synced` gives.
    from: Token,
    /// After the snapshot.
    pages: Option<Pages>,
}

struct Pages {
    listed: VecDeque<Listed>,
    left: Vec<LeftConversation>,
    written: usize,
    /// Whether the next page is being read.
    reading: bool,
}

impl World {
    /// After hello, and after `sync`.
    pub(super) fn begin_sync(&mut self, cell: CellId, connection: ConnectionId, from: Token) {
        self.write(cell, connection, Outbox::begin_sync);
        let asked = self.process(cell).connections.get_mut(&connection).and_then(|c| c.asked_sync.take());
        let Some(token) = asked else { return };
        let token = token.and_then(|t| Token::parse(&t).ok());
        let shard = &self.cells[&cell].shard;
        let holds = |t: &Token| match self.plan.mutant {
            Some(Mutant::OldTokensHold) => shard.token_stands_before_loss(t),
            _ => shard.token_holds(t),
        };
        let since = token.filter(holds);
        let Some(state) = self.process(cell).connections.get_mut(&connection) else { return };
        state.sync = Some(Syncing { since, from, pages: None });
        self.barrier(cell, AfterBarrier::Snapshot(connection));
    }

    pub(super) fn snapshot(&mut self, cell: CellId, connection: ConnectionId) {
        let Some(state) = self.process(cell).connections.get(&connection) else { return };
        let Some(sync) = &state.sync else { return };
        let (user, since, device) = (state.user, sync.since.clone(), state.device);
        let Snapshot { token, listed, left } = self.cells[&cell].shard.snapshot(user, since.as_ref());
        tell!(
            self,
            cell,
            "sync of device {device} since {since:?}: {} listed, {} left, now {token:?}",
            listed.len(),
            left.len()
        );
        let pages = Pages { listed: listed.into(), left, written: 0, reading: false };
        if let Some(Syncing { pages: slot, .. }) =
            self.process(cell).connections.get_mut(&connection).and_then(|c| c.sync.as_mut())
        {
            *slot = Some(pages);
        }
        self.next_page(cell, connection);
    }

    /// The outbox is empty: the next page is read, or the sync is whole.
    pub(super) fn next_page(&mut self, cell: CellId, connection: ConnectionId) {
        let Some(state) = self.process(cell).connections.get_mut(&connection) else { return };
        let Some(Syncing { pages: Some(pages), from, .. }) = &mut state.sync else { return };
        if pages.reading || state.outbox.bytes() > 0 {
            return;
        }
        if pages.listed.is_empty() && pages.written > 0 {
            let synced = ServerFrame::Synced { sync_token: from.to_text() };
            state.sync = None;
            self.write(cell, connection, |o| o.end_sync(synced.to_websocket()));
            return;
        }
        pages.reading = true;
        self.ask_page(cell, connection);
    }

    pub(super) fn page(&mut self, cell: CellId, connection: ConnectionId) {
        let on_page = 1 + self.chance.wire.below(5);
        let most = self.plan.sync_messages;
        let Some(state) = self.process(cell).connections.get_mut(&connection) else { return };
        let Some(Syncing { since, pages: Some(pages), .. }) = &mut state.sync else { return };
        pages.reading = false;
        pages.written += 1;
        let full = since.is_none();
        let count = on_page.min(pages.listed.len());
        let listed: Vec<Listed> = pages.listed.drain(..count).collect();
        let left = std::mem::take(&mut pages.left);
        let shard = &self.cells[&cell].shard;
        let synced = |l: &Listed| SyncedConversation {
            conversation: l.member.view(&l.row, l.head),
            messages: shard.newest(l, most),
        };
        let frame = ServerFrame::Sync { full, conversations: listed.iter().map(synced).collect(), left }.to_websocket();
        if let Some(state) = self.process(cell).connections.get_mut(&connection) {
            state.largest_page = state.largest_page.max(frame.len());
        }
        self.write(cell, connection, |o| o.page(frame));
    }

    pub(super) fn close_stalled(&mut self, cell: CellId) {
        let now = self.now;
        let connections = &self.process(cell).connections;
        let is_stalled =
            |c: &super::sockets::Connection| c.sync.is_some() && c.outbox.bytes() > 0 && c.took.plus(STALL_MS) < now;
        let stalled: Vec<_> = connections.iter().filter(|(_, c)| is_stalled(c)).map(|(id, _)| *id).collect();
        for connection in stalled {
            tell!(self, cell, "closes connection {connection}, which takes nothing");
            self.close(cell, connection);
        }
    }
}
