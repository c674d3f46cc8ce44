//! What goes wrong, once a second.

use super::World;
use super::event::Event;
use super::rest::Stage;
use crate::device::DeviceId;
use crate::trace::tell;

impl World {
    pub(super) fn faults(&mut self) {
        if self.stage != Stage::Busy {
            return;
        }
        self.after(1_000, Event::Faults);
        let faults = self.plan.faults.clone();
        for cell in self.cells.keys().copied().collect::<Vec<_>>() {
            if self.chance.faults.chance(faults.crash) {
                let restart_ms = self.chance.faults.between(100, 5_000);
                self.crash(cell, restart_ms);
            }
            if self.chance.faults.chance(faults.copy) {
                self.back_up(cell);
            }
            if self.chance.faults.chance(faults.restore) {
                let restart_ms = self.chance.faults.between(100, 5_000);
                self.restore(cell, restart_ms);
            }
            if self.chance.faults.chance(faults.pause) {
                let until = self.now.plus(self.chance.faults.between(100, 4_000));
                tell!(self, cell, "is paused until {until:?}");
                self.cells.get_mut(&cell).expect("cells stay").paused_until = until;
            }
        }
        let links: Vec<_> = self.links.iter().map(|(id, link)| (*id, link.subscriber, link.home)).collect();
        for (_, subscriber, home) in links {
            if self.chance.faults.chance(faults.broken_link) {
                self.break_links(|l| l.subscriber == subscriber && l.home == home);
            }
        }
        for device in 0..self.devices.len() as DeviceId {
            if self.chance.faults.chance(faults.disconnect) {
                self.go_offline(device);
            }
        }
    }
}
