//! The wait after the last message: until every message is answered and everybody has everything, or the time is up.

use std::time::Duration;

use skep_protocol::Seq;

use crate::{audit, crowd::Crowd, progress::Stage, talks::Talk, watch::Watch};

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    pub seconds: f64,
    /// Messages without an answer.
    pub unanswered: u64,
    /// People who are not connected, or know of something that they do not have.
    pub not_whole: u64,
}

/// Waits. `within_s`: at most so long.
pub async fn settle(crowd: &Crowd, watch: &Watch, talks: &[Talk], within_s: u64) -> Settled {
    let began = tokio::time::Instant::now();
    let stage = Stage::new("settling", crowd.clients.len() as u64);
    let mut has_read_up = false;
    loop {
        let unanswered = watch.in_flight();
        if unanswered == 0 && !std::mem::replace(&mut has_read_up, true) {
            audit::read_up(crowd, watch, talks);
        }
        let not_whole = if unanswered == 0 { behind(crowd, watch, talks) } else { crowd.clients.len() as u64 };
        let seconds = began.elapsed().as_secs_f64();
        stage.at(crowd.clients.len() as u64 - not_whole, format!("{unanswered} unanswered"));
        if (unanswered == 0 && not_whole == 0) || began.elapsed() > Duration::from_secs(within_s) {
            let not_whole = behind(crowd, watch, talks);
            stage.done(&format!("{unanswered} unanswered, {not_whole} people not whole"));
            return Settled { seconds, unanswered, not_whole };
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many people are not whole, or have not heard of the last acknowledged message of a conversation of theirs.
fn behind(crowd: &Crowd, watch: &Watch, talks: &[Talk]) -> u64 {
    let heads: Vec<Seq> =
        (0..talks.len() as u32).map(|t| watch.ledger.look(t, |log| log.last_acknowledged())).collect();
    let is_behind = |client: &skep_client::Client| {
        client.look(|state| {
            let lacks = |id, kept: &skep_client::Kept| {
                watch.ledger.number(id).is_some_and(|t| kept.left.is_none() && kept.head < heads[t as usize])
            };
            !state.is_whole() || state.conversations().iter().any(|(id, kept)| lacks(*id, kept))
        })
    };
    crowd.clients.iter().filter(|client| is_behind(client)).count() as u64
}
