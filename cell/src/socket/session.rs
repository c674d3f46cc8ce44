//! One socket from its first frame to its end: what a client says is read here, and answered elsewhere or here.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use skep_core::{Op, sync::Token};
use skep_gate::{Address, Kind, Limited, Origins, Place, Places};
use skep_protocol::{
    ClientFrame, CloseCode, Code, ConversationId, FieldCode, Refusal, ServerFrame, SessionId, SessionToken,
    SocketLimits, UserId, check_text, limits,
    websocket::{self, Incoming, Reader},
};
use skep_tls::Line;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::sync;
use crate::{
    clock::uptime_ms,
    context::Context,
    history::{self, Page, PageAsked},
    shell::{Connection, WorkerCommand},
    storage::LeaseState,
};

/// Bytes read at once.
const READ: usize = 16 * 1024;
/// Pages of history of one connection at once.
const PAGES: usize = 8;
/// The largest `ref`: what every JSON reader keeps exactly.
const REF_MAX: u64 = (1 << 53) - 1;
/// Syncs at once: a storm of returning people must not starve those who are here.
const SYNCS: usize = 8;

/// What sockets need of the running cell.
pub struct Doors {
    pub context: Arc<Context>,
    pub syncs: Semaphore,
    origins: Origins,
    /// Sockets of each address.
    places: Places<Address>,
}

impl Doors {
    pub fn new(context: Arc<Context>) -> Self {
        let config = &context.config;
        Self {
            syncs: Semaphore::new(SYNCS),
            origins: Origins::new(&config.public_url, &config.allowed_origins),
            places: Places::new(config.rate_limits.sockets_per_address),
            context,
        }
    }

    /// Only browsers send an origin; what is no browser is let in.
    pub fn allows_origin(&self, origin: Option<&HeaderValue>) -> bool {
        origin.is_none_or(|origin| self.origins.allows(origin))
    }

    /// Whether somebody may do a thing of this kind now.
    fn may(&self, user: UserId, kind: Kind) -> Result<(), Refusal> {
        let refused = |limited: Limited| {
            self.context.hub.metrics.limited(kind);
            limited.refusal(kind.plural())
        };
        self.context.rates.take(user, kind).map(|_| ()).map_err(refused)
    }

    /// A place for another socket of whoever asks, if their address has one left.
    pub fn place(&self, client: IpAddr) -> Option<Place<Address>> {
        let place = self.places.take(client.into());
        if place.is_none() {
            self.context.hub.metrics.socket_refused();
        }
        place
    }
}

/// A connection that has said who it is.
struct Session {
    connection: Arc<Connection>,
    doors: Arc<Doors>,
    user: UserId,
    token: String,
    /// When the session was last found to be alive.
    checked_ms: u64,
    /// Pages of history under way.
    pages: Arc<AtomicUsize>,
}

/// What ends a session.
enum End {
    Gone,
    Close(CloseCode),
}

/// Runs until the socket is closed, by either side.
pub(super) async fn run(line: Line, early: Bytes, doors: Arc<Doors>, stop: CancellationToken) {
    let connection = Connection::new(doors.context.hub.next_connection(), line, uptime_ms());
    let (mut reader, mut incoming) = (Reader::default(), Vec::new());
    let end = match feed(&mut reader, &early, &mut incoming) {
        Ok(()) => talk(&connection, &mut reader, &mut incoming, &doors, &stop).await,
        Err(end) => end,
    };
    if let End::Close(code) = end {
        connection.close(code);
    }
    connection.gone();
}

async fn talk(
    connection: &Arc<Connection>,
    reader: &mut Reader,
    incoming: &mut Vec<Incoming>,
    doors: &Arc<Doors>,
    stop: &CancellationToken,
) -> End {
    let hello = tokio::time::timeout(Duration::from_millis(limits::HELLO_MS), async {
        loop {
            if let Some(first) = take_frame(connection, incoming)? {
                return Ok(first);
            }
            read(connection, reader, incoming, stop).await?;
        }
    });
    let hello = match hello.await {
        Ok(Ok(frame)) => frame,
        Ok(Err(end)) => return end,
        Err(_) => return End::Close(CloseCode::Silent),
    };
    let Some(Hello { token, sync_token }) = hello_of(&hello) else { return End::Close(CloseCode::Protocol) };
    let (session_id, user) = match admit(&doors.context, &token).await {
        Ok(known) => known,
        Err((frame, code)) => {
            connection.reply(&frame);
            return End::Close(code);
        }
    };
    // Each beginning is a sync, and syncs are dear.
    if let Err(refusal) = doors.may(user, Kind::Other) {
        connection.reply(&error(None, refusal));
        return End::Close(CloseCode::Busy);
    }
    // From here on it is sent what happens; until `synced` that waits.
    let (registered, done) = oneshot::channel();
    doors.context.hub.worker(
        user,
        WorkerCommand::Register { connection: Arc::clone(connection), user, session: session_id, registered },
    );
    let Ok(from) = done.await else { return End::Close(CloseCode::GoingAway) };
    // A session that was ended before the connection could be found by it is noticed here.
    if let Err((frame, code)) = admit(&doors.context, &token).await {
        connection.reply(&frame);
        doors.context.hub.worker(user, WorkerCommand::Gone { connection: connection.id, user });
        return End::Close(code);
    }
    let mut session = Session {
        connection: Arc::clone(connection),
        doors: Arc::clone(doors),
        user,
        token,
        checked_ms: uptime_ms(),
        pages: Arc::default(),
    };
    connection.reply(&session.welcome(session_id));
    session.start_sync(sync_token, from);
    let end = session.serve(reader, incoming, stop).await;
    doors.context.hub.worker(user, WorkerCommand::Gone { connection: connection.id, user });
    end
}

/// Whose token it is, if they belong here; else what to say before closing.
async fn admit(context: &Context, token: &str) -> Result<(SessionId, UserId), (ServerFrame, CloseCode)> {
    // Only the person's own cell knows the session: another's slot is not a bad token.
    if let Ok(token) = token.parse::<SessionToken>()
        && !context.owns(token.session_id.slot())
    {
        return Err((ServerFrame::Moved, CloseCode::Moved));
    }
    context.accounts.authenticate(token).await.map_err(|refusal| {
        let close = if refusal.code == Code::Unauthenticated { CloseCode::Unauthenticated } else { CloseCode::Busy };
        (error(None, refusal), close)
    })
}

impl Session {
    async fn serve(&mut self, reader: &mut Reader, incoming: &mut Vec<Incoming>, stop: &CancellationToken) -> End {
        loop {
            loop {
                match take_frame(&self.connection, incoming) {
                    Ok(Some(text)) => {
                        if let Err(end) = self.frame(&text).await {
                            return end;
                        }
                    }
                    Ok(None) => break,
                    Err(end) => return end,
                }
            }
            if let Err(end) = read(&self.connection, reader, incoming, stop).await {
                return end;
            }
            if let Err(end) = self.check().await {
                return end;
            }
        }
    }

    /// Now and then: a session that has come to its end takes its sockets with it, and one that is used lives on. A
    /// client that says nothing is closed anyway.
    async fn check(&mut self) -> Result<(), End> {
        if uptime_ms().saturating_sub(self.checked_ms) < limits::SESSION_CHECK_MS {
            return Ok(());
        }
        self.checked_ms = uptime_ms();
        match admit(&self.doors.context, &self.token).await {
            // A shard that does not answer says nothing about the session.
            Ok(_) | Err((_, CloseCode::Busy)) => Ok(()),
            Err((frame, code)) => {
                self.connection.reply(&frame);
                Err(End::Close(code))
            }
        }
    }

    async fn frame(&self, text: &str) -> Result<(), End> {
        let frame = match parse(text) {
            Ok(frame) => frame,
            Err(Unparsed::NotAFrame) => return Err(End::Close(CloseCode::Protocol)),
            Err(Unparsed::Invalid { reference, refusal }) => {
                let refusal = self.doors.may(self.user, Kind::Other).err().unwrap_or(refusal);
                self.connection.reply(&error(reference, refusal));
                return Ok(());
            }
        };
        let kind = if matches!(frame, ClientFrame::Send { .. }) { Kind::Message } else { Kind::Other };
        if let Err(refusal) = self.doors.may(self.user, kind) {
            self.connection.reply(&error(frame.reference(), refusal));
            return Ok(());
        }
        match frame {
            ClientFrame::Hello { .. } => return Err(End::Close(CloseCode::Protocol)),
            ClientFrame::Ping { reference } => self.connection.reply(&ServerFrame::Pong { reference }),
            ClientFrame::Send { reference, conversation_id, client_message_id, text } => {
                let checked = self.ready().and_then(|()| text_of(&text));
                match checked {
                    Ok(()) => {
                        let op = Op::Send { client_message_id, text: text.into() };
                        self.doors.context.hub.ask_for(self.connection.id, reference, self.user, conversation_id, op);
                    }
                    Err(refusal) => self.connection.reply(&error(Some(reference), refusal)),
                }
            }
            ClientFrame::Read { reference, conversation_id, seq } => match self.ready() {
                Ok(()) => self.doors.context.hub.ask_for(
                    self.connection.id,
                    reference,
                    self.user,
                    conversation_id,
                    Op::Read { seq },
                ),
                Err(refusal) => self.connection.reply(&error(Some(reference), refusal)),
            },
            ClientFrame::History { reference, conversation_id, before, after, limit } => {
                match self.ready().and_then(|()| limit_of(limit)) {
                    Ok(limit) => self.history(reference, conversation_id, PageAsked { before, after, limit }),
                    Err(refusal) => self.connection.reply(&error(Some(reference), refusal)),
                }
            }
            ClientFrame::Sync { sync_token } => {
                let (begun, done) = oneshot::channel();
                let command = WorkerCommand::Sync { connection: self.connection.id, begun };
                self.doors.context.hub.worker(self.user, command);
                match done.await {
                    Ok(from) => self.start_sync(Some(sync_token), from),
                    Err(_) => {
                        let refusal = Refusal::new(Code::Invalid, "a sync is under way: wait for `synced`");
                        self.connection.reply(&error(None, refusal));
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs beside the reading: a home that is away must not keep the rest of the connection waiting.
    fn history(&self, reference: u64, id: ConversationId, asked: PageAsked) {
        if self.pages.fetch_add(1, Ordering::Relaxed) >= PAGES {
            self.pages.fetch_sub(1, Ordering::Relaxed);
            let refusal = Refusal::new(Code::Busy, "too many pages of history at once: wait for the answers");
            return self.connection.reply(&error(Some(reference), refusal));
        }
        let (connection, context) = (Arc::clone(&self.connection), Arc::clone(&self.doors.context));
        let (pages, user) = (Arc::clone(&self.pages), self.user);
        tokio::spawn(async move {
            let answer = match history::page(&context, user, id, asked).await {
                Ok(Page { messages, has_more }) => {
                    ServerFrame::History { reference, conversation_id: id, messages, has_more }
                }
                Err(refusal) => error(Some(reference), refusal),
            };
            connection.reply(&answer);
            pages.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Runs beside the reading: requests are answered meanwhile.
    fn start_sync(&self, sync_token: Option<String>, from: Token) {
        let since = sync_token.and_then(|t| Token::parse(&t).ok());
        let (connection, doors) = (Arc::clone(&self.connection), Arc::clone(&self.doors));
        tokio::spawn(sync::run(connection, doors, self.user, sync::Span { since, from }));
    }

    /// Nothing that rests on the shard is answered while the lease on it is in doubt.
    fn ready(&self) -> Result<(), Refusal> {
        match self.doors.context.shard.lease().state() {
            LeaseState::Held => Ok(()),
            _ => Err(Refusal::new(Code::Unavailable, "the database does not answer at the moment; try again soon")),
        }
    }

    fn welcome(&self, session_id: SessionId) -> ServerFrame {
        let (message_burst, message_per_s) = self.doors.context.rates.messages();
        ServerFrame::Welcome {
            user_id: self.user,
            session_id,
            cell_id: self.doors.context.hub.cell,
            heartbeat_s: limits::HEARTBEAT_S,
            limits: SocketLimits {
                text_chars: limits::TEXT_CHARS as u32,
                text_bytes: limits::TEXT_BYTES as u32,
                frame_bytes: limits::CLIENT_FRAME_BYTES as u32,
                message_burst,
                message_per_s,
            },
        }
    }
}

// === reading ===

/// Reads what is there into `incoming`. Nothing is held for an idle connection: the buffer is the task's only while
/// bytes are at hand.
async fn read(
    connection: &Arc<Connection>,
    reader: &mut Reader,
    incoming: &mut Vec<Incoming>,
    stop: &CancellationToken,
) -> Result<(), End> {
    loop {
        tokio::select! {
            ready = connection.line.readable() => if ready.is_err() {
                return Err(End::Gone);
            },
            () = connection.closed() => return Err(End::Gone),
            () = stop.cancelled() => {
                let bye = ServerFrame::Bye { code: CloseCode::GoingAway.number(), retry_after_ms: 1_000 };
                connection.reply(&bye);
                return Err(End::Close(CloseCode::GoingAway));
            }
        }
        if read_now(connection, reader, incoming)? {
            connection.heard(uptime_ms());
            return Ok(());
        }
    }
}

fn read_now(connection: &Connection, reader: &mut Reader, incoming: &mut Vec<Incoming>) -> Result<bool, End> {
    let mut buffer = [0; READ];
    match connection.line.try_read(&mut buffer) {
        Ok(0) => Err(End::Gone),
        Ok(count) => feed(reader, &buffer[..count], incoming).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
        Err(_) => Err(End::Gone),
    }
}

fn feed(reader: &mut Reader, bytes: &[u8], incoming: &mut Vec<Incoming>) -> Result<(), End> {
    reader.feed(bytes, limits::CLIENT_FRAME_BYTES, incoming).map_err(|error| match error {
        websocket::ReadError::TooLarge => End::Close(CloseCode::TooLarge),
        websocket::ReadError::Protocol(_) | websocket::ReadError::Utf8 => End::Close(CloseCode::Protocol),
    })
}

/// The next text, in order; control frames before it are dealt with.
fn take_frame(connection: &Arc<Connection>, incoming: &mut Vec<Incoming>) -> Result<Option<String>, End> {
    while !incoming.is_empty() {
        match incoming.remove(0) {
            Incoming::Text(text) => return Ok(Some(text)),
            Incoming::Binary => return Err(End::Close(CloseCode::Protocol)),
            Incoming::Ping(payload) => connection.control(websocket::pong(&payload)),
            Incoming::Pong => {}
            Incoming::Close(_) => return Err(End::Close(CloseCode::Done)),
        }
    }
    Ok(None)
}

/// A text that is no frame to be carried out.
enum Unparsed {
    /// Not a JSON object with a `type`: the connection cannot go on.
    NotAFrame,
    Invalid {
        reference: Option<u64>,
        refusal: Refusal,
    },
}

/// As much of a frame as can be told of one that cannot be carried out. Strings are not decoded: one that no text can
/// hold (half a surrogate pair) is a wrong field, not a broken connection.
#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
}

impl Probe<'_> {
    /// Of a JSON object with a `type`; nothing else is a frame.
    fn of(text: &str) -> Option<Probe<'_>> {
        serde_json::from_str(text).ok().filter(|probe: &Probe<'_>| probe.kind.get().starts_with('"'))
    }

    fn reference(&self) -> Option<u64> {
        self.reference?.get().parse().ok().filter(|reference| *reference <= REF_MAX)
    }
}

fn parse(text: &str) -> Result<ClientFrame, Unparsed> {
    let invalid = |reference, detail: String| {
        // The client's own value may be part of the sentence: it is not given back whole.
        let detail = detail.chars().take(200).collect::<String>();
        Unparsed::Invalid { reference, refusal: Refusal::new(Code::Invalid, detail) }
    };
    match serde_json::from_str::<ClientFrame>(text) {
        Ok(frame) if frame.reference().is_some_and(|reference| reference > REF_MAX) => {
            Err(invalid(None, "ref is a number from 0 to 2^53-1".to_owned()))
        }
        Ok(frame) => Ok(frame),
        Err(error) => {
            let probe = Probe::of(text).ok_or(Unparsed::NotAFrame)?;
            Err(invalid(probe.reference(), format!("this frame is not as documented: {error}")))
        }
    }
}

/// The first frame. A token that is none is a bad one; a sync token that cannot be used is as none.
struct Hello {
    token: String,
    sync_token: Option<String>,
}

fn hello_of(text: &str) -> Option<Hello> {
    if let Ok(ClientFrame::Hello { token, sync_token }) = serde_json::from_str(text) {
        return Some(Hello { token, sync_token });
    }
    Probe::of(text).filter(|probe| probe.kind.get() == r#""hello""#)?;
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let text = |name: &str| fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    Some(Hello { token: text("token").unwrap_or_default(), sync_token: text("sync_token") })
}

fn text_of(text: &str) -> Result<(), Refusal> {
    check_text(text).map_err(|issue| Refusal::field(Code::Invalid, "text", issue.code, issue.detail))
}

fn limit_of(limit: Option<u64>) -> Result<usize, Refusal> {
    match limit.unwrap_or(u64::from(limits::PAGE_DEFAULT)) {
        0 => Err(Refusal::field(Code::Invalid, "limit", FieldCode::Format, "limit is a number from 1 to 100")),
        limit => Ok(limit.min(u64::from(limits::PAGE)) as usize),
    }
}

fn error(reference: Option<u64>, refusal: Refusal) -> ServerFrame {
    let Refusal { code, detail, retry_after_ms, errors } = refusal;
    ServerFrame::Error { reference, code, detail, retry_after_ms, errors }
}
