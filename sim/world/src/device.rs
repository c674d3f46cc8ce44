//! A simulated client: a mind that follows the public contract, a socket, and a person who acts.

mod act;
mod mind;

use skep_core::{Op, fanout::ConnectionId};
use skep_protocol::{CellId, ConversationId, Millis, ServerFrame, UserId};

use crate::random::Random;

pub use act::{Act, Surroundings};
pub use mind::{Asked, Kept, Learned, Mind, OVER_HTTP, Phase, Unsent};

/// A device, by its place in the world's list.
pub type DeviceId = usize;

/// A device of a person.
#[derive(Debug)]
pub struct Device {
    pub id: DeviceId,
    pub user: UserId,
    pub cell: CellId,
    pub mind: Mind,
    pub random: Random,
    pub socket: Option<Socket>,
    /// Whether it wants to be connected.
    pub wish: Wish,
    /// What its person made last.
    pub making: Option<(ConversationId, Op)>,
}

/// A device's end of a connection.
#[derive(Debug)]
pub struct Socket {
    pub connection: ConnectionId,
    /// Bytes of a frame that is not whole yet.
    pub buffer: Vec<u8>,
    /// When the last frame on its way to the cell arrives.
    pub up_at: Millis,
    /// What its person had been promised when it said hello.
    pub owed: Vec<crate::checkers::Owed>,
    /// When something last came.
    pub heard: Millis,
}

/// What a device wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    Online,
    Offline,
}

impl Socket {
    /// Takes bytes in and gives the frames that are whole.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<ServerFrame> {
        self.buffer.extend_from_slice(bytes);
        let (mut frames, mut at) = (Vec::new(), 0);
        while let Some((payload, end)) = frame_at(&self.buffer, at) {
            let frame = serde_json::from_slice(&self.buffer[payload..end]);
            frames.push(frame.expect("a cell writes frames that clients can read"));
            at = end;
        }
        self.buffer.drain(..at);
        frames
    }
}

/// Where the payload of the frame at this place begins and ends, when all of it is there.
fn frame_at(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &buffer[at..];
    let short = usize::from(*rest.get(1)?);
    let (header, len) = match short {
        126 => (4, usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(rest.get(2..10)?.try_into().ok()?) as usize),
        short => (2, short),
    };
    (rest.len() >= header + len).then_some((at + header, at + header + len))
}
