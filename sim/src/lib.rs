//! A load generator that speaks the public contract, and audits what came of every message.
//!
//! scenario -> accounts -> conversations -> sockets -> messages on time, and events beside them -> everybody whole ->
//! audit -> report. The audit is the point: a fast run in which something was lost has failed.

mod accounts;
mod audit;
mod clock;
mod command;
mod cpu;
mod crossing;
mod crowd;
mod events;
mod ledger;
mod load;
mod measure;
mod pace;
mod progress;
mod report;
mod roster;
mod scenario;
mod settle;
mod talks;
mod text;
mod violation;
mod watch;

pub use audit::Audited;
pub use command::main;
pub use cpu::Used;
pub use crossing::Crossings;
pub use load::{Faults, Options, run};
pub use measure::{Counts, Summary};
pub use report::{Latencies, Report, Verdict};
pub use scenario::{Audit, Direct, Many, Often, Returns, Scenario};
pub use violation::Violation;
