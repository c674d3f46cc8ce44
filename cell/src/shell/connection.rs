//! One socket's write side: whoever has something for it writes at once; what does not fit waits in its outbox.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use skep_core::fanout::{ConnectionId, Outbox, Phase};
use skep_protocol::{CloseCode, ConversationId, ServerFrame, websocket};
use skep_tls::Line;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Frames gathered into one write.
const GATHERED: usize = 64;

/// A connection past its handshake.
pub struct Connection {
    pub id: ConnectionId,
    pub line: Line,
    outbox: Mutex<Unsent>,
    drained: Notify,
    /// Milliseconds of the process's life when the client was last heard.
    pub last_heard: AtomicU64,
    closed: CancellationToken,
}

struct Unsent {
    outbox: Outbox,
    /// A task waits for the socket to become writable. There is none while nothing waits.
    flushing: bool,
}

impl Unsent {
    /// Bytes that are not in the kernel. What a line over TLS still has counts as one: it is bounded, and of unknown
    /// size.
    fn waiting(&self) -> usize {
        self.outbox.bytes().max(usize::from(self.flushing))
    }
}

impl Connection {
    pub fn new(id: ConnectionId, line: Line, now_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            line,
            outbox: Mutex::new(Unsent { outbox: Outbox::default(), flushing: false }),
            drained: Notify::new(),
            last_heard: AtomicU64::new(now_ms),
            closed: CancellationToken::new(),
        })
    }

    /// Ends when the connection is to be given up.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// The client said something.
    pub fn heard(&self, now_ms: u64) {
        self.last_heard.store(now_ms, Ordering::Relaxed);
    }

    /// A push; written by the next `flush`.
    pub fn push(&self, conversation: Option<ConversationId>, frame: Bytes) {
        self.outbox.lock().outbox.push(conversation, frame);
    }

    /// An answer; written by the next `flush`.
    pub fn answer(&self, conversation: Option<ConversationId>, frame: Bytes) {
        self.outbox.lock().outbox.answer(conversation, frame);
    }

    pub fn checkpoint(&self, frame: Bytes) {
        self.outbox.lock().outbox.checkpoint(frame);
    }

    /// A push is lost: the client has to sync.
    pub fn behind(&self) {
        self.outbox.lock().outbox.behind();
    }

    /// An answer outside of any conversation, written now.
    pub fn reply(self: &Arc<Self>, frame: &ServerFrame) {
        self.answer(None, frame.to_websocket());
        self.flush();
    }

    /// A raw control frame, written now.
    pub fn control(self: &Arc<Self>, frame: Bytes) {
        self.outbox.lock().outbox.answer(None, frame);
        self.flush();
    }

    /// Whether a sync may begin now: one at a time.
    pub fn may_sync(&self) -> bool {
        matches!(self.outbox.lock().outbox.phase(), Phase::Live | Phase::Lagging)
    }

    /// From now on pushes wait for the end of a sync.
    pub fn begin_sync(&self) {
        self.outbox.lock().outbox.begin_sync();
    }

    /// A page of a sync, written when the pages before it are gone. `false`: the client takes nothing, or is gone.
    pub async fn page(self: &Arc<Self>, frame: Bytes, stall: Duration) -> bool {
        if !self.drained(stall).await {
            return false;
        }
        self.outbox.lock().outbox.page(frame);
        self.flush();
        true
    }

    /// The sync is whole.
    pub fn end_sync(self: &Arc<Self>, synced: Bytes) {
        self.outbox.lock().outbox.end_sync(synced);
        self.flush();
    }

    /// Until nothing waits to be written. `false`: the client takes nothing for this long, or is gone.
    pub async fn drained(&self, stall: Duration) -> bool {
        let mut left = usize::MAX;
        loop {
            let drained = self.drained.notified();
            let waiting = self.outbox.lock().waiting();
            // What comes on top meanwhile is no progress; the limit of the outbox bounds it.
            if waiting == 0 || self.is_closed() {
                return !self.is_closed();
            }
            if waiting >= left {
                return false;
            }
            left = waiting;
            tokio::select! {
                () = drained => {}
                () = self.closed() => return false,
                () = tokio::time::sleep(stall) => {}
            }
        }
    }

    /// Writes what it can, in one system call where that suffices; the rest is written when the socket takes it.
    pub fn flush(self: &Arc<Self>) {
        let mut unsent = self.outbox.lock();
        if unsent.flushing || self.is_closed() {
            return;
        }
        match write(&self.line, &mut unsent.outbox) {
            Ok(Written::All) => self.drained.notify_waiters(),
            Ok(Written::Part) => {
                unsent.flushing = true;
                tokio::spawn(flush_when_writable(Arc::clone(self)));
            }
            Err(_) => self.closed.cancel(),
        }
    }

    /// A last word, then the end: what waits is given up.
    pub fn close(self: &Arc<Self>, code: CloseCode) {
        if !self.is_closed() {
            self.control(websocket::close(code.number()));
            self.closed.cancel();
        }
    }

    /// The socket is gone.
    pub fn gone(&self) {
        self.closed.cancel();
    }
}

async fn flush_when_writable(connection: Arc<Connection>) {
    loop {
        tokio::select! {
            ready = connection.line.writable() => if ready.is_err() {
                connection.closed.cancel();
            },
            () = connection.closed() => {}
        }
        let mut unsent = connection.outbox.lock();
        if connection.is_closed() {
            return;
        }
        match write(&connection.line, &mut unsent.outbox) {
            Ok(Written::All) => {
                unsent.flushing = false;
                connection.drained.notify_waiters();
                return;
            }
            Ok(Written::Part) => {}
            Err(_) => {
                connection.closed.cancel();
                return;
            }
        }
    }
}

/// How far a write came.
enum Written {
    All,
    Part,
}

/// Until nothing waits, here or in the line, or the socket takes no more.
fn write(line: &Line, outbox: &mut Outbox) -> io::Result<Written> {
    while outbox.bytes() > 0 {
        let slices: Vec<IoSlice<'_>> = outbox.frames().take(GATHERED).map(|f| IoSlice::new(f)).collect();
        match line.try_write_vectored(&slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => outbox.written(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Written::Part),
            Err(error) => return Err(error),
        }
    }
    match line.try_flush() {
        Ok(()) => Ok(Written::All),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Written::Part),
        Err(error) => Err(error),
    }
}
