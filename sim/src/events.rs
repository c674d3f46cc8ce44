//! What happens beside the messages: people go and come back, join and leave, read, and give new titles.

use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use skep_client::CallError;
use skep_protocol::{Kind, Seq};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    crowd::Crowd,
    roster::Known,
    scenario::{Often, Returns},
    talks::Talk,
    watch::Watch,
};

/// Calls at once.
const CALLS: usize = 16;

/// What all of these need.
#[derive(Clone)]
pub struct Scene {
    pub crowd: Arc<Crowd>,
    pub watch: Arc<Watch>,
    pub talks: Arc<Vec<Talk>>,
    pub seed: u64,
    pub stop: CancellationToken,
}

impl Scene {
    /// People go away and come back. Ends, when stopped, after the last one has begun to come back.
    pub async fn returns(self, returns: Returns) {
        let mut random = self.random(1);
        let away = Duration::from_millis(returns.away_ms);
        let mut absent = tokio::task::JoinSet::new();
        let mut turns = Turns::new(returns.per_s);
        while turns.next(&self.stop).await {
            let who = random.random_range(0..self.crowd.clients.len());
            if !self.watch.seats[who].is_here() {
                continue;
            }
            let scene = self.clone();
            scene.watch.counters.departures.add();
            scene.watch.seats[who].leaves(scene.watch.clock.now());
            scene.crowd.clients[who].disconnect();
            absent.spawn(async move {
                _ = tokio::time::timeout(away, scene.stop.cancelled()).await;
                // Stopped early, the old connection may not even be closed: it must be, or this is no return.
                while !scene.crowd.clients[who].is_still() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                scene.watch.seats[who].returns(scene.watch.clock.now());
                scene.crowd.clients[who].connect();
            });
            while absent.try_join_next().is_some() {}
        }
        while absent.join_next().await.is_some() {}
    }

    /// Members of groups and channels come and go. Ends, when stopped, after the last answer.
    pub async fn changes(self, often: Often) {
        let mut random = self.random(2);
        let open: Vec<u32> = self.of_many();
        let calls = Arc::new(Semaphore::new(CALLS));
        let mut tasks = tokio::task::JoinSet::new();
        let mut turns = Turns::new(often.per_s);
        while !open.is_empty() && turns.next(&self.stop).await {
            let talk = open[random.random_range(0..open.len())];
            let change = match random.random_range(0..4) {
                0 => Change::Leave,
                1 => Change::Remove,
                2 => Change::Add,
                _ => Change::Join,
            };
            let who = match change {
                Change::Leave | Change::Remove => {
                    self.watch.roster.begin_leaving(talk, &mut random, self.watch.clock.now())
                }
                Change::Add | Change::Join => self.watch.roster.begin_joining(talk, &mut random),
            };
            let (Some(who), Ok(turn)) = (who, Arc::clone(&calls).acquire_owned().await) else { continue };
            let scene = self.clone();
            tasks.spawn(async move {
                scene.change(talk, who, change).await;
                drop(turn);
            });
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn change(&self, talk: u32, who: u32, change: Change) {
        let Talk { id, ref members, ref link, .. } = self.talks[talk as usize];
        let (http, people) = (&self.crowd.http, &self.crowd.people);
        let (admin, person) = (&people[members[0] as usize].token, &people[who as usize]);
        let outcome = match (change, link) {
            (Change::Leave, _) => http.leave(&person.token, id).await.map(|()| Known::Yes),
            (Change::Remove, _) => http.remove_member(admin, id, person.user_id).await.map(|()| Known::Yes),
            (Change::Join, Some(code)) => match http.join(&person.token, code).await {
                // Removed by an admin, whom only an admin lets in again.
                Err(error) if error.code() == Some(skep_protocol::Code::NotAllowed) => self.add(admin, talk, who).await,
                joined => joined.map(|_| Known::Yes),
            },
            (Change::Add, _) | (Change::Join, None) => self.add(admin, talk, who).await,
        };
        let known = match outcome {
            Ok(known) => known,
            Err(error) => {
                if error.code().is_some_and(|c| !c.retryable()) {
                    self.watch.violations.add("member change", format!("{change:?} of person {who}: {error}"));
                }
                Known::Unknown
            }
        };
        match known {
            Known::Yes => self.watch.counters.member_changes.add(),
            Known::Unknown => self.watch.counters.member_changes_unknown.add(),
        }
        match change {
            Change::Leave | Change::Remove => self.watch.roster.has_left(talk, who, known),
            Change::Add | Change::Join => self.watch.roster.has_joined(talk, who, self.watch.clock.now(), known),
        }
    }

    async fn add(&self, admin: &str, talk: u32, who: u32) -> Result<Known, CallError> {
        let user_id = self.crowd.people[who as usize].user_id;
        let added = self.crowd.http.add_members(admin, self.talks[talk as usize].id, &[user_id]).await?;
        Ok(if added.added.contains(&user_id) { Known::Yes } else { Known::Unknown })
    }

    /// People read what they have.
    pub async fn reads(self, often: Often) {
        let mut random = self.random(3);
        let mut turns = Turns::new(often.per_s);
        while turns.next(&self.stop).await {
            let talk = random.random_range(0..self.talks.len() as u32);
            let Some(who) = self.watch.roster.pick(talk, &mut random, |m| self.watch.seats[m as usize].is_here())
            else {
                continue;
            };
            let (client, id) = (&self.crowd.clients[who as usize], self.talks[talk as usize].id);
            let head = client.look(|state| state.conversations().get(&id).map(|k| k.head));
            if let Some(head) = head.filter(|h| *h > Seq::ZERO) {
                client.read(id, head);
                self.watch.counters.reads.add();
            }
        }
    }

    /// Groups and channels get new titles.
    pub async fn renames(self, often: Often) {
        let mut random = self.random(4);
        let open = self.of_many();
        let mut turns = Turns::new(often.per_s);
        while !open.is_empty() && turns.next(&self.stop).await {
            let talk = &self.talks[open[random.random_range(0..open.len())] as usize];
            let token = &self.crowd.people[talk.members[0] as usize].token;
            let title = format!("Load {}", random.random_range(0..1_000));
            match self.crowd.http.rename(token, talk.id, &title).await {
                Ok(_) => self.watch.counters.renames.add(),
                Err(error) if error.code().is_some_and(|c| !c.retryable()) => {
                    self.watch.violations.add("rename", error.to_string());
                }
                // The outcome is not known; whatever it is, all clients must agree in the end.
                Err(_) => {}
            }
        }
    }

    fn of_many(&self) -> Vec<u32> {
        (0..self.talks.len() as u32).filter(|t| self.talks[*t as usize].id.kind() != Kind::Direct).collect()
    }

    /// Each kind of event has its own numbers, so that more of one does not change the others.
    fn random(&self, stream: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(31).wrapping_add(stream))
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Leave,
    Remove,
    Add,
    Join,
}

/// Times at a rate.
struct Turns {
    per_s: f64,
    began: tokio::time::Instant,
    count: u64,
}

impl Turns {
    fn new(per_s: f64) -> Self {
        Self { per_s, began: tokio::time::Instant::now(), count: 0 }
    }

    /// Waits for the next time; `false`: it is over.
    async fn next(&mut self, stop: &CancellationToken) -> bool {
        if self.per_s <= 0.0 {
            return false;
        }
        self.count += 1;
        let at = self.began + Duration::from_secs_f64(self.count as f64 / self.per_s);
        tokio::select! {
            () = tokio::time::sleep_until(at) => true,
            () = stop.cancelled() => false,
        }
    }
}
