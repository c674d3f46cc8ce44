//! A standing connection: bytes in, frames to the state machine, its frames out.
//!
//! Whoever makes the state machine say something writes it out at once, on the calling thread: a message costs no
//! wake-up of the client's task. The task reads, and finishes writes that the socket did not take.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use skep_protocol::{ClientFrame, CloseCode, ServerFrame, limits};
use skep_tls::Line as Wired;

use super::{
    Core, End, PING_AFTER_MS, PONG_WITHIN_MS, Shared,
    trace::{Trace, Way},
};
use crate::{
    event::{Ended, Event, Observer, Wrong},
    frame::{self, Frame},
    state::{Effects, Phase, State},
    websocket::{self, Incoming, Reader},
};

thread_local! {
    /// Bytes are read here and taken in before anything else runs: idle connections hold no buffer.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// The writing side of the connection, if there is one.
#[derive(Default)]
pub(super) struct Line {
    wired: Option<Arc<Wired>>,
    out: Vec<u8>,
    is_blocked: bool,
    is_dead: bool,
    heard_ms: u64,
    said_ms: u64,
    pinged_ms: Option<u64>,
}

/// What the state machine says goes to the socket, what it tells to the observer.
struct Doing<'a> {
    who: usize,
    now_ms: u64,
    out: &'a mut Vec<u8>,
    trace: &'a mut Trace,
    observer: &'a dyn Observer,
    was_wrong: bool,
}

impl Effects for Doing<'_> {
    fn say(&mut self, frame: &ClientFrame) {
        if self.trace.is_on() {
            let hidden = matches!(frame, ClientFrame::Hello { .. });
            let shown = serde_json::to_vec(frame).unwrap_or_default();
            self.trace.add(self.now_ms, Way::Out, if hidden { b"hello" } else { &shown });
        }
        websocket::frame(self.out, websocket::TEXT, rand::random(), |out| {
            serde_json::to_writer(out, frame).expect("frames hold nothing that JSON cannot");
        });
    }

    fn tell(&mut self, event: Event<'_>) {
        self.was_wrong |= matches!(event, Event::Wrong(_));
        self.observer.event(self.who, event);
    }
}

impl Shared {
    /// Does something with the state machine, and writes what it says.
    pub(super) fn act<T>(&self, action: impl FnOnce(&mut State, u64, &mut dyn Effects) -> T) -> T {
        let now_ms = self.common.now_ms();
        let mut core = self.core.lock();
        let Core { state, line, trace, .. } = &mut *core;
        let result = action(state, now_ms, &mut self.doing(line, trace, now_ms));
        if state.phase() == Phase::Away {
            *line = Line::default();
        }
        self.flush(line, now_ms);
        result
    }

    /// Looks after the connection: what is due, pings, and whether the other side is still there.
    pub(crate) fn tick(&self) {
        let now_ms = self.common.now_ms();
        let mut core = self.core.lock();
        let Core { state, line, trace, .. } = &mut *core;
        if state.phase() == Phase::Away || line.is_dead {
            return;
        }
        if state.due_ms() <= now_ms {
            state.tick(now_ms, &mut self.doing(line, trace, now_ms));
        }
        let waits_since = if state.phase() == Phase::Greeted { Some(line.said_ms) } else { line.pinged_ms };
        if waits_since.is_some_and(|since| line.heard_ms <= since && since + PONG_WITHIN_MS < now_ms) {
            line.is_dead = true;
            self.wake.notify_one();
        } else if now_ms >= line.said_ms + PING_AFTER_MS {
            line.pinged_ms = Some(now_ms);
            self.doing(line, trace, now_ms).say(&ClientFrame::Ping { reference: None });
        }
        self.flush(line, now_ms);
    }

    /// Runs a connection until it ends.
    pub(super) async fn serve(&self, wired: Wired, early: &[u8]) -> End {
        let wired = Arc::new(wired);
        self.open(&wired);
        let mut reader = Reader::default();
        if let Some(end) = self.take(&mut reader, early) {
            return end;
        }
        loop {
            let is_blocked = match self.standing(&wired) {
                Ok(is_blocked) => is_blocked,
                Err(end) => return end,
            };
            tokio::select! {
                end = self.read_some(&wired, &mut reader) => if let Some(end) = end {
                    return end;
                },
                writable = wired.writable(), if is_blocked => match writable {
                    Ok(()) => self.act(|_, _, _| ()),
                    Err(error) => return End::Lost(error.to_string()),
                },
                () = self.wake.notified() => {}
            }
        }
    }

    fn open(&self, wired: &Arc<Wired>) {
        let now_ms = self.common.now_ms();
        let mut core = self.core.lock();
        let Core { state, line, trace, account, .. } = &mut *core;
        *line = Line { wired: Some(Arc::clone(wired)), heard_ms: now_ms, said_ms: now_ms, ..Line::default() };
        state.greet(&account.token, &mut self.doing(line, trace, now_ms));
        // An answer that comes within the same millisecond counts as one.
        line.heard_ms = now_ms.saturating_sub(1);
        self.flush(line, now_ms);
    }

    /// Whether the connection is to go on, and whether the socket took less than there was to write.
    fn standing(&self, wired: &Wired) -> Result<bool, End> {
        let core = self.core.lock();
        if core.line.is_dead {
            return Err(End::Lost("no sign of life".to_owned()));
        }
        if !core.is_wanted {
            let mut close = Vec::new();
            websocket::frame(&mut close, websocket::CLOSE, rand::random(), |out| {
                out.extend_from_slice(&CloseCode::Done.number().to_be_bytes());
            });
            // A courtesy: where it does not fit, the end of the stream says the same.
            _ = wired.try_write(&close);
            return Err(End::Unwanted);
        }
        Ok(core.line.is_blocked)
    }

    /// Reads what is there, and takes it in.
    async fn read_some(&self, wired: &Wired, reader: &mut Reader) -> Option<End> {
        if let Err(error) = wired.readable().await {
            return Some(End::Lost(error.to_string()));
        }
        READ.with_borrow_mut(|buffer| match wired.try_read(buffer) {
            Ok(0) => Some(End::Lost("the stream ended".to_owned())),
            Ok(count) => self.take(reader, &buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => Some(End::Lost(error.to_string())),
        })
    }

    /// Takes bytes in. What the frames make the state machine say is written together.
    fn take(&self, reader: &mut Reader, bytes: &[u8]) -> Option<End> {
        let now_ms = self.common.now_ms();
        let mut core = self.core.lock();
        let Core { state, line, trace, .. } = &mut *core;
        line.heard_ms = now_ms;
        let mut end = None;
        let fed = reader.feed(bytes, limits::SERVER_FRAME_BYTES, |incoming| {
            if end.is_none() {
                end = self.incoming(state, line, trace, incoming, now_ms);
            }
        });
        if let Err(error) = fed {
            self.common.observer.event(self.who, Event::Wrong(Wrong::Frame(error.to_string())));
            return Some(End::Lost(error.to_string()));
        }
        self.flush(line, now_ms);
        end
    }

    fn incoming(
        &self,
        state: &mut State,
        line: &mut Line,
        trace: &mut Trace,
        incoming: Incoming<'_>,
        now_ms: u64,
    ) -> Option<End> {
        let text = match incoming {
            Incoming::Text(text) => text,
            Incoming::Ping(payload) => {
                websocket::frame(&mut line.out, websocket::PONG, rand::random(), |out| out.extend_from_slice(payload));
                return None;
            }
            Incoming::Pong => return None,
            Incoming::Close(code) => return Some(end_of(code)),
        };
        trace.add(now_ms, Way::In, text);
        match frame::parse(text) {
            Ok(frame) => {
                let end = match &frame {
                    Frame::Other(ServerFrame::Moved) => Some(End::Moved),
                    Frame::Other(ServerFrame::Bye { code, retry_after_ms }) => Some(match end_of(Some(*code)) {
                        End::Lost(_) => End::Asked(Duration::from_millis(u64::from(*retry_after_ms))),
                        other => other,
                    }),
                    _ => None,
                };
                let mut doing = self.doing(line, trace, now_ms);
                state.frame(frame, now_ms, &mut doing);
                if doing.was_wrong && trace.is_on() {
                    self.common.observer.event(self.who, Event::Trace { lines: trace.lines() });
                }
                end
            }
            Err(error) => {
                let shown = String::from_utf8_lossy(&text[..text.len().min(200)]);
                let wrong = Wrong::Frame(format!("{error}: {shown}"));
                self.common.observer.event(self.who, Event::Wrong(wrong));
                None
            }
        }
    }

    fn doing<'a>(&'a self, line: &'a mut Line, trace: &'a mut Trace, now_ms: u64) -> Doing<'a> {
        let (out, observer) = (&mut line.out, &*self.common.observer);
        Doing { who: self.who, now_ms, out, trace, observer, was_wrong: false }
    }

    fn flush(&self, line: &mut Line, now_ms: u64) {
        if line.out.is_empty() && !line.is_blocked {
            return;
        }
        let Some(wired) = &line.wired else { return };
        if !line.out.is_empty() {
            line.said_ms = now_ms;
        }
        let mut written = 0;
        let result = loop {
            if written == line.out.len() {
                break wired.try_flush();
            }
            match wired.try_write(&line.out[written..]) {
                Ok(count) => written += count,
                Err(error) => break Err(error),
            }
        };
        line.out.drain(..written);
        // What is held for a burst is not held for ever.
        if line.out.is_empty() && line.out.capacity() > 16 * 1024 {
            line.out = Vec::new();
        }
        line.is_blocked = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        line.is_dead |= result.is_err() && !line.is_blocked;
        if result.is_err() {
            self.wake.notify_one();
        }
    }
}

/// What a close code asks for.
fn end_of(code: Option<u16>) -> End {
    match code {
        Some(code) if code == CloseCode::Unauthenticated.number() => End::Ended(Ended::Unauthenticated),
        Some(code) if (4100..4200).contains(&code) => End::Ended(Ended::Closed(code)),
        Some(code) if code == CloseCode::Moved.number() => End::Moved,
        Some(code) => End::Lost(format!("closed with {code}")),
        None => End::Lost("closed".to_owned()),
    }
}
