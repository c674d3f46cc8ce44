//! The directory: which cells there are, and which cell owns each slot. It knows no person and no message, and is never
//! on the path of one: routers and cells live on their last map when it is away.
//!
//! [`run`] is the service; [`MapWatch`] is how routers and cells follow it.

mod proposer;
mod service;
mod store;
mod watch;

pub use proposer::propose;
pub use service::{Config, run};
pub use watch::{DirectoryError, MapWatch};
