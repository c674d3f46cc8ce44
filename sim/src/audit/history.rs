//! What history gives is what was sent: every message, in order, once.

use std::sync::Arc;

use anyhow::Context;
use skep_client::MessageRef;
use skep_protocol::{Seq, limits};

use super::Audited;
use crate::{crowd::Crowd, ledger::Log, progress::Stage, scenario::Scenario, talks::Talk, watch::Watch};

/// Conversations read at once.
const AT_ONCE: usize = 8;

pub(super) async fn check(
    crowd: &Arc<Crowd>,
    watch: &Arc<Watch>,
    talks: &Arc<Vec<Talk>>,
    scenario: &Scenario,
    audited: &mut Audited,
) -> anyhow::Result<()> {
    // Spread over all kinds when not everything fits.
    let mut order: Vec<u32> = (0..talks.len() as u32).collect();
    order.sort_by_key(|t| t.wrapping_mul(2_654_435_761));
    let mut left = scenario.audit.history_messages;
    let chosen: Vec<u32> = order
        .into_iter()
        .filter(|t| {
            let size = watch.ledger.look(*t, |log| log.last_acknowledged().0 - log.base.0);
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        })
        .collect();
    let stage = Stage::new("history", chosen.len() as u64);
    let mut chosen = chosen.into_iter();
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        while tasks.len() < AT_ONCE {
            let Some(talk) = chosen.next() else { break };
            let (crowd, watch, talks) = (Arc::clone(crowd), Arc::clone(watch), Arc::clone(talks));
            tasks.spawn(async move { read_back(&crowd, &watch, &talks[talk as usize], talk).await });
        }
        let Some(done) = tasks.join_next().await else { break };
        audited.history_messages += done.context("a reader of history broke down")?;
        audited.history_conversations += 1;
        stage.step();
    }
    stage.done(&format!("{} messages of {} conversations", audited.history_messages, audited.history_conversations));
    Ok(())
}

/// Reads all of the run's messages, as the one who made the conversation. How many there were.
async fn read_back(crowd: &Crowd, watch: &Watch, talk: &Talk, number: u32) -> u64 {
    let token = &crowd.people[talk.members[0] as usize].token;
    let (mut at, mut count) = (talk.base, 0);
    loop {
        let page = match crowd.http.history(token, talk.id, at, limits::PAGE).await {
            Ok(page) => page,
            Err(error) => {
                watch.violations.add("history", format!("{}: cannot be read: {error}", talk.id));
                return count;
            }
        };
        for message in &page.messages {
            if message.seq != at.next() {
                let detail = format!("{}: {:?} after {at:?}", talk.id, message.seq);
                watch.violations.add("history", detail);
            }
            at = message.seq;
            count += 1;
            if let Err(mismatch) = watch.ledger.seen(&MessageRef::from(message)) {
                watch.violations.add("history", mismatch);
            }
        }
        if page.messages.is_empty() && page.has_more {
            watch.violations.add("history", format!("{}: an empty page after {at:?} though there is more", talk.id));
            return count;
        }
        if !page.has_more {
            break;
        }
    }
    let last: Seq = watch.ledger.look(number, Log::last_acknowledged);
    if at < last {
        watch.violations.add("history", format!("{}: ends at {at:?}, before the acknowledged {last:?}", talk.id));
    }
    count
}
