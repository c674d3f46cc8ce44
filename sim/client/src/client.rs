//! One person's socket: made, kept, lost and made again, until it is no longer wanted.

mod connection;
mod trace;

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use skep_protocol::{ClientMessageId, Code, ConversationId, Seq, UserId};
use tokio::sync::Notify;

use self::{connection::Line, trace::Trace};
use crate::{
    backoff::Backoff,
    dial::dial,
    event::{Ended, Event},
    fleet::Common,
    http::described,
    state::{Phase, State},
};

/// A ping after so much silence of ours: below the 30 s of the contract by more than a tick.
const PING_AFTER_MS: u64 = 28_000;
/// No sign of life for so long after a ping, or after `hello`: the connection is given up.
const PONG_WITHIN_MS: u64 = 10_000;
/// Tries before the way is asked for again.
const TRIES_BEFORE_ROUTE: u32 = 2;

/// Who logs in, and where.
#[derive(Clone, Debug)]
pub struct Account {
    pub user_id: UserId,
    pub token: String,
    pub socket_url: String,
}

/// A handle to one client. The client lives as long as a handle does, or as it is wanted to be connected.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(self) who: usize,
    common: Arc<Common>,
    core: Mutex<Core>,
    /// Something for the task to look at: a wish, a write that did not fit, or a connection to be given up.
    wake: Notify,
}

struct Core {
    state: State,
    line: Line,
    trace: Trace,
    account: Account,
    is_wanted: bool,
    is_running: bool,
}

/// How a connection ended.
enum End {
    /// Nobody wants it any more.
    Unwanted,
    Lost(String),
    /// The server asked for patience.
    Asked(Duration),
    Moved,
    Ended(Ended),
}

impl End {
    /// Why, unless nobody wanted it or nobody comes back.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Unwanted | Self::Ended(_) => None,
            Self::Lost(reason) => Some(reason),
            Self::Asked(_) => Some("the server said bye"),
            Self::Moved => Some("the server said moved"),
        }
    }
}

impl Client {
    pub(crate) fn new(who: usize, account: Account, common: Arc<Common>) -> Self {
        let state = State::new(account.user_id, common.backlog);
        let (line, trace) = (Line::default(), Trace::new(common.trace));
        let core = Core { state, line, trace, account, is_wanted: false, is_running: false };
        Self { shared: Arc::new(Shared { who, common, core: Mutex::new(core), wake: Notify::new() }) }
    }

    pub(crate) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// Connects, and from then on comes back whenever the connection is lost.
    pub fn connect(&self) {
        let mut core = self.shared.core.lock();
        core.is_wanted = true;
        if !core.is_running {
            core.is_running = true;
            tokio::spawn(Arc::clone(&self.shared).run());
        }
    }

    /// Goes away. What is kept stays, and so does what is unsent.
    pub fn disconnect(&self) {
        self.shared.core.lock().is_wanted = false;
        self.shared.wake.notify_one();
    }

    /// Sends a message, now or when the connection is there again. Never waits.
    pub fn send(&self, to: ConversationId, id: ClientMessageId, text: Arc<str>) {
        self.shared.act(|state, now_ms, fx| state.send(to, id, text, now_ms, fx));
    }

    /// Moves the read mark, if the connection is live.
    pub fn read(&self, conversation_id: ConversationId, seq: Seq) {
        self.shared.act(|state, now_ms, fx| state.read(conversation_id, seq, now_ms, fx));
    }

    /// Wants a conversation from `seq` on: what is missing is fetched.
    pub fn want_from(&self, conversation_id: ConversationId, seq: Seq) {
        self.shared.act(|state, now_ms, fx| state.want_from(conversation_id, seq, now_ms, fx));
    }

    /// A look at what is kept. The client stands still meanwhile.
    pub fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&self.shared.core.lock().state)
    }

    /// The account, its token and address as they are now.
    pub fn account(&self) -> Account {
        self.shared.core.lock().account.clone()
    }

    /// Whether no task of it runs: it is not connected and does not try to be.
    pub fn is_still(&self) -> bool {
        !self.shared.core.lock().is_running
    }
}

impl Shared {
    async fn run(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        while self.goes_on() {
            self.core.lock().state.begins(self.common.now_ms());
            let end = self.connection().await;
            let was_live = self.hang_up();
            if was_live {
                backoff.reset();
            }
            if let Some(reason) = end.reason() {
                self.tell(Event::Disconnected { reason });
            }
            let is_moved = matches!(end, End::Moved);
            let wait = match end {
                End::Unwanted => continue,
                End::Ended(reason) => return self.end(reason),
                End::Asked(after) => Backoff::asked(after),
                End::Lost(_) => backoff.next(),
                End::Moved => Duration::ZERO,
            };
            self.rest(wait).await;
            if (is_moved || backoff.failures() > TRIES_BEFORE_ROUTE)
                && let Err(reason) = self.ask_the_way().await
            {
                return self.end(reason);
            }
        }
    }

    /// Whether the connection is wanted. If not, the task is done.
    fn goes_on(&self) -> bool {
        let mut core = self.core.lock();
        core.is_running = core.is_wanted;
        core.is_wanted
    }

    fn end(&self, reason: Ended) {
        let mut core = self.core.lock();
        (core.is_running, core.is_wanted) = (false, false);
        self.common.observer.event(self.who, Event::Ended { reason });
    }

    /// Waits, but not longer than the connection is wanted.
    async fn rest(&self, wait: Duration) {
        let woken = async {
            while self.core.lock().is_wanted {
                self.wake.notified().await;
            }
        };
        _ = tokio::time::timeout(wait, woken).await;
    }

    /// One connection from dialling to its end.
    async fn connection(&self) -> End {
        let url = self.core.lock().account.socket_url.clone();
        let dialled = {
            let Ok(_turn) = self.common.dials.acquire().await else { return End::Lost("the fleet is gone".to_owned()) };
            dial(self.common.http.connector(), &url).await
        };
        match dialled {
            Ok((line, early)) => self.serve(line, &early).await,
            Err(error) => End::Lost(format!("{url}: {}", described(&error))),
        }
    }

    /// The connection is gone. Whether it had been live.
    fn hang_up(&self) -> bool {
        self.act(|state, now_ms, fx| {
            let was_live = state.phase() == Phase::Live;
            state.away(now_ms, fx);
            was_live
        })
    }

    async fn ask_the_way(&self) -> Result<(), Ended> {
        let token = self.core.lock().account.token.clone();
        match self.common.http.route(&token).await {
            Ok(route) => {
                self.core.lock().account.socket_url = route.socket_url;
                Ok(())
            }
            Err(error) if error.code() == Some(Code::Unauthenticated) => Err(Ended::Unauthenticated),
            // The former address is tried once more, and then the way asked for again.
            Err(_) => Ok(()),
        }
    }

    fn tell(&self, event: Event<'_>) {
        let _order = self.core.lock();
        self.common.observer.event(self.who, event);
    }
}
