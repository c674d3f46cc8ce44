//! The open loop: each message has its time, and is sent then, whatever became of those before it.
//!
//! It runs on a thread of its own, because the runtime's timers are good to a millisecond only, and a late sender
//! would be counted as a slow server.

use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use skep_protocol::Kind;
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Micros, unix_ms},
    crowd::Crowd,
    scenario::Scenario,
    text::Tag,
    watch::Watch,
};

/// A message counts as late when it is sent so much later than intended though nothing held it back.
const LATE_US: u64 = 1_000;
/// Between two looks at whether there is room again.
const ROOM: Duration = Duration::from_millis(1);
/// Calls over HTTP at once; beyond that a message takes the socket.
const BY_HTTP: usize = 64;

/// Conversations of one kind, and their part of all messages.
#[derive(Clone, Debug)]
struct Part {
    talks: Vec<u32>,
    share: f64,
}

/// Sends a run's messages.
pub struct Pace {
    crowd: Arc<Crowd>,
    watch: Arc<Watch>,
    parts: Vec<Part>,
    http_share: f64,
    http_turns: Arc<Semaphore>,
    runtime: Handle,
    random: StdRng,
}

/// Whether a message may go at its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Punctual {
    Yes,
    WaitedForRoom,
}

/// What the loop did.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    pub began: Micros,
    pub ended: Micros,
    /// Messages whose time came while too many were unanswered, and which were never sent.
    pub never_sent: u64,
}

impl Pace {
    /// `kinds`: the kind of each conversation, by number.
    pub fn new(crowd: Arc<Crowd>, watch: Arc<Watch>, scenario: &Scenario, kinds: &[Kind]) -> Self {
        let part = |kind: Kind, share: Option<f64>| {
            let talks: Vec<u32> = (0..kinds.len() as u32).filter(|t| kinds[*t as usize] == kind).collect();
            Part { talks, share: share.unwrap_or(0.0) }
        };
        let parts = vec![
            part(Kind::Direct, scenario.direct.as_ref().map(|d| d.share)),
            part(Kind::Group, scenario.group.as_ref().map(|g| g.share)),
            part(Kind::Channel, scenario.channel.as_ref().map(|c| c.share)),
        ];
        Self {
            crowd,
            watch,
            parts: parts.into_iter().filter(|p| !p.talks.is_empty() && p.share > 0.0).collect(),
            http_share: scenario.http_share,
            http_turns: Arc::new(Semaphore::new(BY_HTTP)),
            runtime: Handle::current(),
            random: StdRng::seed_from_u64(scenario.seed ^ 0x5eed),
        }
    }

    /// Sends until the time is over or it is stopped. Blocks: for a thread of its own.
    pub fn run(mut self, scenario: &Scenario, stop: &CancellationToken) -> Paced {
        let total = (scenario.rate * scenario.seconds as f64) as u64;
        let began = self.watch.clock.now();
        let end = Micros(began.0 + scenario.seconds * 1_000_000);
        for k in 0..total {
            let intended = Micros(began.0 + (k as f64 * 1_000_000.0 / scenario.rate) as u64);
            let now = self.watch.clock.now();
            if intended > now {
                std::thread::sleep(Duration::from_micros(intended.since(now)));
            }
            let mut punctual = Punctual::Yes;
            while self.watch.in_flight() >= scenario.max_in_flight as u64 {
                let now = self.watch.clock.now();
                if stop.is_cancelled() || now > end {
                    return Paced { began, ended: now, never_sent: total - k };
                }
                punctual = Punctual::WaitedForRoom;
                std::thread::sleep(ROOM);
            }
            if stop.is_cancelled() {
                break;
            }
            self.send(intended, punctual);
        }
        Paced { began, ended: self.watch.clock.now(), never_sent: 0 }
    }

    fn send(&mut self, intended: Micros, punctual: Punctual) {
        let Some((talk, who)) = self.choose() else { return };
        let now = self.watch.clock.now();
        match punctual {
            Punctual::WaitedForRoom => self.watch.counters.delayed.add(),
            Punctual::Yes if now.since(intended) > LATE_US => self.watch.counters.late.add(),
            Punctual::Yes => {}
        }
        let ledger = &self.watch.ledger;
        let tag = ledger.write(talk, who, intended, now);
        let id = ledger.run.id(tag, unix_ms());
        let text = ledger.run.text(tag, ledger.text_bytes);
        self.watch.counters.sent.add();
        if self.http_share > 0.0 && self.random.random_bool(self.http_share) && self.send_by_http(tag, id, &text, who) {
            return;
        }
        self.crowd.clients[who as usize].send(ledger.id(talk), id, text);
    }

    /// Whether it is on its way; not when enough calls are.
    fn send_by_http(&self, tag: Tag, id: skep_protocol::ClientMessageId, text: &Arc<str>, who: u32) -> bool {
        let Ok(turn) = Arc::clone(&self.http_turns).try_acquire_owned() else { return false };
        let (crowd, watch, text) = (Arc::clone(&self.crowd), Arc::clone(&self.watch), Arc::clone(text));
        watch.counters.by_http.add();
        self.runtime.spawn(async move {
            let (who, conversation_id) = (who as usize, watch.ledger.id(tag.conversation));
            match crowd.http.send(&crowd.people[who].token, conversation_id, id, &text).await {
                Ok(message) => watch.acknowledged(who, id, message.seq, message.sent_at),
                Err(error) if error.code().is_some_and(|c| !c.retryable()) => {
                    watch.refused(who, id, &error.to_string());
                }
                // Patience ended without an outcome: the socket goes on with it.
                Err(_) => {
                    watch.counters.unknown_outcomes.add();
                    crowd.clients[who].send(conversation_id, id, text);
                }
            }
            drop(turn);
        });
        true
    }

    /// A conversation by the shares of the kinds, and a member of it who is here and sees it: the other one of a new
    /// direct conversation does only from its first message on.
    fn choose(&mut self) -> Option<(u32, u32)> {
        let Self { parts, random, watch, crowd, .. } = self;
        for _ in 0..8 {
            let mut at = random.random_range(0.0..parts.iter().map(|p| p.share).sum::<f64>());
            let part = parts.iter().find(|p| {
                at -= p.share;
                at < 0.0
            })?;
            let talk = part.talks[random.random_range(0..part.talks.len())];
            let id = watch.ledger.id(talk);
            let sees = |who: u32| {
                crowd.clients[who as usize]
                    .look(|s| s.conversations().get(&id).is_some_and(skep_client::Kept::is_listed))
            };
            let fits = |who: u32| watch.seats[who as usize].is_here() && sees(who);
            if let Some(who) = watch.roster.pick(talk, random, fits) {
                return Some((talk, who));
            }
        }
        None
    }
}
