//! A socket as a client has it, over a bare wire, so that a test can also speak badly.

use std::time::Duration;

use serde_json::Value;
use skep_authority::Authority;
use skep_tls::{Connector, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::agreement::check_frame;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A WebSocket to a cell.
pub struct Socket {
    pub stream: Wire,
    read: Vec<u8>,
}

/// What a server sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    Frame(Value),
    /// Closed, with this code if one was given.
    Closed(Option<u16>),
}

impl Socket {
    /// Connects and shakes hands.
    pub async fn connect(url: &str) -> Self {
        Self::try_connect(url).await.unwrap()
    }

    /// Connects and shakes hands, if somebody is there.
    pub async fn try_connect(url: &str) -> std::io::Result<Self> {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let (connector, scheme) = match scheme {
            "wss" => (Authority::known().connector(), "https"),
            _ => (Connector::bare(), "http"),
        };
        let wire = connector.connect(format!("{scheme}://{host}/").parse().unwrap()).await;
        let mut stream = wire.map_err(std::io::Error::other)?;
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: skep.v1.json\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut read = Vec::new();
        while !read.windows(4).any(|w| w == b"\r\n\r\n") {
            let mut bytes = [0; 1024];
            let count = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await??;
            if count == 0 {
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
            read.extend_from_slice(&bytes[..count]);
        }
        let end = read.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        read.drain(..end);
        Ok(Self { stream, read })
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        let bytes = masked(0x81, frame.to_string().as_bytes());
        // Who has been closed meanwhile finds out by reading.
        _ = self.stream.write_all(&bytes).await;
        _ = self.stream.flush().await;
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        _ = self.stream.write_all(bytes).await;
        _ = self.stream.flush().await;
    }

    /// The next frame or the end. Panics when none comes in time.
    pub async fn receive(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.receive_some()).await.expect("a frame comes in time")
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        match self.receive().await {
            Received::Frame(frame) => frame,
            Received::Closed(code) => panic!("the socket was closed: {code:?}"),
        }
    }

    /// The next frame of this type; others are passed over.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Reads on to the end.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Received::Closed(code) = self.receive().await {
                return code;
            }
        }
    }

    async fn receive_some(&mut self) -> Received {
        loop {
            if let Some((opcode, payload)) = self.take() {
                match opcode {
                    1 => {
                        let frame = serde_json::from_slice(&payload).unwrap();
                        check_frame(&frame);
                        return Received::Frame(frame);
                    }
                    8 => {
                        let code = payload.get(..2).map(|c| u16::from_be_bytes([c[0], c[1]]));
                        return Received::Closed(code);
                    }
                    _ => continue,
                }
            }
            let mut bytes = vec![0; 64 * 1024];
            match self.stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return Received::Closed(None),
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
            }
        }
    }

    fn take(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (*self.read.first()?, *self.read.get(1)?);
        let (start, length) = match second & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(self.read.get(2..4)?.try_into().unwrap()))),
            127 => (10, u64::from_be_bytes(self.read.get(2..10)?.try_into().unwrap()) as usize),
            short => (2, usize::from(short)),
        };
        let payload = self.read.get(start..start + length)?.to_vec();
        self.read.drain(..start + length);
        Some((first & 0xf, payload))
    }
}

/// A client's frame: this first byte, masked.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
    bytes
}
