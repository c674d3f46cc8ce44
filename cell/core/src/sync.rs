//! What a returning connection gets: what is newer than its token, from the own shard alone.

mod snapshot;
mod token;

pub use snapshot::{At, Listed, Snapshot};
pub use token::{Token, TokenError};
