//! Calls over HTTP, by way of a router, at the cell of their person.

use skep_core::fanout::ReplyTo;
use skep_core::{Answer, Block, Op};
use skep_protocol::{CellId, Code, ConversationId, Kind, Pos, UserId};

use super::World;
use super::event::{DeviceEvent, Inner};
use super::process::AfterBarrier;
use crate::checkers::{Owed, Promise, as_it_was_made};
use crate::device::DeviceId;
use crate::trace::tell;

/// A call, unique in a world.
pub(super) type CallId = u64;

/// A call without an answer.
pub(super) struct PendingCall {
    device: DeviceId,
    user: UserId,
    cell: CellId,
    conversation_id: ConversationId,
    op: Op,
    /// The caller's own place before it.
    before: Pos,
    /// Opening a direct conversation shows it again, once it is there.
    is_unhiding: bool,
}

impl World {
    /// Somebody calls.
    pub(super) fn begin_call(&mut self, device: DeviceId, conversation_id: ConversationId, op: Op) {
        let (user, cell) = (self.devices[device].user, self.devices[device].cell);
        if !self.is_alive(cell) {
            return;
        }
        if op == Op::Hide {
            self.checkers.own.hides(user, conversation_id);
        }
        let id = self.number();
        let op = match op {
            // Calls are numbered as they are begun: so are versions.
            Op::Block { peer, block } => {
                self.checkers.blocks.asked(conversation_id, user, id);
                Op::Block { peer, block: Block { version: id, ..block } }
            }
            op => op,
        };
        tell!(self, format_args!("device {device}"), "calls {id}: {op:?} of {conversation_id}");
        let before = self.truth.version(conversation_id, user);
        self.calls.insert(id, PendingCall { device, user, cell, conversation_id, op, before, is_unhiding: false });
        let delay = self.chance.wire.delay(self.plan.wire_ms);
        self.tell_process(delay, cell, Inner::Call(id));
    }

    /// A call reaches its cell.
    pub(super) fn call(&mut self, cell: CellId, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let op = if call.is_unhiding { Op::Unhide } else { call.op.clone() };
        let (user, conversation_id) = (call.user, call.conversation_id);
        let request = self.submit(cell, user, conversation_id, op, ReplyTo::Elsewhere);
        self.process(cell).calls.insert(request, id);
    }

    /// A call's request has its answer.
    pub(super) fn call_settled(&mut self, cell: CellId, id: CallId, answer: Answer) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if matches!((&call.op, &answer, call.is_unhiding), (Op::Open { .. }, Answer::Members(_), false)) {
            call.is_unhiding = true;
            self.call(cell, id);
            return;
        }
        let conversation_id = call.conversation_id;
        self.barrier_for(cell, conversation_id, AfterBarrier::Call(id, answer));
    }

    pub(super) fn respond(&mut self, id: CallId, answer: Answer) {
        let delay = self.chance.wire.delay(self.plan.wire_ms);
        if let Some(call) = self.calls.get(&id) {
            let device = call.device;
            self.tell_device(delay, device, DeviceEvent::Answered(id, answer));
        }
    }

    /// Calls at a cell that has died end without an answer.
    pub(super) fn calls_die(&mut self, cell: CellId) {
        let dead: Vec<CallId> = self.calls.iter().filter(|(_, c)| c.cell == cell).map(|(id, _)| *id).collect();
        for id in dead {
            let Some(call) = self.calls.remove(&id) else { continue };
            if let Op::Send { client_message_id, .. } = call.op {
                self.devices[call.device].mind.ask_again(client_message_id);
            }
        }
    }

    /// The caller has the answer.
    pub(super) fn answered(&mut self, id: CallId, answer: Answer) {
        let Some(call) = self.calls.remove(&id) else { return };
        tell!(self, format_args!("device {}", call.device), "call {id} answered: {answer:?}");
        let conversation_id = call.conversation_id;
        if let Op::Send { client_message_id, .. } = &call.op {
            self.send_answered(call.device, conversation_id, *client_message_id, answer);
            return;
        }
        if matches!(answer, Answer::Refused(_)) {
            return;
        }
        match &call.op {
            Op::Create { code, .. } => {
                if let Answer::Members(done) = &answer {
                    let found = as_it_was_made(conversation_id, done, &self.truth);
                    self.check(found);
                    if !done.created {
                        return;
                    }
                }
                self.made.push((conversation_id, code.as_deref().map(str::to_owned)));
            }
            Op::RenewLink { code } => {
                let made = self.made.iter_mut().find(|(id, _)| *id == conversation_id);
                if let Some((_, known)) = made {
                    *known = Some(code.to_string());
                }
            }
            Op::Block { .. } => {
                if let Answer::Block(block) = answer {
                    self.checkers.blocks.answered(conversation_id, call.user, block);
                }
            }
            _ => {}
        }
        if let Some(pos) = self.promised_place(&call) {
            let life = self.cells[&call.cell].lives;
            let owed = Owed { conversation_id, promise: Promise::Place(pos), life };
            self.checkers.own.promised(call.user, owed);
        }
    }

    /// The first place after the call began that is what the call asked for. Nothing is promised when somebody may have
    /// come and gone, or gone and come, in one batch: of that only the end is told.
    fn promised_place(&self, call: &PendingCall) -> Option<Pos> {
        let wants_in = match call.op {
            Op::Create { .. } | Op::Open { .. } | Op::Join { .. } => true,
            Op::Leave => false,
            _ => return None,
        };
        let rows = self.truth.places(call.conversation_id, call.user);
        let joined_at = rows.iter().rfind(|row| row.pos <= call.before).map(|row| row.joined_at);
        for row in rows.iter().filter(|row| row.pos >= call.before) {
            if row.is_current() == wants_in {
                return Some(row.pos);
            }
            if joined_at != Some(row.joined_at) {
                return None;
            }
        }
        None
    }

    fn send_answered(&mut self, device: DeviceId, id: ConversationId, client_message_id: uuid::Uuid, answer: Answer) {
        match answer {
            Answer::Sent(message) => {
                let found = self.checkers.acked.acknowledged(id, client_message_id, message.seq, &self.truth);
                self.check(found);
                let mut learned = Vec::new();
                self.devices[device].mind.message(message, &mut learned);
                learned.into_iter().for_each(|lesson| self.learn(device, lesson));
            }
            Answer::Refused(refusal) if refusal.code.retryable() && refusal.code != Code::Internal => {
                self.devices[device].mind.ask_again(client_message_id);
            }
            Answer::Refused(refusal) => {
                self.devices[device].mind.unsent.retain(|u| u.client_message_id != client_message_id);
                self.checkers.once.refused(id, client_message_id, refusal.code);
            }
            Answer::Members(_) | Answer::Read { .. } | Answer::Block(_) => {
                debug_assert!(id.kind() == Kind::Direct, "no answer to a send")
            }
        }
    }
}
