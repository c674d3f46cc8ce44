//! What a cell counts. Names, labels and help in one place; no label names a person.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use skep_gate::Kind;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Turned {
    kind: &'static str,
}

/// The counters of one cell.
pub struct Metrics {
    registry: Registry,
    messages: Counter,
    deliveries: Counter,
    replays: Counter,
    completed_pages: Counter,
    connections: Gauge,
    limited: Family<Turned, Counter>,
    shed: Family<Turned, Counter>,
    sockets_refused: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("skep");
        let (messages, deliveries, replays) = (Counter::default(), Counter::default(), Counter::default());
        registry.register("messages_committed", "Messages committed at their home", messages.clone());
        registry.register("deliveries", "Frames pushed to connections", deliveries.clone());
        registry.register("replays", "Times a peer was sent what lay beyond the ring", replays.clone());
        let completed_pages = Counter::default();
        let help = "Pages of history that a mirror's hole made the home complete";
        registry.register("history_completed", help, completed_pages.clone());
        let connections = Gauge::default();
        registry.register("connections", "Sockets past their hello", connections.clone());
        let (limited, shed) = (Family::default(), Family::default());
        registry.register("limited", "Calls and frames refused because they came too often", limited.clone());
        registry.register("shed", "Calls refused for want of a place", shed.clone());
        let sockets_refused = Counter::default();
        let help = "Sockets refused because their address had all of its own";
        registry.register("sockets_refused", help, sockets_refused.clone());
        Self { registry, completed_pages, connections, messages, deliveries, replays, limited, shed, sockets_refused }
    }
}

impl Metrics {
    pub fn committed(&self, messages: u64) {
        self.messages.inc_by(messages);
    }

    pub fn delivered(&self) {
        self.deliveries.inc();
    }

    pub fn replayed(&self) {
        self.replays.inc();
    }

    pub fn completed_page(&self) {
        self.completed_pages.inc();
    }

    pub fn limited(&self, kind: Kind) {
        self.limited.get_or_create(&Turned { kind: kind.label() }).inc();
    }

    pub fn shed(&self, kind: Kind) {
        self.shed.get_or_create(&Turned { kind: kind.label() }).inc();
    }

    pub fn socket_refused(&self) {
        self.sockets_refused.inc();
    }

    /// Messages committed and frames pushed since the start.
    pub fn totals(&self) -> (u64, u64) {
        (self.messages.get(), self.deliveries.get())
    }

    /// All of it, in Prometheus' text form.
    pub fn text(&self, connections: u64) -> String {
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a String cannot fail.
        _ = encode(&mut text, &self.registry);
        text
    }
}
