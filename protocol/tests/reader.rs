//! The reader of clients' frames against fastwebsockets, over the same bytes in random pieces.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use proptest::prelude::*;
use skep_protocol::{
    limits::CLIENT_FRAME_BYTES,
    websocket::{Incoming, Reader},
};
use tokio::io::AsyncWriteExt;

/// A frame as a client may send it.
#[derive(Clone, Debug)]
struct Sent {
    first: u8,
    mask: [u8; 4],
    payload: Vec<u8>,
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        match self.payload.len() {
            length @ ..126 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        bytes.extend_from_slice(&self.mask);
        bytes.extend(self.payload.iter().zip(self.mask.iter().cycle()).map(|(b, m)| b ^ m));
        bytes
    }
}

/// A whole text in one to four fragments, with pings between them.
fn message() -> impl Strategy<Value = Vec<Sent>> {
    let pieces = prop::collection::vec(("[a-z\u{e4}\u{1f41d}]{0,60}", any::<[u8; 4]>(), any::<bool>()), 1..5);
    (pieces, prop::option::of(200..40_000_usize)).prop_map(|(pieces, long)| {
        let count = pieces.len();
        let mut frames = Vec::new();
        for (i, (text, mask, ping)) in pieces.into_iter().enumerate() {
            let opcode = if i == 0 { 1 } else { 0 };
            let fin = if i + 1 == count { 0x80 } else { 0 };
            let mut payload = text.into_bytes();
            if let (0, Some(long)) = (i, long) {
                payload.extend(std::iter::repeat_n(b'x', long));
            }
            frames.push(Sent { first: fin | opcode, mask, payload });
            if ping {
                frames.push(Sent { first: 0x89, mask, payload: vec![i as u8; i] });
            }
        }
        frames
    })
}

/// What fastwebsockets makes of it.
fn oracle(bytes: Vec<u8>) -> Vec<Incoming> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(bytes.len() + 65_536);
        client.write_all(&bytes).await.unwrap();
        let mut socket = WebSocket::after_handshake(server, Role::Server);
        socket.set_auto_pong(false);
        socket.set_auto_close(false);
        let mut socket = FragmentCollector::new(socket);
        let mut incoming = Vec::new();
        loop {
            let frame = socket.read_frame().await.unwrap();
            match frame.opcode {
                OpCode::Text => incoming.push(Incoming::Text(String::from_utf8(frame.payload.to_vec()).unwrap())),
                OpCode::Ping => incoming.push(Incoming::Ping(frame.payload.to_vec())),
                OpCode::Close => {
                    incoming.push(Incoming::Close(Some(1000)));
                    return incoming;
                }
                other => panic!("{other:?} was not sent"),
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn reads_what_fastwebsockets_reads(messages in prop::collection::vec(message(), 0..5), cuts in prop::collection::vec(1..5_000_usize, 1..50)) {
        let mut bytes: Vec<u8> = messages.iter().flatten().flat_map(Sent::bytes).collect();
        bytes.extend(Sent { first: 0x88, mask: [1, 2, 3, 4], payload: 1000_u16.to_be_bytes().to_vec() }.bytes());
        let (mut reader, mut incoming) = (Reader::default(), Vec::new());
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            reader.feed(piece, CLIENT_FRAME_BYTES, &mut incoming).unwrap();
            rest = later;
        }
        prop_assert!(!reader.is_midway());
        prop_assert_eq!(incoming, oracle(bytes));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000), at in 1..200_usize) {
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        let at_once = Reader::default().feed(&bytes, 1_000, &mut whole);
        let mut reader = Reader::default();
        let piecewise = bytes.chunks(at).try_for_each(|piece| reader.feed(piece, 1_000, &mut parts));
        // In pieces it reads the same, and fails at the same place.
        prop_assert_eq!(at_once, piecewise);
        prop_assert_eq!(whole, parts);
    }
}
