//! Whole deployments in one process and one thread: the cores of all cells, shards as maps, relays, sockets and
//! clients that follow the public contract, all driven by one seed through a discrete-event scheduler.
//!
//! seed -> plan (sizes, habits, faults) -> run -> heal -> rest -> judge. A failing seed fails again, and can be read
//! with `skep-world --seed N --trace`.

mod checkers;
mod device;
mod plan;
mod random;
mod shard;
mod trace;
mod truth;
mod world;

pub use checkers::Violation;
pub use plan::{Mutant, Plan};
pub use trace::Trace;
pub use world::{Outcome, World};
