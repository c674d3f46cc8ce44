//! Sockets: what clients ask, and bytes that they take when they like.

use skep_core::fanout::{ConnectionId, Event as WorkerEvent, Outbox, ReplyTo};
use skep_core::{Answer, Op, Origin, Request, mirror};
use skep_protocol::{
    CellId, ClientFrame, Code, ConversationId, Lane, Millis, Refusal, ServerFrame, SessionId, SocketLimits, UserId,
};

use super::World;
use super::event::{Inner, Read};
use super::process::AfterBarrier;
use super::rest::Stage;
use super::sync::Syncing;
use crate::checkers::outbox_is_bounded;
use crate::device::DeviceId;
use crate::shard::HistoryPage;
use crate::trace::tell;

/// A cell's end of a connection.
pub(super) struct Connection {
    pub device: DeviceId,
    pub user: UserId,
    pub outbox: Outbox,
    pub sync: Option<Syncing>,
    /// The token with which the client asked for a sync that has not begun.
    pub asked_sync: Option<Option<String>>,
    pub largest_page: usize,
    /// Whether the other end is about to take bytes.
    taking: bool,
    pub took: Millis,
}

impl World {
    pub(super) fn hello(
        &mut self,
        cell: CellId,
        connection: ConnectionId,
        device: DeviceId,
        user: UserId,
        token: Option<String>,
    ) {
        let outbox = Outbox::new(self.plan.outbox_bytes);
        let took = self.now;
        let (sync, asked_sync) = (None, Some(token));
        let state = Connection { device, user, outbox, sync, asked_sync, largest_page: 0, taking: false, took };
        self.process(cell).connections.insert(connection, state);
        let session = SessionId::new(user, connection.into());
        let register = WorkerEvent::Register { connection, user, session };
        self.queue_to_worker(cell, self.worker_of(user), register);
        let limits =
            SocketLimits { text_chars: 0, text_bytes: 0, frame_bytes: 0, message_burst: 0, message_per_s: 0.into() };
        let welcome =
            ServerFrame::Welcome { user_id: user, session_id: session, cell_id: cell, heartbeat_s: 30, limits };
        self.write(cell, connection, |o| o.answer(None, welcome.to_websocket()));
    }

    pub(super) fn gone(&mut self, cell: CellId, connection: ConnectionId) {
        if let Some(state) = self.process(cell).connections.remove(&connection) {
            self.queue_to_worker(cell, self.worker_of(state.user), WorkerEvent::Gone { connection });
        }
    }

    /// Puts something into a connection's outbox, if it is still there.
    pub(super) fn write(&mut self, cell: CellId, connection: ConnectionId, put: impl FnOnce(&mut Outbox)) {
        let limit = self.plan.outbox_bytes;
        let Some(state) = self.process(cell).connections.get_mut(&connection) else { return };
        put(&mut state.outbox);
        let found = outbox_is_bounded(&state.outbox, limit, state.largest_page);
        self.check(found);
        self.offer(cell, connection);
    }

    /// The other end takes something soon, or not so soon.
    fn offer(&mut self, cell: CellId, connection: ConnectionId) {
        let slow = self.stage == Stage::Busy && self.chance.wire.chance(self.plan.faults.slow_reader);
        let usual = if slow { 4_000 } else { self.plan.wire_ms };
        let delay = self.chance.wire.delay(usual);
        let Some(state) = self.process(cell).connections.get_mut(&connection) else { return };
        if state.outbox.bytes() > 0 && !state.taking {
            state.taking = true;
            self.tell_process(delay, cell, Inner::Take(connection));
        }
    }

    pub(super) fn take(&mut self, cell: CellId, connection: ConnectionId) {
        let now = self.now;
        let most = if self.chance.wire.chance(2_000) { 500 } else { 100_000 };
        let count = 1 + self.chance.wire.below(most);
        let Some(state) = self.process(cell).connections.get_mut(&connection) else { return };
        let mut bytes: Vec<u8> = Vec::new();
        for frame in state.outbox.frames() {
            let room = count - bytes.len();
            bytes.extend_from_slice(&frame[..frame.len().min(room)]);
            if bytes.len() == count {
                break;
            }
        }
        state.outbox.written(bytes.len());
        (state.taking, state.took) = (false, now);
        let (device, is_empty) = (state.device, state.outbox.bytes() == 0);
        self.received(device, connection, &bytes);
        if is_empty {
            self.next_page(cell, connection);
        }
        self.offer(cell, connection);
    }

    pub(super) fn client_frame(&mut self, cell: CellId, connection: ConnectionId, frame: ClientFrame) {
        let Some(state) = self.process(cell).connections.get(&connection) else { return };
        let user = state.user;
        match frame {
            ClientFrame::Send { reference, conversation_id, client_message_id, text } => {
                let op = Op::Send { client_message_id, text: text.into() };
                let reply_to = ReplyTo::Socket { connection, reference };
                self.submit(cell, user, conversation_id, op, reply_to);
            }
            ClientFrame::Read { reference, conversation_id, seq } => {
                let reply_to = ReplyTo::Socket { connection, reference };
                self.submit(cell, user, conversation_id, Op::Read { seq }, reply_to);
            }
            ClientFrame::History { conversation_id, .. } => {
                self.barrier_for(cell, conversation_id, AfterBarrier::History(connection, frame));
            }
            ClientFrame::Sync { sync_token } => {
                if let Some(state) = self.process(cell).connections.get_mut(&connection) {
                    state.asked_sync = Some(Some(sync_token));
                }
                self.queue_to_worker(cell, self.worker_of(user), WorkerEvent::Sync { connection });
            }
            ClientFrame::Hello { .. } | ClientFrame::Ping { .. } => {}
        }
    }

    /// A request of somebody in this cell, to the lane that decides it.
    pub(super) fn submit(
        &mut self,
        cell: CellId,
        user: UserId,
        id: ConversationId,
        op: Op,
        reply_to: ReplyTo,
    ) -> skep_protocol::RequestId {
        let request_id = uuid::Uuid::from_u128(self.chance.ids.wide());
        let message = match &op {
            Op::Send { client_message_id, .. } => Some(*client_message_id),
            _ => None,
        };
        if let Some(message) = message {
            self.process(cell).sends.insert((id, message), request_id);
        }
        self.process(cell).askers.insert(request_id, user);
        let expect = WorkerEvent::Expect { request_id, reply_to, user, conversation_id: id, message };
        self.queue_to_worker(cell, self.worker_of(user), expect);
        let is_own_mark = op.is_own_mark();
        let request = Request { request_id, origin: Origin::Local, conversation_id: id, actor: user, op };
        let home = self.owner(id.slot());
        if home == cell {
            self.ask_home(cell, request);
        } else if is_own_mark {
            self.queue_to_lane(cell, Lane::MIRROR, Inner::Mirror(mirror::Event::Request(request)));
        } else {
            let now = self.now;
            let mut effects = Vec::new();
            let forward = self.process(cell).forwards.get_mut(&home).expect("every other cell has one");
            forward.request(now, request, &mut effects);
            self.forward_effects(cell, home, effects);
        }
        request_id
    }

    pub(super) fn history(&mut self, cell: CellId, connection: ConnectionId, frame: ClientFrame) {
        let ClientFrame::History { reference, conversation_id: id, before, after, limit } = frame else { return };
        let Some(state) = self.process(cell).connections.get(&connection) else { return };
        let user = state.user;
        let limit = limit.map_or(self.plan.page, |l| (l as usize).min(self.plan.page));
        let page = self.cells[&cell].shard.history(user, id, before, after, limit);
        let answer = match page {
            HistoryPage::Whole { messages, has_more } => Ok((messages, has_more)),
            HistoryPage::NotFound => Err(Refusal::new(Code::NotFound, "there is no such conversation")),
            HistoryPage::AtHome { wanted, has_more } => {
                let home = self.owner(id.slot());
                tell!(self, cell, "completes {id} {wanted:?} through {home}");
                if self.is_alive(home) {
                    Ok((self.cells[&home].shard.range(id, wanted), has_more))
                } else {
                    Err(Refusal::new(Code::Unavailable, "the home is away"))
                }
            }
        };
        let frame = match answer {
            Ok((messages, has_more)) => ServerFrame::History { reference, conversation_id: id, messages, has_more },
            Err(refusal) => {
                let Refusal { code, detail, retry_after_ms, errors } = refusal;
                ServerFrame::Error { reference: Some(reference), code, detail, retry_after_ms, errors }
            }
        };
        self.write(cell, connection, |o| o.answer(Some(id), frame.to_websocket()));
    }

    /// An answer to a request that did not come from a socket.
    pub(super) fn settled(&mut self, cell: CellId, request: skep_protocol::RequestId, answer: Answer) {
        let Some(call) = self.process(cell).calls.remove(&request) else { return };
        self.call_settled(cell, call, answer);
    }

    pub(super) fn ask_page(&mut self, cell: CellId, connection: ConnectionId) {
        self.ask(cell, Read::Page(connection));
    }
}
