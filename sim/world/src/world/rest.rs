//! The end of a world: faults stop, everything heals, comes to rest within bounds, and is judged.

use skep_protocol::{CellId, Lane};

use super::World;
use super::event::{DeviceEvent, Event};
use crate::checkers::{Found, Violation, logs_are_whole, mirror_is_true, nothing_unanswered, same_as_fresh};
use crate::device::{DeviceId, Phase};
use crate::trace::{START, tell};

/// Not at rest so long after the last fault: a failure.
const REST_MS: i64 = 900_000;
const WATCH_MS: i64 = 500;

/// Where a world is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// People act, faults happen.
    Busy,
    /// Everybody is to come to rest; so often in a row all was quiet.
    Healing(u32),
    /// Everybody has logged in on a new device as well: those from this one on.
    LoggedIn(DeviceId, u32),
    Judged,
}

impl World {
    pub(super) fn watch(&mut self) {
        self.after(WATCH_MS, Event::Watch);
        let restless = self.restless();
        let since_busy = self.now.0 - START.0 - self.plan.busy_ms;
        if let Some(reason) = &restless
            && since_busy > REST_MS
        {
            self.check(Err(Violation::of("rest", format!("does not come to rest: {reason}"))));
        }
        self.stage = match self.stage {
            Stage::Busy if since_busy < 0 => Stage::Busy,
            Stage::Busy => {
                tell!(self, "world", "faults and acts end");
                Stage::Healing(0)
            }
            Stage::Healing(_) if restless.is_some() => Stage::Healing(0),
            Stage::Healing(2) => self.log_in_anew(),
            Stage::Healing(quiet) => Stage::Healing(quiet + 1),
            Stage::LoggedIn(first, _) if restless.is_some() => Stage::LoggedIn(first, 0),
            Stage::LoggedIn(first, 2) => {
                let found = self.judge(first);
                self.check(found);
                Stage::Judged
            }
            Stage::LoggedIn(first, quiet) => Stage::LoggedIn(first, quiet + 1),
            Stage::Judged => Stage::Judged,
        };
    }

    fn log_in_anew(&mut self) -> Stage {
        let first = self.devices.len();
        tell!(self, "world", "everybody logs in on a new device, from device {first} on");
        for user in self.people.clone() {
            let device = self.add_device(user);
            self.tell_device(1, device, DeviceEvent::Connect);
        }
        Stage::LoggedIn(first, 0)
    }

    /// Why the world is not at rest.
    fn restless(&self) -> Option<String> {
        if !self.calls.is_empty() {
            return Some(format!("{} calls wait", self.calls.len()));
        }
        self.devices
            .iter()
            .find_map(|d| {
                let mind = &d.mind;
                let waits = mind.phase != Phase::Live || !mind.asked.is_empty() || !mind.unsent.is_empty();
                let hole = mind.listed().find_map(|(id, k)| Some((*id, k.hole()?)));
                if waits {
                    Some(format!(
                        "device {} ({:?}) waits for {:?}, unsent {:?}",
                        d.id, mind.phase, mind.asked, mind.unsent
                    ))
                } else {
                    hole.map(|hole| format!("device {} has a hole: {hole:?}", d.id))
                }
            })
            .or_else(|| self.cells.keys().find_map(|cell| self.cell_restless(*cell)))
    }

    fn cell_restless(&self, cell: CellId) -> Option<String> {
        let state = &self.cells[&cell];
        let Some(process) = &state.process else { return Some(format!("{cell} is down")) };
        if process.homes.iter().any(|h| h.queued() > 0) {
            return Some(format!("a home lane of {cell} has requests"));
        }
        if process.mirror.queued() > 0 || !process.barriers.is_empty() {
            return Some(format!("the mirror lane of {cell} has {} items", process.mirror.queued()));
        }
        if let Some((id, _)) = process.connections.iter().find(|(_, c)| c.outbox.bytes() > 0) {
            return Some(format!("connection {id} of {cell} has not taken everything"));
        }
        if process.workers.iter().any(|w| w.owes() > 0) {
            return Some(format!("{cell} has numbers of members to tell"));
        }
        if process.workers.iter().any(|w| w.waiting() > 0) || process.forwards.values().any(|f| f.waiting() > 0) {
            return Some(format!("{cell} waits for answers"));
        }
        for (home, of_home) in self.cells.iter().filter(|(id, _)| **id != cell) {
            for lane in (1..=self.plan.home_lanes).map(Lane) {
                let cursors = state.shard.cursors();
                let taken = cursors.iter().find(|c| c.peer == *home && c.lane == lane).map(|c| c.pos);
                let stands = of_home.shard.position(lane);
                if taken.unwrap_or_default() != stands {
                    return Some(format!(
                        "{cell} has taken {lane:?} of {home} up to {taken:?}, it stands at {stands:?}"
                    ));
                }
            }
        }
        None
    }

    fn judge(&self, first: DeviceId) -> Found {
        self.checkers.acked.all_stand(&self.truth)?;
        self.checkers.once.refused_stay_refused(&self.truth)?;
        self.checkers.blocks.kept(&self.truth)?;
        logs_are_whole(&self.truth)?;
        for cell in self.cells.values() {
            mirror_is_true(&cell.shard, &self.truth)?;
        }
        let (old, new) = self.devices.split_at(first);
        for device in old {
            nothing_unanswered(device)?;
            let fresh = new.iter().find(|d| d.user == device.user).expect("everybody has logged in");
            same_as_fresh(device, fresh, &self.truth)?;
        }
        Ok(())
    }
}
