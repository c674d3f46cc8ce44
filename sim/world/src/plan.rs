//! What a seed makes of a world: its size, its people's habits, its faults.

use crate::random::Random;

/// A fault put into the world's shell on purpose, to see that the checkers find it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Mutant {
    /// Sends are answered when their batch is handed to the shard, not when it is committed.
    AnswersBeforeCommit,
    /// A relay loses what one frame in a thousand holds, and the hole cannot be seen.
    DroppedChange,
    /// A sync does not wait until what was pushed before is committed.
    NoSyncBarrier,
    /// Marks reach the workers at once, the changes that they cover only later.
    MarkBeforeChange,
    /// The shard takes a mirrored row whatever its version.
    NoRowVersion,
    /// A replay leaves out rows that changed again after it began.
    NoRowsBeyondReplay,
    /// After a restore a client goes on from a token that stands before the loss, whatever it was pushed since.
    OldTokensHold,
}

/// How often things go wrong, in 10,000.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Of commits.
    pub again: u32,
    pub unknown: u32,
    /// Of mirror commits.
    pub rejected: u32,
    pub slow_commit: u32,
    /// Of loads.
    pub not_loaded: u32,
    /// Per second and cell.
    pub crash: u32,
    pub pause: u32,
    /// A shard is copied, or replaced by its last copy.
    pub copy: u32,
    pub restore: u32,
    /// Per second and link.
    pub broken_link: u32,
    /// Of frames between cells.
    pub lost_frame: u32,
    /// Per second and device.
    pub disconnect: u32,
    /// Of reads from a socket.
    pub slow_reader: u32,
}

/// A world's measures. Times in milliseconds, sizes in bytes.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub cells: u32,
    pub home_lanes: u16,
    pub workers: usize,
    pub people: usize,
    pub devices_per_person: usize,
    /// How long people act and faults happen.
    pub busy_ms: i64,
    /// The usual pause between two acts of a device.
    pub think_ms: i64,
    pub commit_ms: i64,
    pub read_ms: i64,
    /// A step of a replay.
    pub replay_ms: i64,
    pub wire_ms: i64,
    /// Between the tasks of a process.
    pub queue_ms: i64,
    pub ring_bytes: usize,
    pub frame_bytes: usize,
    pub outbox_bytes: usize,
    /// Changes of a lane that wait for a worker.
    pub backlog_bytes: usize,
    pub sync_messages: usize,
    pub page: usize,
    pub replay_rows: usize,
    /// Conversations a lane or a worker keeps in memory while unused.
    pub kept: usize,
    pub groups: Groups,
    /// Whether a shard also gives those who have left when a conversation's members are loaded.
    pub former: Former,
    pub faults: Faults,
    pub mutant: Option<Mutant>,
}

/// Whether there are groups and channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Groups {
    DirectOnly,
    All,
}

/// Who is loaded of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Former {
    Included,
    LeftOut,
}

impl Plan {
    /// The world of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::of(seed, "plan");
        let r = &mut random;
        let cells = *r.pick(&[1, 1, 2, 2, 2, 3, 3, 4]).expect("not empty");
        let calm = r.chance(1_500);
        let mut rate = |most: i64| if calm || r.chance(3_000) { 0 } else { r.between(0, most) as u32 };
        let faults = Faults {
            again: rate(500),
            unknown: rate(500),
            rejected: rate(100),
            slow_commit: rate(200),
            not_loaded: rate(300),
            crash: rate(600),
            pause: rate(500),
            broken_link: rate(1_500),
            lost_frame: rate(100),
            disconnect: rate(1_000),
            slow_reader: rate(2_000),
            copy: 0,
            restore: 0,
        };
        let mut plan = Self {
            seed,
            cells,
            home_lanes: r.between(1, 2) as u16,
            workers: r.between(1, 2) as usize,
            people: r.between(3, 4 + i64::from(cells)) as usize,
            devices_per_person: r.between(1, 2) as usize,
            busy_ms: r.between(5_000, 20_000),
            think_ms: *r.pick(&[100, 300, 800, 2_000]).expect("not empty"),
            commit_ms: *r.pick(&[1, 5, 20, 100]).expect("not empty"),
            read_ms: *r.pick(&[1, 5, 20, 100]).expect("not empty"),
            wire_ms: *r.pick(&[1, 10, 50, 200]).expect("not empty"),
            queue_ms: *r.pick(&[0, 1, 5, 30]).expect("not empty"),
            ring_bytes: *r.pick(&[1_000, 5_000, 1 << 20]).expect("not empty"),
            frame_bytes: *r.pick(&[300, 2_000, 1 << 20]).expect("not empty"),
            outbox_bytes: *r.pick(&[2_000, 10_000, 256 << 10]).expect("not empty"),
            sync_messages: *r.pick(&[2, 5, 50]).expect("not empty"),
            page: *r.pick(&[2, 10, 100]).expect("not empty"),
            replay_rows: *r.pick(&[1, 3, 1_000]).expect("not empty"),
            kept: *r.pick(&[1, 4, 10_000]).expect("not empty"),
            groups: if r.chance(2_000) { Groups::DirectOnly } else { Groups::All },
            former: if r.chance(5_000) { Former::Included } else { Former::LeftOut },
            faults,
            backlog_bytes: *r.pick(&[200, 1_000, 1 << 20, 1 << 20]).expect("not empty"),
            replay_ms: *r.pick(&[1, 20, 100, 500]).expect("not empty"),
            mutant: None,
        };
        if r.chance(1_000) {
            let ring_bytes = *r.pick(&[1, 20_000, 1 << 20]).expect("not empty");
            plan.with_long_replays(ring_bytes);
        }
        if r.chance(1_500) {
            plan.faults.copy = r.between(500, 4_000) as u32;
            plan.faults.restore = r.between(100, 1_500) as u32;
            // Who had left and whose leaving is lost comes back with their old read mark.
            plan.former = Former::Included;
        }
        plan
    }

    /// The same with a mutant, in a world where it can do harm.
    pub fn with(mut self, mutant: Option<Mutant>) -> Self {
        self.mutant = mutant;
        if matches!(mutant, Some(Mutant::NoRowVersion | Mutant::NoRowsBeyondReplay)) {
            self.with_long_replays(1 << 20);
        }
        if mutant == Some(Mutant::NoRowsBeyondReplay) {
            self.replay_ms = 300;
        }
        if mutant == Some(Mutant::OldTokensHold) {
            (self.faults.copy, self.faults.restore, self.former) = (4_000, 1_000, Former::Included);
        }
        self
    }

    /// Busy people, homes that die, and replays that take their time: rows change while they are read, and come twice.
    fn with_long_replays(&mut self, ring_bytes: usize) {
        (self.cells, self.people, self.devices_per_person) = (2, 6, 2);
        (self.groups, self.kept) = (Groups::All, 10_000);
        (self.think_ms, self.commit_ms, self.read_ms, self.wire_ms) = (100, 1, 1, 1);
        (self.ring_bytes, self.frame_bytes, self.replay_rows, self.replay_ms) = (ring_bytes, 300, 1, 100);
        self.faults = Faults { crash: 1_000, broken_link: 500, ..Faults::default() };
    }
}
