//! WebSocket frames (RFC 6455) of a client: a reader for what servers send, and masked frames for what it writes.
//!
//! An own reader, because a load generator holds tens of thousands of sockets: an idle one keeps no buffer, and a
//! frame that came whole is read where it lies.

use std::ops::Range;

/// A whole message or a control frame of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming<'a> {
    Text(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The server's close code, where it gave one.
    Close(Option<u16>),
}

/// The server breaks the protocol; the connection is of no use any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the server's frame is against the protocol: {0}")]
pub struct BadFrame(pub &'static str);

/// Reads the frames of one server. Holds memory only while a frame is incomplete.
#[derive(Debug, Default)]
pub struct Reader {
    pending: Vec<u8>,
}

struct Header {
    opcode: u8,
    payload: Range<usize>,
}

impl Reader {
    /// Takes what came and hands out whole frames, in order. `limit`: bytes of a frame.
    pub fn feed(&mut self, fresh: &[u8], limit: usize, mut each: impl FnMut(Incoming<'_>)) -> Result<(), BadFrame> {
        let joined;
        let mut input = if self.pending.is_empty() {
            fresh
        } else {
            self.pending.extend_from_slice(fresh);
            joined = std::mem::take(&mut self.pending);
            &joined
        };
        while let Some(header) = parse_header(input, limit)? {
            let Some(payload) = input.get(header.payload.clone()) else { break };
            each(match header.opcode {
                1 => Incoming::Text(payload),
                8 => Incoming::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
                9 => Incoming::Ping(payload),
                10 => Incoming::Pong,
                _ => return Err(BadFrame("neither text nor a control frame")),
            });
            input = &input[header.payload.end..];
        }
        self.pending = input.to_vec();
        Ok(())
    }
}

fn parse_header(input: &[u8], limit: usize) -> Result<Option<Header>, BadFrame> {
    let [first, second, rest @ ..] = input else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(BadFrame("reserved bits are set"));
    }
    if first & 0x80 == 0 {
        return Err(BadFrame("a fragment; the contract promises whole frames"));
    }
    if second & 0x80 != 0 {
        return Err(BadFrame("a masked frame from a server"));
    }
    let (start, len) = match second & 0x7f {
        126 => match rest.first_chunk() {
            Some(len) => (4, usize::from(u16::from_be_bytes(*len))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(len) => (10, usize::try_from(u64::from_be_bytes(*len)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        short => (2, usize::from(short)),
    };
    if len > limit {
        return Err(BadFrame("a frame over the documented size"));
    }
    Ok(Some(Header { opcode: first & 0x0f, payload: start..start + len }))
}

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a pong.
pub const PONG: u8 = 10;

/// Appends a masked frame to what is to be written; `fill` appends its payload.
pub fn frame(out: &mut Vec<u8>, opcode: u8, mask: [u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    // The length is known only afterwards: room for a header of the middle size, which most frames need.
    const MIDDLE: usize = 8;
    const MOST: usize = 14;
    let begin = out.len();
    out.extend_from_slice(&[0; MIDDLE]);
    fill(out);
    let len = out.len() - begin - MIDDLE;
    let mut header = [0; MOST];
    header[0] = 0x80 | opcode;
    let size = match len {
        0..=125 => {
            header[1] = 0x80 | len as u8;
            2
        }
        126..=0xffff => {
            header[1] = 0x80 | 126;
            header[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 0x80 | 127;
            header[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    };
    header[size..size + 4].copy_from_slice(&mask);
    let size = size + 4;
    out.splice(begin..begin + MIDDLE, header[..size].iter().copied());
    let payload = begin + size;
    apply_mask(&mut out[payload..], mask);
}

fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use skep_protocol::{ServerFrame, websocket};

    use super::*;

    fn texts(bytes: &[u8], step: usize) -> Result<Vec<String>, BadFrame> {
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        for piece in bytes.chunks(step) {
            reader.feed(piece, 300_000, |frame| match frame {
                Incoming::Text(text) => out.push(String::from_utf8(text.to_vec()).unwrap()),
                other => out.push(format!("{other:?}")),
            })?;
        }
        assert!(reader.pending.is_empty(), "all was read");
        Ok(out)
    }

    /// What the server's own code writes, cut at any place.
    #[test]
    fn frames_of_a_server_are_read_however_they_arrive() {
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for len in [1, 20, 200, 70_000] {
            let frame = ServerFrame::Synced { sync_token: "t".repeat(len) };
            bytes.extend_from_slice(&frame.to_websocket());
            wanted.push(serde_json::to_string(&frame).unwrap());
        }
        bytes.extend_from_slice(&websocket::pong(b"x"));
        bytes.extend_from_slice(&websocket::close(4001));
        wanted.extend(["Pong".to_owned(), "Close(Some(4001))".to_owned()]);
        for step in [1, 2, 3, 7, 100, 1_000, 1_000_000] {
            assert_eq!(texts(&bytes, step).unwrap(), wanted, "in pieces of {step}");
        }
    }

    /// What is written here is read by the server's own reader.
    #[test]
    fn masked_frames_are_read_by_the_server() {
        let mut bytes = b"already there".to_vec();
        let keep = bytes.len();
        let wanted: Vec<String> =
            [1, 7, 125, 126, 127, 65_535, 65_536].iter().map(|n| "ä".repeat(*n / 2) + "x").collect();
        for text in &wanted {
            frame(&mut bytes, TEXT, [1, 2, 3, 250], |out| out.extend_from_slice(text.as_bytes()));
        }
        let mut read = Vec::new();
        websocket::Reader::default().feed(&bytes[keep..], 100_000, &mut read).unwrap();
        assert_eq!(read, wanted.into_iter().map(websocket::Incoming::Text).collect::<Vec<_>>());
    }

    #[test]
    fn what_no_server_may_send_ends_the_connection() {
        for (name, bytes) in [
            ("masked", &[0x81_u8, 0x81, 0, 0, 0, 0, 0][..]),
            ("a fragment", &[0x01, 0x01, b'a']),
            ("binary", &[0x82, 0x01, b'a']),
            ("reserved bits", &[0xc1, 0x01, b'a']),
            ("too large", &[0x81, 127, 0, 0, 0, 0, 0xff, 0, 0, 0]),
        ] {
            assert!(texts(bytes, 100).is_err(), "{name}");
        }
    }
}
