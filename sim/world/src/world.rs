//! The world: cells, links, people, one clock, one queue of what happens next.

mod calls;
mod event;
mod fanout;
mod faults;
mod home;
mod mirror;
mod people;
mod process;
mod relay;
mod replay;
mod rest;
mod restore;
mod sockets;
mod storage;
mod sync;

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_protocol::{CellId, ConversationId, Millis, Slot, SlotMap, UserId};

use crate::checkers::{Checkers, Found, Violation};
use crate::device::Device;
use crate::plan::{Mutant, Plan};
use crate::random::Random;
use crate::shard::{Shard, Versions};
use crate::trace::{START, Trace};
use crate::truth::Truth;

use calls::{CallId, PendingCall};
use event::{Event, Schedule};
use process::Process;
use relay::{Link, LinkId};
use rest::Stage;

/// A deployment and its people.
pub struct World {
    plan: Plan,
    trace: Trace,
    now: Millis,
    map: Arc<SlotMap>,
    schedule: Schedule,
    chance: Chance,
    cells: BTreeMap<CellId, Cell>,
    links: BTreeMap<LinkId, Link>,
    devices: Vec<Device>,
    people: Vec<UserId>,
    /// Groups and channels, with channels' codes.
    made: Vec<(ConversationId, Option<String>)>,
    calls: BTreeMap<CallId, PendingCall>,
    /// For connections, links, calls and texts: never the same twice.
    numbers: u64,
    truth: Truth,
    checkers: Checkers,
    stage: Stage,
    violation: Option<Violation>,
}

/// One stream of chance per concern.
struct Chance {
    storage: Random,
    wire: Random,
    queue: Random,
    faults: Random,
    people: Random,
    ids: Random,
    mutant: Random,
}

/// A cell: its shard stays when its process dies.
struct Cell {
    shard: Shard,
    process: Option<Process>,
    /// How many processes it has had.
    lives: u64,
    paused_until: Millis,
    /// An older state of the shard, for a restore.
    copy: Option<Shard>,
    /// How often the shard was replaced by a copy: what is on its way to a lost one goes nowhere.
    copies: u64,
}

/// What came of a world.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    pub mutant: Option<Mutant>,
    pub violation: Option<Violation>,
    /// Messages acknowledged to clients.
    pub acknowledged: usize,
    /// How long it lasted, in its own time.
    pub ended_ms: i64,
    /// How much happened.
    pub events: u64,
}

impl World {
    /// A world as planned, before anything has happened.
    pub fn new(plan: Plan, trace: Trace) -> Self {
        let mut map = SlotMap::default();
        for slot in (0..=u16::MAX).map(Slot) {
            map.assign(slot, CellId(1 + u32::from(slot.0) % plan.cells));
        }
        let map = Arc::new(map);
        let versions = if plan.mutant == Some(Mutant::NoRowVersion) { Versions::Ignored } else { Versions::Compared };
        let cells = (1..=plan.cells).map(CellId).map(|id| {
            let shard = Shard::new(id, Arc::clone(&map), plan.home_lanes, versions);
            (id, Cell { shard, process: None, lives: 0, paused_until: START, copy: None, copies: 0 })
        });
        let of = |concern| Random::of(plan.seed, concern);
        let chance = Chance {
            storage: of("storage"),
            wire: of("wire"),
            queue: of("queue"),
            faults: of("faults"),
            people: of("people"),
            ids: of("ids"),
            mutant: of("mutant"),
        };
        let mut world = Self {
            cells: cells.collect(),
            trace,
            now: START,
            map,
            schedule: Schedule::default(),
            chance,
            links: BTreeMap::new(),
            devices: Vec::new(),
            people: Vec::new(),
            made: Vec::new(),
            calls: BTreeMap::new(),
            numbers: 0,
            truth: Truth::default(),
            checkers: Checkers::default(),
            stage: Stage::Busy,
            violation: None,
            plan,
        };
        world.populate();
        world
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Outcome {
        for cell in self.cells.keys().copied().collect::<Vec<_>>() {
            self.start(cell);
        }
        self.after(1_000, Event::Faults);
        self.after(500, Event::Watch);
        while self.violation.is_none()
            && self.stage != Stage::Judged
            && let Some((at, event)) = self.schedule.next()
        {
            self.now = at;
            self.happen(event);
        }
        Outcome {
            seed: self.plan.seed,
            mutant: self.plan.mutant,
            acknowledged: self.checkers.acked.count(),
            ended_ms: self.now.0 - START.0,
            events: self.schedule.planned(),
            violation: self.violation,
        }
    }

    fn owner(&self, slot: Slot) -> CellId {
        self.map.owner(slot).expect("every slot has an owner here")
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Keeps the first violation; the run ends with it.
    fn check(&mut self, found: Found) {
        if let Err(violation) = found
            && self.violation.is_none()
        {
            crate::trace::tell!(self, "VIOLATION", "{violation}");
            self.violation = Some(violation);
        }
    }
}

impl Outcome {
    /// The command that shows it again.
    pub fn replay(&self) -> String {
        let mutant = self.mutant.map(|m| {
            let value = clap::ValueEnum::to_possible_value(&m).expect("every mutant has a name");
            format!(" --mutant {}", value.get_name())
        });
        format!("cargo run -p skep-world -- --seed {} --trace{}", self.seed, mutant.unwrap_or_default())
    }
}
