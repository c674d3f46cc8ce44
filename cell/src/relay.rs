//! Streams between cells. X dials every peer H and subscribes to H's home lanes from its cursors; X's requests for
//! conversations homed at H go on the same stream, and so do H's answers in words.

mod convert;
mod dial;
mod repair;
mod replay;
mod serve;

pub use dial::{Dialler, dial_peers};
pub use repair::Repair;
pub use serve::{Answers, RelayService};
