//! WebSocket frames (RFC 6455) of a server: a reader for what clients send, and headers for what it writes.
//!
//! An own reader, because a server for strangers needs what the usual libraries leave out: only masked frames,
//! lengths checked before anything is reserved, a total over fragments, and no buffer for an idle connection.
//! A property test holds it against `fastwebsockets`.

use bytes::Bytes;

/// Room for the longest header of a server's frame, before its payload.
pub const MAX_SERVER_HEADER: usize = 10;

/// A whole message or a control frame of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    Text(String),
    Binary,
    Ping(Vec<u8>),
    Pong,
    /// The client's close code, where it gave one.
    Close(Option<u16>),
}

/// Why a connection cannot be read any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the frame breaks the WebSocket protocol: {0}")]
    Protocol(&'static str),
    #[error("the text is not UTF-8")]
    Utf8,
    #[error("the message is larger than allowed")]
    TooLarge,
}

/// Reads the frames of one client. Holds memory only while a frame is incomplete.
#[derive(Debug, Default)]
pub struct Reader {
    pending: Vec<u8>,
    fragments: Vec<u8>,
    fragmented: Option<Opcode>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

struct Header {
    fin: bool,
    opcode: Opcode,
    mask: [u8; 4],
    header_len: usize,
    payload_len: usize,
}

impl Reader {
    /// Takes what came and hands out whole messages. After an error the connection is to be closed.
    ///
    /// `limit`: bytes of a message, fragments together.
    pub fn feed(&mut self, fresh: &[u8], limit: usize, out: &mut Vec<Incoming>) -> Result<(), ReadError> {
        if self.pending.is_empty() {
            let taken = self.frames(fresh, limit, out)?;
            self.pending = fresh[taken..].to_vec();
        } else {
            // Appended, not joined anew: who sends byte by byte costs what they send.
            let mut joined = std::mem::take(&mut self.pending);
            joined.extend_from_slice(fresh);
            let taken = self.frames(&joined, limit, out)?;
            joined.drain(..taken);
            self.pending = if joined.is_empty() { Vec::new() } else { joined };
        }
        Ok(())
    }

    /// Takes whole frames from the front; how many bytes those were.
    fn frames(&mut self, input: &[u8], limit: usize, out: &mut Vec<Incoming>) -> Result<usize, ReadError> {
        let mut taken = 0;
        while let Some(header) = parse_header(&input[taken..], limit)? {
            let (start, end) = (taken + header.header_len, taken + header.header_len + header.payload_len);
            let Some(payload) = input.get(start..end) else { break };
            let mut payload = payload.to_vec();
            unmask(&mut payload, header.mask);
            taken = end;
            if let Some(message) = self.frame(&header, payload, limit)? {
                out.push(message);
            }
        }
        Ok(taken)
    }

    /// Whether a frame or a message has begun and not ended.
    pub fn is_midway(&self) -> bool {
        !self.pending.is_empty() || self.fragmented.is_some()
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>, limit: usize) -> Result<Option<Incoming>, ReadError> {
        match header.opcode {
            Opcode::Ping => Ok(Some(Incoming::Ping(payload))),
            Opcode::Pong => Ok(Some(Incoming::Pong)),
            Opcode::Close => close_code(&payload).map(|code| Some(Incoming::Close(code))),
            Opcode::Text | Opcode::Binary if self.fragmented.is_some() => {
                Err(ReadError::Protocol("a new message inside a fragmented one"))
            }
            Opcode::Continuation if self.fragmented.is_none() => Err(ReadError::Protocol("a continuation of nothing")),
            Opcode::Text | Opcode::Binary if header.fin => whole(header.opcode, payload).map(Some),
            Opcode::Text | Opcode::Binary => {
                self.fragmented = Some(header.opcode);
                self.fragments = payload;
                Ok(None)
            }
            Opcode::Continuation => {
                if self.fragments.len() + payload.len() > limit {
                    return Err(ReadError::TooLarge);
                }
                self.fragments.extend_from_slice(&payload);
                if !header.fin {
                    return Ok(None);
                }
                let opcode = self.fragmented.take().expect("checked above");
                whole(opcode, std::mem::take(&mut self.fragments)).map(Some)
            }
        }
    }
}

/// Puts the header of a final text frame before a payload that begins at [`MAX_SERVER_HEADER`] of `out`.
pub fn with_text_header(out: Vec<u8>) -> Bytes {
    with_header(out, 0x81)
}

/// A pong with what the ping brought.
pub fn pong(payload: &[u8]) -> Bytes {
    control(0x8a, payload)
}

/// A close frame.
pub fn close(code: u16) -> Bytes {
    control(0x88, &code.to_be_bytes())
}

fn control(first: u8, payload: &[u8]) -> Bytes {
    let mut out = vec![0; MAX_SERVER_HEADER];
    out.extend_from_slice(payload);
    with_header(out, first)
}

fn with_header(mut out: Vec<u8>, first: u8) -> Bytes {
    let len = out.len() - MAX_SERVER_HEADER;
    let start = match len {
        0..=125 => {
            out[8] = first;
            out[9] = len as u8;
            8
        }
        126..=0xffff => {
            out[6] = first;
            out[7] = 126;
            out[8..10].copy_from_slice(&(len as u16).to_be_bytes());
            6
        }
        _ => {
            out[0] = first;
            out[1] = 127;
            out[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            0
        }
    };
    Bytes::from(out).slice(start..)
}

fn parse_header(input: &[u8], limit: usize) -> Result<Option<Header>, ReadError> {
    let &[first, second, ..] = input else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(ReadError::Protocol("a reserved bit is set"));
    }
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        _ => return Err(ReadError::Protocol("an unknown opcode")),
    };
    let fin = first & 0x80 != 0;
    if second & 0x80 == 0 {
        return Err(ReadError::Protocol("a client's frame must be masked"));
    }
    let short = usize::from(second & 0x7f);
    let is_control = matches!(opcode, Opcode::Close | Opcode::Ping | Opcode::Pong);
    if is_control && (!fin || short > 125) {
        return Err(ReadError::Protocol("a control frame is whole and at most 125 bytes long"));
    }
    let (extra, payload_len) = match short {
        126 => match input.get(2..4) {
            Some(b) => (2, u64::from(u16::from_be_bytes([b[0], b[1]]))),
            None => return Ok(None),
        },
        127 => match input.get(2..10) {
            Some(b) => (8, u64::from_be_bytes(b.try_into().expect("eight bytes"))),
            None => return Ok(None),
        },
        n => (0, n as u64),
    };
    if payload_len > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    let mask_at = 2 + extra;
    let Some(mask) = input.get(mask_at..mask_at + 4) else { return Ok(None) };
    let mask = mask.try_into().expect("four bytes");
    Ok(Some(Header { fin, opcode, mask, header_len: mask_at + 4, payload_len: payload_len as usize }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let word = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (i, byte) in rest.iter_mut().enumerate() {
        *byte ^= mask[i % 4];
    }
}

fn whole(opcode: Opcode, payload: Vec<u8>) -> Result<Incoming, ReadError> {
    match opcode {
        Opcode::Text => String::from_utf8(payload).map(Incoming::Text).map_err(|_| ReadError::Utf8),
        _ => Ok(Incoming::Binary),
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, ReadError> {
    match payload {
        [] => Ok(None),
        [_] => Err(ReadError::Protocol("a close code has two bytes")),
        [a, b, reason @ ..] if std::str::from_utf8(reason).is_ok() => Ok(Some(u16::from_be_bytes([*a, *b]))),
        _ => Err(ReadError::Utf8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client's frame, masked.
    fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            n @ 0..=125 => out.push(0x80 | n as u8),
            n @ 126..=0xffff => {
                out.push(0x80 | 126);
                out.extend((n as u16).to_be_bytes());
            }
            n => {
                out.push(0x80 | 127);
                out.extend((n as u64).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
        out
    }

    fn read_all(bytes: &[u8], step: usize, limit: usize) -> Result<Vec<Incoming>, ReadError> {
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        for piece in bytes.chunks(step.max(1)) {
            reader.feed(piece, limit, &mut out)?;
        }
        Ok(out)
    }

    proptest! {
        #[test]
        fn what_a_client_sends_is_read_however_it_is_cut(
            texts in prop::collection::vec(".{0,300}", 1..5), mask: [u8; 4], step in 1_usize..400, cut in 0_usize..50
        ) {
            let mut bytes = Vec::new();
            for text in &texts {
                let at = cut.min(text.len());
                bytes.extend(frame(0x01, &text.as_bytes()[..at], mask));
                bytes.extend(frame(0x89, b"hi", mask));
                bytes.extend(frame(0x80, &text.as_bytes()[at..], mask));
            }
            let got = read_all(&bytes, step, 4096).unwrap();
            let want: Vec<_> = texts.iter().flat_map(|t| [Incoming::Ping(b"hi".to_vec()), Incoming::Text(t.clone())]).collect();
            prop_assert_eq!(got, want);
        }

        #[test]
        fn garbage_never_panics_and_never_grows(bytes in prop::collection::vec(any::<u8>(), 0..2000), step in 1_usize..100) {
            let (mut reader, mut out) = (Reader::default(), Vec::new());
            for piece in bytes.chunks(step) {
                if reader.feed(piece, 1000, &mut out).is_err() {
                    break;
                }
                prop_assert!(reader.pending.len() + reader.fragments.len() <= 2000 + 14);
            }
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        let mask = [1, 2, 3, 4];
        let cases: [(&str, Vec<u8>, ReadError); 6] = [
            ("unmasked", vec![0x81, 0x01, b'a'], ReadError::Protocol("a client's frame must be masked")),
            ("reserved bit", frame(0xc1, b"a", mask), ReadError::Protocol("a reserved bit is set")),
            ("opcode", frame(0x83, b"a", mask), ReadError::Protocol("an unknown opcode")),
            ("utf-8", frame(0x81, &[0xff], mask), ReadError::Utf8),
            ("huge", vec![0x81, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0, 1, 2, 3, 4], ReadError::TooLarge),
            ("continuation", frame(0x80, b"a", mask), ReadError::Protocol("a continuation of nothing")),
        ];
        for (name, bytes, want) in cases {
            assert_eq!(read_all(&bytes, 1, 1000), Err(want), "{name}");
        }
        let fragments: Vec<u8> = [frame(0x01, &[b'a'; 600], mask), frame(0x00, &[b'a'; 600], mask)].concat();
        assert_eq!(read_all(&fragments, 50, 1000), Err(ReadError::TooLarge), "fragments count together");
        assert_eq!(
            read_all(&frame(0x81, &[b'a'; 1000], mask), 7, 1000).unwrap().len(),
            1,
            "the limit itself is allowed"
        );
    }
}
