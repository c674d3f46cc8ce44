//! What can happen, and the queue of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_core::{Answer, Batch, fanout, fanout::ConnectionId, home, mirror};
use skep_protocol::{CellId, ClientFrame, ClientMessageId, ConversationId, Lane, Millis, UserId};

use super::World;
use super::calls::CallId;
use super::relay::{DownFrame, LinkId, UpFrame};
use crate::device::DeviceId;

/// Something that happens at its time.
pub(super) enum Event {
    /// In a process; nothing if that process has died meanwhile.
    Process(CellId, u64, Inner),
    /// A batch reaches a shard, whether its process still lives or not.
    Apply(Box<Apply>),
    Start(CellId),
    Up(LinkId, UpFrame),
    Down(LinkId, DownFrame),
    Replay(LinkId, Lane),
    /// A stream that lost a frame ends.
    Break(LinkId),
    Device(DeviceId, DeviceEvent),
    Faults,
    Watch,
}

/// What happens in a process.
pub(super) enum Inner {
    Lane(Lane, home::Event),
    Mirror(mirror::Event),
    Worker(usize, fanout::Event),
    Read(Read),
    Hello(ConnectionId, DeviceId, UserId, Option<String>),
    Frame(ConnectionId, ClientFrame),
    Gone(ConnectionId),
    /// The socket's other end is ready to take bytes.
    Take(ConnectionId),
    Call(CallId),
    Dial(CellId),
    LinkDown(CellId, LinkId),
    /// A home does not take this cell's cursors.
    Refused(CellId, LinkId),
    Tick,
}

/// Something asked of the shard; looked at when it happens.
pub(super) enum Read {
    Load(Lane, home::Load),
    Lookup(Lane, Vec<(ClientMessageId, ConversationId)>),
    Resolve(Lane),
    Members(usize, ConversationId),
    Snapshot(ConnectionId),
    Page(ConnectionId),
    History(ConnectionId, ClientFrame),
}

/// A batch on its way into a shard.
pub(super) struct Apply {
    pub cell: CellId,
    pub life: u64,
    pub copies: u64,
    pub writer: u64,
    pub batch: Arc<Batch>,
    pub told: Told,
}

/// Whether the outcome of a commit reaches the one who asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Yes,
    /// The connection was lost.
    No,
}

/// What happens to a device.
pub(super) enum DeviceEvent {
    Connect,
    /// The other end is gone.
    Cut(ConnectionId),
    /// Its person does something.
    Think,
    /// It looks after what is unsent, and after holes.
    Tend,
    Answered(CallId, Answer),
}

/// What happens when.
#[derive(Default)]
pub(super) struct Schedule {
    queue: BTreeMap<(Millis, u64), Event>,
    count: u64,
    /// The number of the event that happens now.
    current: u64,
}

impl Schedule {
    pub fn put(&mut self, at: Millis, event: Event) {
        self.count += 1;
        self.queue.insert((at, self.count), event);
    }

    /// How many events have been planned.
    pub fn planned(&self) -> u64 {
        self.count
    }

    pub fn next(&mut self) -> Option<(Millis, Event)> {
        let ((at, number), event) = self.queue.pop_first()?;
        self.current = number;
        Some((at, event))
    }

    /// Puts what was to happen now off, in its place among what was planned before and after it.
    pub fn put_off(&mut self, until: Millis, event: Event) {
        self.queue.insert((until, self.current), event);
    }
}

impl World {
    pub(super) fn after(&mut self, ms: i64, event: Event) {
        self.schedule.put(self.now.plus(ms), event);
    }

    pub(super) fn tell_device(&mut self, ms: i64, device: DeviceId, event: DeviceEvent) {
        self.after(ms, Event::Device(device, event));
    }

    /// In the process that lives now; nothing when none does.
    pub(super) fn tell_process(&mut self, ms: i64, cell: CellId, inner: Inner) {
        let cell_state = &self.cells[&cell];
        if cell_state.process.is_some() {
            self.after(ms, Event::Process(cell, cell_state.lives, inner));
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Process(cell, life, inner) => {
                let state = &self.cells[&cell];
                if state.lives != life || state.process.is_none() {
                    return;
                }
                if state.paused_until > self.now {
                    let until = state.paused_until;
                    self.schedule.put_off(until, Event::Process(cell, life, inner));
                    return;
                }
                self.inside(cell, inner);
            }
            Event::Apply(apply) => self.apply(*apply),
            Event::Start(cell) => self.start(cell),
            Event::Up(link, frame) => self.up(link, frame),
            Event::Down(link, frame) => self.down(link, frame),
            Event::Replay(link, lane) => self.replay(link, lane),
            Event::Break(link) => self.break_link(link),
            Event::Device(device, event) => self.device(device, event),
            Event::Faults => self.faults(),
            Event::Watch => self.watch(),
        }
    }

    fn inside(&mut self, cell: CellId, inner: Inner) {
        match inner {
            Inner::Lane(lane, event) => self.lane(cell, lane, event),
            Inner::Mirror(event) => self.mirror(cell, event),
            Inner::Worker(index, event) => self.worker(cell, index, event),
            Inner::Read(read) => self.read(cell, read),
            Inner::Hello(connection, device, user, token) => self.hello(cell, connection, device, user, token),
            Inner::Frame(connection, frame) => self.client_frame(cell, connection, frame),
            Inner::Gone(connection) => self.gone(cell, connection),
            Inner::Take(connection) => self.take(cell, connection),
            Inner::Call(call) => self.call(cell, call),
            Inner::Dial(home) => self.dial(cell, home),
            Inner::LinkDown(home, link) => self.link_down(cell, home, link),
            Inner::Refused(home, link) => self.refused(cell, home, link),
            Inner::Tick => self.tick(cell),
        }
    }
}
