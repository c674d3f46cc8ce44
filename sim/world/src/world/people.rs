//! People and their devices: who there is, what they do, what reaches them.

use skep_core::Op;
use skep_core::fanout::ConnectionId;
use skep_protocol::{ClientFrame, Millis, ServerFrame, UserId};

use super::World;
use super::event::{DeviceEvent, Inner};
use super::rest::Stage;
use crate::checkers::{Owed, Promise, may_see, same_as_home};
use crate::device::{
    Act, Asked, Device, DeviceId, Learned, Mind, OVER_HTTP, Phase, Socket, Surroundings, Unsent, Wish,
};
use crate::random::Random;
use crate::trace::tell;

/// How often a device looks after what is unsent, and after holes.
const TEND_MS: i64 = 500;
/// A request without an answer for so long: the client gives the connection up (no pong).
const SILENCE_MS: i64 = 40_000;

impl World {
    pub(super) fn populate(&mut self) {
        for n in 0..self.plan.people {
            let user = UserId::new(&format!("person{n}"), Millis(n as i64), self.chance.ids.next());
            self.people.push(user);
            for _ in 0..self.plan.devices_per_person {
                let device = self.add_device(user);
                let delay = self.chance.people.between(0, 1_000);
                self.tell_device(delay, device, DeviceEvent::Connect);
                self.tell_device(delay + 100, device, DeviceEvent::Think);
            }
        }
    }

    /// A device that has just been bought.
    pub(super) fn add_device(&mut self, user: UserId) -> DeviceId {
        let id = self.devices.len();
        let cell = self.owner(user.slot());
        let random = Random::of(self.plan.seed, &format!("device {id}"));
        let (mind, wish) = (Mind::new(user), Wish::Online);
        self.devices.push(Device { id, user, cell, mind, random, socket: None, wish, making: None });
        let delay = self.chance.people.between(1, TEND_MS);
        self.tell_device(delay, id, DeviceEvent::Tend);
        id
    }

    pub(super) fn device(&mut self, id: DeviceId, event: DeviceEvent) {
        match event {
            DeviceEvent::Connect => self.connect(id),
            DeviceEvent::Cut(connection) => self.cut(id, connection),
            DeviceEvent::Think => self.think(id),
            DeviceEvent::Tend => self.tend(id),
            DeviceEvent::Answered(call, answer) => self.answered(call, answer),
        }
    }

    fn connect(&mut self, id: DeviceId) {
        let device = &self.devices[id];
        if device.socket.is_some() || device.wish == Wish::Offline {
            return;
        }
        let (cell, user) = (device.cell, device.user);
        if !self.is_alive(cell) {
            self.tell_device(500, id, DeviceEvent::Connect);
            return;
        }
        let connection = self.number();
        let delay = self.chance.wire.delay(self.plan.wire_ms);
        let up_at = self.now.plus(delay);
        let owed = self.checkers.own.owed(user);
        let heard = self.now;
        let device = &mut self.devices[id];
        device.socket = Some(Socket { connection, buffer: Vec::new(), up_at, owed, heard });
        device.mind.greeted();
        let token = device.mind.token.clone();
        tell!(self, format_args!("device {id}"), "of {user} connects as {connection} with {token:?}");
        self.tell_process(delay, cell, Inner::Hello(connection, id, user, token));
    }

    fn cut(&mut self, id: DeviceId, connection: ConnectionId) {
        if self.devices[id].socket.as_ref().is_some_and(|s| s.connection == connection) {
            self.disconnect(id);
            let delay = self.chance.people.between(100, 2_000);
            self.tell_device(delay, id, DeviceEvent::Connect);
        }
    }

    /// The device drops its connection; the cell learns of it later.
    pub(super) fn disconnect(&mut self, id: DeviceId) {
        let device = &mut self.devices[id];
        device.mind.away();
        if let Some(socket) = device.socket.take() {
            let cell = device.cell;
            tell!(self, format_args!("device {id}"), "drops connection {}", socket.connection);
            let delay = self.chance.wire.delay(self.plan.wire_ms);
            self.tell_process(delay, cell, Inner::Gone(socket.connection));
        }
    }

    fn think(&mut self, id: DeviceId) {
        if self.stage != Stage::Busy {
            return;
        }
        let pause = self.chance.people.between(0, 2 * self.plan.think_ms);
        self.tell_device(pause, id, DeviceEvent::Think);
        if self.devices[id].socket.is_none() || self.devices[id].mind.phase != Phase::Live {
            return;
        }
        let number = self.number();
        let around = Surroundings { people: &self.people, made: &self.made, groups: self.plan.groups, number };
        match self.devices[id].act(&around) {
            Act::Send(conversation_id, text) => {
                let client_message_id = uuid::Uuid::from_u128(self.chance.ids.wide());
                let over_http = self.chance.people.chance(1_000);
                self.checkers.blocks.sent(conversation_id, client_message_id);
                let mut unsent = Unsent { conversation_id, client_message_id, text, reference: None };
                if over_http && self.is_alive(self.devices[id].cell) {
                    let text = unsent.text.as_str().into();
                    unsent.reference = Some(OVER_HTTP);
                    self.devices[id].mind.unsent.push(unsent);
                    self.begin_call(id, conversation_id, Op::Send { client_message_id, text });
                } else {
                    self.devices[id].mind.unsent.push(unsent);
                    self.send_unsent(id);
                }
            }
            Act::Read(conversation_id, seq) => {
                let reference = self.devices[id].mind.ask(Asked::Read);
                self.say(id, ClientFrame::Read { reference, conversation_id, seq });
            }
            Act::Call(conversation_id, op) => self.begin_call(id, conversation_id, op),
            Act::GoOffline => self.go_offline(id),
            Act::LogInAnew => {
                self.disconnect(id);
                let user = self.devices[id].user;
                self.devices[id].mind = Mind::new(user);
                tell!(self, format_args!("device {id}"), "forgets all");
                self.tell_device(100, id, DeviceEvent::Connect);
            }
            Act::Nothing => {}
        }
    }

    pub(super) fn go_offline(&mut self, id: DeviceId) {
        self.disconnect(id);
        let pause = self.chance.people.between(0, 4_000);
        self.tell_device(pause, id, DeviceEvent::Connect);
    }

    fn tend(&mut self, id: DeviceId) {
        self.tell_device(TEND_MS, id, DeviceEvent::Tend);
        let now = self.now;
        let device = &mut self.devices[id];
        let Some(socket) = &device.socket else { return };
        let waits = !device.mind.asked.is_empty() || device.mind.phase != Phase::Live;
        if waits && socket.heard.plus(SILENCE_MS) < now {
            let connection = socket.connection;
            self.cut(id, connection);
            return;
        }
        self.send_unsent(id);
        self.fill_holes(id);
    }

    fn send_unsent(&mut self, id: DeviceId) {
        let mind = &mut self.devices[id].mind;
        if !matches!(mind.phase, Phase::Live | Phase::Paging) {
            return;
        }
        let mut frames = Vec::new();
        for index in 0..mind.unsent.len() {
            if mind.unsent[index].reference.is_none() {
                let Unsent { conversation_id, client_message_id, text, .. } = mind.unsent[index].clone();
                let reference = mind.ask(Asked::Send(conversation_id, client_message_id));
                mind.unsent[index].reference = Some(reference);
                frames.push(ClientFrame::Send { reference, conversation_id, client_message_id, text });
            }
        }
        frames.into_iter().for_each(|frame| self.say(id, frame));
    }

    fn fill_holes(&mut self, id: DeviceId) {
        let mind = &mut self.devices[id].mind;
        if mind.phase != Phase::Live {
            return;
        }
        let holes: Vec<_> =
            mind.listed().filter(|(_, k)| !k.fetching).filter_map(|(c, k)| Some((*c, k.hole()?))).collect();
        for (conversation_id, (first, next)) in holes {
            let mind = &mut self.devices[id].mind;
            mind.fetches(conversation_id);
            let reference = mind.ask(Asked::History(conversation_id));
            // From above or from below: both must fill it.
            let (before, after) =
                if next.0 % 2 == 0 { (Some(next), None) } else { (None, Some(skep_protocol::Seq(first.0 - 1))) };
            self.say(id, ClientFrame::History { reference, conversation_id, before, after, limit: None });
        }
    }

    /// A frame goes up the device's socket.
    fn say(&mut self, id: DeviceId, frame: ClientFrame) {
        let at = self.now.plus(self.chance.wire.delay(self.plan.wire_ms));
        let device = &mut self.devices[id];
        let cell = device.cell;
        let Some(socket) = &mut device.socket else { return };
        socket.up_at = socket.up_at.max(at);
        let delay = socket.up_at.0 - self.now.0;
        let connection = socket.connection;
        tell!(self, format_args!("device {id}"), "says {frame:?}");
        self.tell_process(delay, cell, Inner::Frame(connection, frame));
    }

    /// Bytes reach a device.
    pub(super) fn received(&mut self, id: DeviceId, connection: ConnectionId, bytes: &[u8]) {
        let now = self.now;
        let Some(socket) = self.devices[id].socket.as_mut().filter(|s| s.connection == connection) else { return };
        socket.heard = now;
        for frame in socket.read(bytes) {
            self.hear(id, frame);
        }
    }

    fn hear(&mut self, id: DeviceId, frame: ServerFrame) {
        tell!(self, format_args!("device {id}"), "hears {frame:?}");
        let mut learned = Vec::new();
        self.devices[id].mind.frame(frame, &mut learned);
        for lesson in learned {
            self.learn(id, lesson);
        }
        let mind = &mut self.devices[id].mind;
        if std::mem::take(&mut mind.wants_sync) {
            mind.greeted();
            let sync_token = mind.token.clone().unwrap_or_default();
            let (user, owed) = (mind.user, self.checkers.own.owed(self.devices[id].user));
            debug_assert!(user == self.devices[id].user, "a mind stays with its person");
            if let Some(socket) = &mut self.devices[id].socket {
                socket.owed = owed;
            }
            self.say(id, ClientFrame::Sync { sync_token });
        }
    }

    /// The checkers look at what a device has learned.
    pub(super) fn learn(&mut self, id: DeviceId, learned: Learned) {
        let user = self.devices[id].user;
        let life = self.cells[&self.devices[id].cell].lives;
        match learned {
            Learned::Message(message) => {
                let found = same_as_home(&message, &self.truth);
                self.check(found);
                let found = may_see(user, &message, &self.truth);
                self.check(found);
                let found = self.checkers.once.told(message.conversation_id, message.client_message_id, message.seq);
                self.check(found);
            }
            Learned::Acknowledged(conversation_id, client_message_id, seq) => {
                let found = self.checkers.acked.acknowledged(conversation_id, client_message_id, seq, &self.truth);
                self.check(found);
                let found = self.checkers.once.told(conversation_id, client_message_id, seq);
                self.check(found);
                self.checkers.own.promised(user, Owed { conversation_id, promise: Promise::Sent(seq), life });
            }
            Learned::Refused(conversation_id, client_message_id, code) => {
                self.checkers.once.refused(conversation_id, client_message_id, code);
            }
            Learned::ReadUpTo(conversation_id, seq) => {
                self.checkers.own.promised(user, Owed { conversation_id, promise: Promise::Read(seq), life });
            }
            Learned::Synced => {
                let owed = self.devices[id].socket.as_ref().map(|s| s.owed.clone()).unwrap_or_default();
                let found = self.checkers.own.is_kept(&owed, &self.devices[id].mind, &self.truth, life);
                self.check(found);
            }
            Learned::Wrong(story) => {
                let story = format!("device {id}: {story}");
                self.check(Err(crate::checkers::Violation::of("contract", story)));
            }
        }
    }
}
