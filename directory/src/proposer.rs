//! Who should own the slots that nobody owns yet: a consistent-hash ring with bounded load proposes, the stored map
//! decides. The ring is never asked on the path of a request, so no library can ever move data by surprise.

use std::hash::{BuildHasher, Hash, Hasher};

use consistent_hash_ring::RingBuilder;
use skep_protocol::{CellId, SLOTS, Slot, SlotMap};
use xxhash_rust::xxh3::Xxh3Default;

/// Points of each cell on the ring: enough for an even share before the bound evens out the rest.
const VNODES: usize = 128;
/// A cell gets at most 11/10 of an even share.
const LOAD: (usize, usize) = (11, 10);

/// Gives every slot without an owner to one of the map's cells. Slots that have one are not touched.
pub fn propose(map: &mut SlotMap) {
    let cells: Vec<CellId> = map.cells.keys().copied().collect();
    if cells.is_empty() {
        return;
    }
    let points = cells.iter().map(|c| Point(u64::from(c.0)));
    let ring = RingBuilder::new(FixedHasher).vnodes(VNODES).nodes_iter(points).build();
    let most = (SLOTS * LOAD.0).div_ceil(cells.len() * LOAD.1);
    let mut load = std::collections::BTreeMap::new();
    for owner in map.owners() {
        *load.entry(*owner).or_insert(0) += 1;
    }
    for slot in (0..=u16::MAX).map(Slot) {
        if map.owner(slot).is_some() {
            continue;
        }
        let key = Point(u64::from(slot.0) | 1 << 32);
        let preferred = ring.replicas(key).take(cells.len()).map(|point| CellId(point.0 as u32));
        let free = |cell: &CellId| load.get(cell).is_none_or(|l| *l < most);
        let owner = preferred.into_iter().find(free).or_else(|| cells.iter().copied().find(free));
        let Some(owner) = owner else { continue };
        *load.entry(owner).or_insert(0) += 1;
        map.assign(slot, owner);
    }
}

/// A point or a key: hashed by exactly these bytes, whatever the compiler or the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Point(u64);

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0.to_le_bytes());
    }
}

/// xxh3 without a random seed.
#[derive(Clone, Copy, Default)]
struct FixedHasher;

impl BuildHasher for FixedHasher {
    type Hasher = Xxh3Default;

    fn build_hasher(&self) -> Xxh3Default {
        Xxh3Default::default()
    }
}

#[cfg(test)]
mod tests {
    use skep_protocol::{CellEntry, Epoch};

    use super::*;

    fn map_of(cells: u32) -> SlotMap {
        let mut map = SlotMap::default();
        for cell_id in (1..=cells).map(CellId) {
            let entry = CellEntry {
                cell_id,
                relay_address: String::new(),
                http_address: String::new(),
                socket_url: String::new(),
                process_epoch: Epoch(1),
            };
            map.cells.insert(cell_id, entry);
        }
        map
    }

    #[test]
    fn every_slot_gets_an_owner_and_no_cell_more_than_its_bound() {
        for cells in [1, 2, 3, 10, 40] {
            let mut map = map_of(cells);
            propose(&mut map);
            assert!(map.is_whole());
            for cell in map.cells.keys() {
                let owned = map.slots_of(*cell).len();
                assert!(owned * cells as usize <= SLOTS * 111 / 100, "{cells} cells: {owned}");
                assert!(owned * cells as usize >= SLOTS / 2, "{cells} cells: {owned}");
            }
        }
    }

    #[test]
    fn what_is_owned_stays_where_it_is() {
        let mut map = map_of(3);
        propose(&mut map);
        let before = map.clone();
        map.cells.extend(map_of(4).cells);
        propose(&mut map);
        assert_eq!(map.owners(), before.owners());
    }

    #[test]
    fn the_proposal_is_the_same_everywhere() {
        let (mut a, mut b) = (map_of(3), map_of(3));
        propose(&mut a);
        propose(&mut b);
        assert_eq!(a.owners(), b.owners());
        assert_eq!(a.owner(Slot(0)), b.owner(Slot(0)));
    }
}
