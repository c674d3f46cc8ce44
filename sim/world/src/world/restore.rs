//! A shard is lost and comes back from an older copy; the other cells set aside what its cell has lost.

use skep_core::Cursor;
use skep_protocol::CellId;

use super::World;
use super::relay::LinkId;
use crate::trace::tell;

impl World {
    /// Keeps a copy of a cell's shard.
    pub(super) fn back_up(&mut self, cell: CellId) {
        let state = self.cells.get_mut(&cell).expect("cells stay");
        state.copy = Some(state.shard.clone());
        tell!(self, cell, "is copied at {:?}", self.cells[&cell].shard.positions());
    }

    /// The process ends, the shard is lost, and the copy takes its place.
    pub(super) fn restore(&mut self, cell: CellId, restart_ms: i64) {
        let state = &self.cells[&cell];
        let Some(mut copy) = state.copy.clone().filter(|_| state.process.is_some()) else { return };
        self.crash(cell, restart_ms);
        // Every copy of the same shard begins an era of its own.
        copy.restored(self.cells[&cell].shard.era());
        tell!(self, cell, "IS RESTORED at {:?}, {:?} begins", copy.positions(), copy.era());
        let lost = self.truth.restored(&copy);
        self.checkers.acked.lost(&lost);
        self.checkers.once.lost(&lost);
        self.has_lost(cell);
        let state = self.cells.get_mut(&cell).expect("cells stay");
        (state.shard, state.copy) = (copy, None);
        state.copies += 1;
    }

    /// A home does not know what this cell has taken of it: that is set aside, and the process begins anew.
    pub(super) fn refused(&mut self, cell: CellId, home: CellId, link: LinkId) {
        self.link_down(cell, home, link);
        if !self.is_alive(home) || !self.set_aside(cell, home) {
            return;
        }
        self.has_lost(cell);
        let restart_ms = self.chance.faults.between(50, 1_000);
        self.crash(cell, restart_ms);
    }

    fn set_aside(&mut self, cell: CellId, home: CellId) -> bool {
        let mut is_done = false;
        for cursor in self.cells[&cell].shard.cursors().into_iter().filter(|c| c.peer == home) {
            let of_home = &self.cells[&home].shard;
            if of_home.cursor_holds(&cursor) {
                continue;
            }
            let pos = of_home.holds_up_to(cursor.era, cursor.lane, cursor.pos);
            let standing = of_home.standing(cursor.lane, pos, cell);
            tell!(self, cell, "sets aside what {home} has lost of {:?} beyond {pos:?}", cursor.lane);
            let shard = &mut self.cells.get_mut(&cell).expect("cells stay").shard;
            shard.set_aside(Cursor { pos, rows: (cursor.era, pos), ..cursor }, &standing);
            is_done = true;
        }
        is_done
    }

    /// What was promised to this cell's people, or seen in its shard, may be gone.
    fn has_lost(&mut self, cell: CellId) {
        self.checkers.own.forget();
        self.checkers.blocks.forget_all();
        self.devices.iter_mut().filter_map(|d| d.socket.as_mut()).for_each(|socket| socket.owed.clear());
        self.checkers.versions.forget(cell);
    }
}
