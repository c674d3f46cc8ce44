//! What a router counts. Names, labels and help in one place; no label names a person.

use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use skep_gate::Kind;
use tokio::sync::OwnedSemaphorePermit;

/// Bounds of the histogram, in seconds: from a read out of a cell's memory to the deadline.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    call: &'static str,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Called {
    call: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Turned {
    kind: &'static str,
}

/// The counters of one router.
pub(crate) struct Metrics {
    registry: Registry,
    answers: Family<Answered, Counter>,
    durations: Family<Called, Histogram, fn() -> Histogram>,
    under_way: Gauge,
    connections: Gauge,
    wrong_cells: Counter,
    cells_away: Counter,
    limited: Family<Turned, Counter>,
    shed: Family<Turned, Counter>,
    connections_refused: Counter,
}

/// A call that is under way, until it is dropped: its place, and its count.
pub(crate) struct Held {
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Counts in a gauge while it lives.
pub(crate) struct Counted(Gauge);

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("skep_router");
        let answers = Family::default();
        registry.register("answers", "Calls answered", answers.clone());
        let durations: Family<Called, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BOUNDS));
        let help = "From a request's headers to the head of its answer";
        registry.register_with_unit("duration", help, Unit::Seconds, durations.clone());
        let (under_way, connections) = (Gauge::default(), Gauge::default());
        registry.register("calls_under_way", "Calls whose answer is not given yet", under_way.clone());
        registry.register("connections", "Connections of clients", connections.clone());
        let (wrong_cells, cells_away) = (Counter::default(), Counter::default());
        registry.register("wrong_cell", "Answers of cells that did not own the slot", wrong_cells.clone());
        registry.register("cell_away", "Attempts that reached no cell, or broke off", cells_away.clone());
        let (limited, shed) = (Family::default(), Family::default());
        registry.register("limited", "Calls refused here because they came too often", limited.clone());
        registry.register("shed", "Calls refused for want of a place", shed.clone());
        let connections_refused = Counter::default();
        let help = "Connections closed at once because their address had all of its own";
        registry.register("connections_refused", help, connections_refused.clone());
        Self {
            registry,
            answers,
            durations,
            under_way,
            connections,
            wrong_cells,
            cells_away,
            limited,
            shed,
            connections_refused,
        }
    }
}

impl Metrics {
    pub fn answered(&self, method: &Method, call: &'static str, status: StatusCode, took: Duration) {
        let labels = Answered { method: name_of(method), call, status: status.as_u16() };
        self.answers.get_or_create(&labels).inc();
        self.durations.get_or_create(&Called { call }).observe(took.as_secs_f64());
    }

    pub fn call(&self, place: OwnedSemaphorePermit) -> Held {
        Held { _place: place, _counted: Counted::of(&self.under_way) }
    }

    pub fn connection(&self) -> Counted {
        Counted::of(&self.connections)
    }

    pub fn limited(&self, kind: Kind) {
        self.limited.get_or_create(&Turned { kind: kind.label() }).inc();
    }

    pub fn shed(&self, kind: Kind) {
        self.shed.get_or_create(&Turned { kind: kind.label() }).inc();
    }

    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    pub fn wrong_cell(&self) {
        self.wrong_cells.inc();
    }

    pub fn cell_away(&self) {
        self.cells_away.inc();
    }

    /// All of it, in Prometheus' text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        _ = encode(&mut text, &self.registry);
        text
    }
}

impl Counted {
    fn of(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Clients may invent methods; labels must not grow by it.
fn name_of(method: &Method) -> &'static str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.iter().position(|m| m == method).map_or("other", |i| names[i])
}
