//! Takes in what all clients tell: into the ledger, the counts and the latencies; what must not be, to the violations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use skep_client::{Event, Observer, Source};

use skep_protocol::{ClientMessageId, Millis, Seq};

use crate::{
    clock::{Clock, Micros},
    ledger::Ledger,
    measure::{Counters, Latency},
    roster::Roster,
    violation::Violations,
};

/// What is known of one person's connection.
#[derive(Debug, Default)]
pub struct Seat {
    /// Away by plan.
    pub is_away: AtomicBool,
    /// When a planned return began; zero: none is under way.
    returning: AtomicU64,
    /// When the connection was last lost without a plan; zero: never.
    lost: AtomicU64,
    /// Lost, and not there again.
    is_lost: AtomicBool,
    /// When nothing was missing again; zero: never lost.
    whole: AtomicU64,
    /// Whether there was a connection before.
    was_here: AtomicBool,
}

/// The latencies of a run.
#[derive(Debug, Default)]
pub struct Latencies {
    /// From the intended time to the answer.
    pub acknowledged: Latency,
    /// The same, for the live display: emptied each time it is shown.
    pub recent: Latency,
    /// From the intended time to each receiver who was there.
    pub delivered: Latency,
    /// From the beginning of a planned return until nothing was missing.
    pub returned: Latency,
    /// From the loss of a connection until nothing was missing.
    pub recovered: Latency,
}

/// Everything that is gathered during a run.
#[derive(Debug)]
pub struct Watch {
    pub clock: Clock,
    pub ledger: Ledger,
    pub roster: Roster,
    pub seats: Vec<Seat>,
    pub counters: Counters,
    pub latencies: Latencies,
    pub violations: Arc<Violations>,
    /// A planned return that takes longer is a violation; `None`: only measured.
    pub whole_within_ms: Option<u64>,
    answered: AtomicU64,
    last_loss: Mutex<String>,
}

impl Latencies {
    /// Begins anew.
    pub fn forget(&self) {
        for latency in [&self.acknowledged, &self.recent, &self.delivered, &self.returned, &self.recovered] {
            latency.take();
        }
    }
}

impl Watch {
    /// Of a run that is about to begin.
    pub fn new(
        clock: Clock,
        ledger: Ledger,
        roster: Roster,
        people: usize,
        whole_within_ms: Option<u64>,
        violations: Arc<Violations>,
    ) -> Self {
        Self {
            clock,
            ledger,
            roster,
            seats: (0..people).map(|_| Seat::default()).collect(),
            counters: Counters::default(),
            latencies: Latencies::default(),
            violations,
            whole_within_ms,
            answered: AtomicU64::new(0),
            last_loss: Mutex::default(),
        }
    }

    /// Why a connection was lost last, or did not come about.
    pub fn last_loss(&self) -> String {
        self.last_loss.lock().clone()
    }

    /// Messages without an answer.
    pub fn in_flight(&self) -> u64 {
        self.counters.sent.get().saturating_sub(self.answered.load(Ordering::Relaxed))
    }

    /// A message's answer, from the socket or over HTTP.
    pub fn acknowledged(&self, who: usize, id: ClientMessageId, seq: Seq, sent_at: Millis) {
        let now = self.clock.now();
        match self.ledger.acknowledged(id, seq, sent_at, now) {
            Ok(Some(sent)) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.counters.acknowledged.add();
                let us = now.since(sent.intended);
                self.latencies.acknowledged.record(who, us);
                self.latencies.recent.record(who, us);
            }
            Ok(None) => {}
            Err(mismatch) => self.violations.add("acknowledgement", mismatch),
        }
    }

    /// A message was refused for good. Only those who are leaving may be.
    pub fn refused(&self, who: usize, id: ClientMessageId, refusal: &str) {
        match self.ledger.refused(id, self.clock.now()) {
            Ok(true) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.counters.refused.add();
                let is_leaving =
                    self.ledger.run.tag(id).is_some_and(|t| self.roster.is_leaving(t.conversation, who as u32));
                if !is_leaving {
                    self.violations.add("refusal", format!("person {who}, message {id}: {refusal}"));
                }
            }
            Ok(false) => {}
            Err(mismatch) => self.violations.add("refusal", mismatch),
        }
    }

    fn whole(&self, who: usize, after_ms: u64) {
        let seat = &self.seats[who];
        seat.whole.store(self.clock.now().0, Ordering::Relaxed);
        let began = seat.returning.swap(0, Ordering::Relaxed);
        if began == 0 {
            if seat.is_lost.swap(false, Ordering::Relaxed) {
                self.latencies.recovered.record(who, after_ms * 1_000);
            }
            return;
        }
        let us = self.clock.now().since(Micros(began));
        self.latencies.returned.record(who, us);
        if self.whole_within_ms.is_some_and(|most| us > most * 1_000) {
            self.violations.add("return", format!("person {who} was whole only {} ms after coming back", us / 1_000));
        }
    }

    fn message(&self, who: usize, message: &skep_client::MessageRef<'_>, source: Source) {
        match source {
            Source::Push => self.counters.pushed.add(),
            Source::Sync => self.counters.synced.add(),
            Source::History => self.counters.fetched.add(),
            Source::Sent | Source::SentAgain => {}
        }
        match self.ledger.seen(message) {
            Ok(Some(sent)) if source == Source::Push => {
                self.latencies.delivered.record(who, self.clock.now().since(sent.intended));
            }
            Ok(_) => {}
            Err(mismatch) => self.violations.add("message", format!("person {who}: {mismatch}")),
        }
    }
}

impl Observer for Watch {
    fn event(&self, who: usize, event: Event<'_>) {
        let (seat, counters) = (&self.seats[who], &self.counters);
        match event {
            Event::Message { message, source } => self.message(who, message, source),
            Event::Acknowledged { client_message_id, seq, sent_at, .. } => {
                self.acknowledged(who, client_message_id, seq, sent_at);
            }
            Event::Refused { client_message_id, code, .. } => self.refused(who, client_message_id, code.as_str()),
            Event::Unknown { .. } if !seat.is_here() => counters.unknown_by_plan.add(),
            Event::Unknown { .. } => counters.unknown_outcomes.add(),
            Event::Retried { .. } => counters.retries.add(),
            Event::Replayed { .. } => counters.replays.add(),
            Event::Fetching { .. } => counters.gap_fetches.add(),
            Event::Connected => {
                if seat.is_lost.load(Ordering::Relaxed) {
                    counters.reconnects.add();
                }
            }
            Event::Synced { full, resync } => {
                let was_here = seat.was_here.swap(true, Ordering::Relaxed);
                if full && (was_here || resync) {
                    counters.full_resumes.add();
                }
            }
            Event::Whole { after_ms } => self.whole(who, after_ms),
            Event::Forgot { conversation_id, kept } => {
                if let Some(talk) = self.ledger.number(conversation_id) {
                    self.roster.forgot(talk, who as u32, kept.seqs.clone());
                }
            }
            Event::Resync => counters.resyncs.add(),
            Event::Moved => counters.moved.add(),
            Event::Bye { .. } => counters.byes.add(),
            Event::Disconnected { reason } => {
                // Kept for people: why sockets do not come about is the first question when they do not.
                *self.last_loss.lock() = reason.to_owned();
                seat.lost.store(self.clock.now().0, Ordering::Relaxed);
                if !seat.is_lost.swap(true, Ordering::Relaxed) {
                    counters.disconnects.add();
                }
            }
            Event::Ended { reason } => {
                self.violations.add("connection", format!("person {who} cannot come back: {reason:?}"));
            }
            Event::Wrong(wrong) => self.violations.add("contract", format!("person {who}: {wrong}")),
            Event::Trace { lines } => {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                self.violations.add("trace", format!("person {who}:\n{}", lines.join("\n")));
            }
            Event::Listed { .. } | Event::Left { .. } | Event::Read { .. } => {}
        }
    }
}

impl Seat {
    /// Begins to come back from a planned absence.
    pub fn returns(&self, now: Micros) {
        self.returning.store(now.0, Ordering::Relaxed);
        self.is_away.store(false, Ordering::Relaxed);
    }

    /// Whether the person lacked a connection, or was not whole again yet, at some time at or after that.
    pub fn was_away_since(&self, at: Micros) -> bool {
        let at = at.0.max(1);
        self.is_lost.load(Ordering::Relaxed)
            || self.lost.load(Ordering::Relaxed) >= at
            || self.whole.load(Ordering::Relaxed) >= at
    }

    /// Whether the person can write now.
    pub fn is_here(&self) -> bool {
        !self.is_away.load(Ordering::Relaxed)
    }

    /// Goes away by plan.
    pub fn leaves(&self, now: Micros) {
        self.is_away.store(true, Ordering::Relaxed);
        self.lost.store(now.0, Ordering::Relaxed);
    }
}
