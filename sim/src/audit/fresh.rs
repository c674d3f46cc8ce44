//! What a client has built from pushes is what a fresh log-in is given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use skep_client::{Event, Fleet, FleetOptions, Kept, Observer, Phase, State};
use skep_protocol::{Conversation, ConversationId, limits};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Audited;
use crate::{crowd::Crowd, progress::Stage, scenario::Scenario, watch::Watch};

/// People who log in afresh at once.
const AT_ONCE: usize = 100;
/// What changed last may still be on its way: a changed member count alone is told every 5 s.
const AGREE_WITHIN: Duration = Duration::from_secs(10);
/// For the sockets of one round.
const LIVE_WITHIN: Duration = Duration::from_secs(30);

/// Compares what fresh clients are given with what was sent.
struct Reader {
    watch: Arc<Watch>,
}

impl Observer for Reader {
    fn event(&self, who: usize, event: Event<'_>) {
        let found = match event {
            Event::Message { message, .. } => self.watch.ledger.seen(message).err(),
            Event::Wrong(wrong) => Some(wrong.to_string()),
            _ => None,
        };
        if let Some(found) = found {
            self.watch.violations.add("fresh log-in", format!("person {who}: {found}"));
        }
    }
}

pub(super) async fn check(
    crowd: &Arc<Crowd>,
    watch: &Arc<Watch>,
    scenario: &Scenario,
    stop: &CancellationToken,
    audited: &mut Audited,
) -> anyhow::Result<()> {
    let count = scenario.audit.fresh_people.min(crowd.clients.len());
    // Evenly over all people when not everybody is compared.
    let chosen: Vec<usize> = (0..count).map(|i| i * crowd.clients.len() / count.max(1)).collect();
    let stage = Stage::new("fresh log-ins", count as u64);
    let observer = Arc::new(Reader { watch: Arc::clone(watch) });
    let http = Arc::clone(&crowd.http);
    let fleet =
        Fleet::new(FleetOptions { http, observer, backlog: limits::SYNC_MESSAGES as u64, dials: AT_ONCE, trace: 0 });
    for round in chosen.chunks(AT_ONCE) {
        if stop.is_cancelled() {
            break;
        }
        let fresh: Vec<_> = round.iter().map(|who| fleet.client(*who, crowd.people[*who].account())).collect();
        fresh.iter().for_each(skep_client::Client::connect);
        let until = Instant::now() + LIVE_WITHIN;
        while !fresh.iter().all(|c| c.look(State::is_whole)) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut differ: Vec<usize> = (0..round.len()).collect();
        let until = Instant::now() + AGREE_WITHIN;
        loop {
            differ.retain(|i| !differences(crowd, round[*i], &fresh[*i]).is_empty());
            if differ.is_empty() || Instant::now() > until {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for i in differ {
            for difference in differences(crowd, round[i], &fresh[i]) {
                watch.violations.add("fresh log-in", format!("person {}: {difference}", round[i]));
            }
        }
        fresh.iter().for_each(skep_client::Client::disconnect);
        audited.fresh_people += round.len() as u64;
        stage.at(audited.fresh_people, String::new());
    }
    stage.done(&format!("{} of {} people compared", audited.fresh_people, crowd.clients.len()));
    Ok(())
}

/// A person's list, in what must be the same.
fn listed(state: &State) -> BTreeMap<ConversationId, Conversation> {
    let same = |kept: &Kept| {
        let mut view = kept.view();
        if view.member_count > limits::COUNT_PUSHED_MEMBERS {
            view.member_count = 0;
        }
        view
    };
    state.conversations().iter().filter(|(_, k)| k.is_listed()).map(|(id, kept)| (*id, same(kept))).collect()
}

fn differences(crowd: &Crowd, who: usize, fresh: &skep_client::Client) -> Vec<String> {
    let given = fresh.look(|state| (state.phase() == Phase::Live).then(|| listed(state)));
    let Some(given) = given else { return vec!["a fresh log-in was not made whole in time".to_owned()] };
    let built = crowd.clients[who].look(listed);
    let mut found = Vec::new();
    for (id, given) in &given {
        match built.get(id) {
            None => found.push(format!("{id} is listed afresh, and was not told")),
            Some(built) if built != given => found.push(format!("{id}: told {built:?}, afresh {given:?}")),
            Some(_) => {}
        }
    }
    found.extend(
        built.keys().filter(|id| !given.contains_key(id)).map(|id| format!("{id} was told, and is not listed afresh")),
    );
    found
}
