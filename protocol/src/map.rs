//! The map of slots to cells, with an epoch. Everyone routes by their own copy; older epochs are ignored.

use std::{collections::BTreeMap, fmt};

use crate::{CellId, Epoch, SLOTS, Slot, wire};

/// A cell and where it serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellEntry {
    pub cell_id: CellId,
    /// host:port of the gRPC listener, for other cells.
    pub relay_address: String,
    /// host:port of the HTTP listener, for routers.
    pub http_address: String,
    /// For people.
    pub socket_url: String,
    /// The lease epoch of the process that serves it now.
    pub process_epoch: Epoch,
}

/// Which cell owns each slot.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotMap {
    pub epoch: Epoch,
    owners: Box<[CellId]>,
    pub cells: BTreeMap<CellId, CellEntry>,
}

/// Why a map from elsewhere cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Not 65,536 owners.
    #[error("a map has {SLOTS} owners, this one {0}")]
    Owners(usize),
    /// A diff that does not begin where this map stands.
    #[error("the map is at epoch {have}, the diff begins at {from}")]
    Gap { have: Epoch, from: Epoch },
    /// A run of slots beyond the last one.
    #[error("a run of slots goes beyond the last slot")]
    Run,
}

impl Default for SlotMap {
    fn default() -> Self {
        Self { epoch: Epoch::ZERO, owners: vec![CellId::ZERO; SLOTS].into(), cells: BTreeMap::new() }
    }
}

impl SlotMap {
    /// The cell that owns a slot; `None` while nobody does.
    pub fn owner(&self, slot: Slot) -> Option<CellId> {
        let owner = self.owners[slot.index()];
        (owner != CellId::ZERO).then_some(owner)
    }

    /// The owner's entry.
    pub fn owner_entry(&self, slot: Slot) -> Option<&CellEntry> {
        self.cells.get(&self.owner(slot)?)
    }

    /// Gives a slot to a cell.
    pub fn assign(&mut self, slot: Slot, cell: CellId) {
        self.owners[slot.index()] = cell;
    }

    /// All slots with their owners (zero: nobody).
    pub fn owners(&self) -> &[CellId] {
        &self.owners
    }

    /// The slots of a cell, ascending.
    pub fn slots_of(&self, cell: CellId) -> Vec<Slot> {
        (0..=u16::MAX).map(Slot).filter(|s| self.owners[s.index()] == cell).collect()
    }

    /// Whether every slot has an owner.
    pub fn is_whole(&self) -> bool {
        !self.owners.contains(&CellId::ZERO)
    }

    /// Applies a diff. One of an epoch already reached changes nothing.
    pub fn apply(&mut self, diff: &wire::MapDiff) -> Result<(), MapError> {
        if Epoch(diff.epoch) <= self.epoch {
            return Ok(());
        }
        if Epoch(diff.from_epoch) != self.epoch {
            return Err(MapError::Gap { have: self.epoch, from: Epoch(diff.from_epoch) });
        }
        if diff.slots.iter().any(|r| r.first as usize + r.count as usize > SLOTS) {
            return Err(MapError::Run);
        }
        for run in &diff.slots {
            let first = run.first as usize;
            self.owners[first..first + run.count as usize].fill(CellId(run.cell_id));
        }
        for cell in &diff.cells {
            self.cells.insert(CellId(cell.cell_id), CellEntry::from(cell));
        }
        self.epoch = Epoch(diff.epoch);
        Ok(())
    }

    /// What leads from `older` to this map.
    pub fn diff_from(&self, older: &Self) -> wire::MapDiff {
        let mut slots: Vec<wire::SlotRun> = Vec::new();
        for (i, (new, old)) in self.owners.iter().zip(&older.owners).enumerate() {
            if new == old {
                continue;
            }
            match slots.last_mut() {
                Some(run) if run.cell_id == new.0 && (run.first + run.count) as usize == i => run.count += 1,
                _ => slots.push(wire::SlotRun { first: i as u32, count: 1, cell_id: new.0 }),
            }
        }
        let changed = self.cells.values().filter(|c| older.cells.get(&c.cell_id) != Some(c));
        let cells = changed.map(wire::Cell::from).collect();
        wire::MapDiff { from_epoch: older.epoch.0, epoch: self.epoch.0, slots, cells }
    }
}

impl fmt::Debug for SlotMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotMap({:?}, {} cells)", self.epoch, self.cells.len())
    }
}

impl From<&wire::Cell> for CellEntry {
    fn from(c: &wire::Cell) -> Self {
        Self {
            cell_id: CellId(c.cell_id),
            relay_address: c.relay_address.clone(),
            http_address: c.http_address.clone(),
            socket_url: c.socket_url.clone(),
            process_epoch: Epoch(c.process_epoch),
        }
    }
}

impl From<&CellEntry> for wire::Cell {
    fn from(c: &CellEntry) -> Self {
        Self {
            cell_id: c.cell_id.0,
            relay_address: c.relay_address.clone(),
            http_address: c.http_address.clone(),
            socket_url: c.socket_url.clone(),
            process_epoch: c.process_epoch.0,
        }
    }
}

impl From<&SlotMap> for wire::Map {
    fn from(map: &SlotMap) -> Self {
        Self {
            epoch: map.epoch.0,
            owners: map.owners.iter().map(|c| c.0).collect(),
            cells: map.cells.values().map(wire::Cell::from).collect(),
        }
    }
}

impl TryFrom<&wire::Map> for SlotMap {
    type Error = MapError;

    fn try_from(map: &wire::Map) -> Result<Self, MapError> {
        if map.owners.len() != SLOTS {
            return Err(MapError::Owners(map.owners.len()));
        }
        Ok(Self {
            epoch: Epoch(map.epoch),
            owners: map.owners.iter().map(|c| CellId(*c)).collect(),
            cells: map.cells.iter().map(|c| (CellId(c.cell_id), CellEntry::from(c))).collect(),
        })
    }
}
