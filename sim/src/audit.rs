//! What must be true after a run. Each check is a file; each takes what everybody holds and finds what should not be.
//!
//! While the run goes on, every copy that comes in is compared with the message's record (`ledger`), and the order of
//! every connection's stream is checked (the client's state machine). What is left for the end is completeness.

mod fresh;
mod held;
mod history;

pub use held::read_up;

use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{crowd::Crowd, scenario::Scenario, talks::Talk, watch::Watch};

/// How much was audited.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audited {
    /// Copies of messages that had to be with somebody, and were looked for.
    pub copies_expected: u64,
    /// Of those, missing.
    pub copies_missing: u64,
    /// Times of membership that could not be judged: outcome unknown, or broken by a lost connection and dropped.
    pub stints_unjudged: u64,
    /// People who logged in afresh for comparison, of all.
    pub fresh_people: u64,
    /// Messages read back from history.
    pub history_messages: u64,
    /// Conversations read back, of all.
    pub history_conversations: u64,
    /// People and conversations of the run.
    pub people: u64,
    pub conversations: u64,
}

/// Runs all checks; what they find goes to the violations.
pub async fn audit(
    crowd: &Arc<Crowd>,
    watch: &Arc<Watch>,
    talks: &Arc<Vec<Talk>>,
    scenario: &Scenario,
    stop: &CancellationToken,
) -> anyhow::Result<Audited> {
    let mut audited =
        Audited { people: crowd.clients.len() as u64, conversations: talks.len() as u64, ..Audited::default() };
    held::check(crowd, watch, talks, &mut audited);
    history::check(crowd, watch, talks, scenario, &mut audited).await?;
    fresh::check(crowd, watch, scenario, stop, &mut audited).await?;
    Ok(audited)
}
