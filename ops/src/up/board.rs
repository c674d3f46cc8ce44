//! What everybody knows: how each part is, whether to stop. `deployment.json` is written here, under the same lock, so
//! that it never says anything older.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    exit::Failure,
    up::{
        parts::{PartId, StopRank},
        plan::Plan,
    },
};

/// How a part is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// Its folder is being made.
    Preparing,
    /// For another part.
    Waiting,
    Starting,
    Ready,
    /// It has ended, and is started again at that time.
    Down {
        reason: String,
        again_at: Instant,
    },
    Stopping,
    Stopped,
}

/// Whether a part's supervisor goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Go {
    On,
    Stop,
}

pub(crate) struct Board {
    plan: Arc<Plan>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parts: BTreeMap<PartId, Status>,
    pids: BTreeMap<PartId, u32>,
    /// All parts have been ready together: the deployment is announced, and kept true from then on.
    announced: bool,
    stop: Option<StopRank>,
    failure: Option<Failure>,
    news: Vec<(PartId, Status)>,
}

impl Board {
    pub fn new(plan: &Arc<Plan>) -> Self {
        let state = State {
            parts: plan.parts().into_iter().map(|part| (part, Status::Preparing)).collect(),
            pids: BTreeMap::new(),
            announced: false,
            stop: None,
            failure: None,
            news: Vec::new(),
        };
        Self { plan: Arc::clone(plan), state: Mutex::new(state), changed: Condvar::new() }
    }

    pub fn set(&self, part: PartId, status: Status) {
        let mut state = self.state.lock();
        if state.parts.get(&part) == Some(&status) {
            return;
        }
        state.parts.insert(part, status.clone());
        state.news.push((part, status));
        if !state.announced && state.stop.is_none() && state.parts.values().all(|s| *s == Status::Ready) {
            state.announced = true;
            self.announce(&mut state);
        }
        self.changed.notify_all();
    }

    /// A process has been started: it is named in the deployment before it serves.
    pub fn launched(&self, part: PartId, pid: u32) {
        let mut state = self.state.lock();
        state.pids.insert(part, pid);
        if state.announced {
            self.announce(&mut state);
        }
        drop(state);
        self.set(part, Status::Starting);
    }

    fn announce(&self, state: &mut MutexGuard<'_, State>) {
        let Some(deployment) = self.plan.deployment(&state.pids) else { return };
        if let Err(error) = deployment.write(self.plan.folder.root()) {
            state
                .failure
                .get_or_insert_with(|| Failure::unavailable(format!("deployment.json cannot be written: {error}")));
        }
    }

    /// Until all of these are ready.
    pub fn wait_ready(&self, part: PartId, needs: &[PartId]) -> Go {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped(part) {
                return Go::Stop;
            }
            if needs.iter().all(|need| state.parts.get(need) == Some(&Status::Ready)) {
                return Go::On;
            }
            self.changed.wait(&mut state);
        }
    }

    /// So long, or until the part is to stop.
    pub fn pause(&self, part: PartId, wait: Duration) -> Go {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        loop {
            if state.is_stopped(part) {
                return Go::Stop;
            }
            if self.changed.wait_until(&mut state, until).timed_out() {
                return Go::On;
            }
        }
    }

    /// Parts up to this rank are to stop.
    pub fn stop(&self, rank: StopRank) {
        self.state.lock().stop = Some(rank);
        self.changed.notify_all();
    }

    /// A part cannot start at all: everything is to end.
    pub fn fail(&self, failure: Failure) {
        self.state.lock().failure.get_or_insert(failure);
    }

    pub fn failure(&self) -> Option<Failure> {
        self.state.lock().failure.take()
    }

    pub fn is_announced(&self) -> bool {
        self.state.lock().announced
    }

    pub fn is_stopping(&self) -> bool {
        self.state.lock().stop.is_some()
    }

    /// What has changed since the last call.
    pub fn news(&self) -> Vec<(PartId, Status)> {
        std::mem::take(&mut self.state.lock().news)
    }

    /// How all parts are, with the pids of their last processes.
    pub fn view(&self) -> BTreeMap<PartId, (Status, Option<u32>)> {
        let state = self.state.lock();
        let pid = |part| state.pids.get(part).copied();
        state.parts.iter().map(|(part, status)| (*part, (status.clone(), pid(part)))).collect()
    }
}

impl State {
    fn is_stopped(&self, part: PartId) -> bool {
        self.stop.is_some_and(|rank| part.stop_rank() <= rank)
    }
}
