//! The conversations of a run: made over the public calls, or found again from the run before.

use std::sync::Arc;

use anyhow::{Context, ensure};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use skep_client::{Http, NewConversation};
use skep_protocol::{ConversationId, Kind, Seq, UserId, limits};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::Person,
    progress::Stage,
    scenario::{Many, Scenario},
};

/// One conversation.
#[derive(Clone, Debug)]
pub struct Talk {
    pub id: ConversationId,
    /// The head before the run.
    pub base: Seq,
    /// By number; the first one has made it and never leaves.
    pub members: Vec<u32>,
    /// A channel's way in.
    pub link: Option<String>,
}

/// What to make.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wish {
    kind: Kind,
    members: Vec<u32>,
    /// The same key finds the same conversation again.
    key: String,
}

/// Makes or finds all of them. `run`: makes the keys of this run its own, where members change.
pub async fn open(
    http: &Arc<Http>,
    people: &Arc<Vec<Person>>,
    scenario: &Scenario,
    run: &str,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Talk>> {
    let wishes = wishes(scenario, run);
    let stage = Stage::new("conversations", wishes.len() as u64);
    let mut talks: Vec<Option<Talk>> = vec![None; wishes.len()];
    let mut wishes = wishes.into_iter().enumerate();
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        while tasks.len() < 8 && !stop.is_cancelled() {
            let Some((i, wish)) = wishes.next() else { break };
            let (http, people) = (Arc::clone(http), Arc::clone(people));
            tasks.spawn(async move { (i, make(&http, &people, wish).await) });
        }
        let Some(done) = tasks.join_next().await else { break };
        let (i, talk) = done.context("a conversation's task broke down")?;
        talks[i] = Some(talk?);
        stage.step();
    }
    ensure!(!stop.is_cancelled(), "stopped before all conversations were there");
    stage.done(&format!("{} open", talks.len()));
    Ok(talks.into_iter().flatten().collect())
}

fn wishes(scenario: &Scenario, run: &str) -> Vec<Wish> {
    let mut random = StdRng::seed_from_u64(scenario.seed);
    let mut order: Vec<u32> = (0..scenario.people as u32).collect();
    order.shuffle(&mut random);
    let own = if scenario.changes.is_some() { run } else { "" };
    let mut wishes = Vec::new();
    for (a, b) in pairs(order.len()).take(scenario.direct.as_ref().map_or(0, |d| d.pairs)) {
        wishes.push(Wish { kind: Kind::Direct, members: vec![order[a], order[b]], key: "direct".to_owned() });
    }
    for (kind, name, many) in [(Kind::Group, "group", &scenario.group), (Kind::Channel, "channel", &scenario.channel)] {
        let Some(Many { count, members, .. }) = many else { continue };
        for i in 0..*count {
            order.shuffle(&mut random);
            let key = format!("load-{name}-{}-{members}-{}-{i}-{own}", scenario.people, scenario.seed);
            wishes.push(Wish { kind, members: order[..*members].to_vec(), key });
        }
    }
    wishes
}

/// All pairs of so many people, so that early pairs share nobody: the rounds of a tournament.
fn pairs(people: usize) -> impl Iterator<Item = (usize, usize)> {
    let even = people & !1;
    let around = even.saturating_sub(1).max(1);
    (0..around).flat_map(move |round| {
        let first = std::iter::once((even - 1, round));
        first.chain((1..even / 2).map(move |k| ((round + k) % around, (round + around - k) % around)))
    })
}

async fn make(http: &Http, people: &[Person], wish: Wish) -> anyhow::Result<Talk> {
    let id_of = |n: &u32| people[*n as usize].user_id;
    let (creator, others) = wish.members.split_first().context("a conversation without people")?;
    let token = &people[*creator as usize].token;
    let others: Vec<UserId> = others.iter().map(id_of).collect();
    let mut chunks = others.chunks(limits::IDS_PER_CALL);
    let first = chunks.next().unwrap_or_default();
    let (new, key) = match wish.kind {
        // The two of a direct conversation are its key.
        Kind::Direct => {
            let user_id = *first.first().context("a direct conversation with nobody")?;
            (NewConversation::Direct { user_id }, format!("load-{user_id}"))
        }
        Kind::Group => (NewConversation::Group { title: Some("Load".to_owned()), user_ids: first.to_vec() }, wish.key),
        Kind::Channel => (NewConversation::Channel { title: "Load".to_owned(), user_ids: first.to_vec() }, wish.key),
    };
    let created = http.create(token, &new, &key).await?;
    let conversation = created.conversation;
    let id = conversation.conversation_id;
    let mut not_added = created.not_added;
    // Found again, it is asked for everybody anew, unless all are there.
    if wish.kind != Kind::Direct && conversation.member_count as usize != wish.members.len() {
        for chunk in others.chunks(limits::IDS_PER_CALL) {
            not_added.extend(http.add_members(token, id, chunk).await?.not_added);
        }
        not_added.retain(|n| n.code != "unavailable");
    }
    if let Some(first) = not_added.first() {
        anyhow::bail!("{id}: {} people could not be added; {}: {}", not_added.len(), first.user_id, first.code);
    }
    if wish.kind != Kind::Direct {
        let count = http.conversation(token, id).await?.member_count as usize;
        ensure!(count == wish.members.len(), "{id} has {count} members instead of {}", wish.members.len());
    }
    let link = match (wish.kind, created.link) {
        (Kind::Channel, None) => Some(http.link(token, id).await?.code),
        (_, link) => link.map(|l| l.code),
    };
    Ok(Talk { id, base: conversation.head_seq, members: wish.members, link })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pairs_are_all_different_and_early_ones_share_nobody() {
        for people in [2, 3, 4, 7, 10, 101] {
            let even = people & !1;
            let all: Vec<_> = pairs(people).collect();
            assert_eq!(all.len(), even * (even - 1) / 2);
            let different: HashSet<_> = all.iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            assert_eq!(different.len(), all.len());
            assert!(all.iter().all(|(a, b)| a != b && *a < people && *b < people));
            let first: HashSet<_> = all[..even / 2].iter().flat_map(|(a, b)| [*a, *b]).collect();
            assert_eq!(first.len(), even, "{people} people");
        }
    }

    #[test]
    fn the_same_scenario_wishes_the_same_and_changing_members_are_a_run_s_own() {
        let mut scenario: Scenario =
            toml::from_str("people = 9\nseconds = 1\nrate = 1.0\n[direct]\npairs = 4\n[group]\ncount = 2\nmembers = 5")
                .unwrap();
        assert_eq!(wishes(&scenario, "a"), wishes(&scenario, "b"));
        scenario.changes = Some(crate::scenario::Often { per_s: 1.0 });
        assert_ne!(wishes(&scenario, "a"), wishes(&scenario, "b"));
        assert!(wishes(&scenario, "abcde").iter().all(|w| w.key.len() <= 64));
    }
}
