//! Where buckets are kept: so many and no more, whoever floods.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use governor::{
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};
use parking_lot::Mutex;

/// Parts with a lock each, so that calls do not wait for each other.
const PARTS: usize = 16;
/// Room that stays when buckets go: less than a page.
const SMALL: usize = 64;

/// Buckets by key, as the time at which each is full again. A key that is not there has a full one. When there is no
/// room for another, the half that is nearest to full is forgotten: those who took least gain a little, those who took
/// much stay known. So each new key costs the same on the mean, also while a million new ones come.
#[derive(Clone)]
pub(crate) struct Kept<K>(Arc<Inner<K>>);

struct Inner<K> {
    hasher: RandomState,
    parts: [Mutex<HashMap<K, Nanos>>; PARTS],
    keys_per_part: usize,
}

impl<K: Hash + Eq + Clone> Kept<K> {
    /// Room for so many keys.
    pub fn new(keys: usize) -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Self(Arc::new(Inner { hasher: RandomState::new(), parts, keys_per_part: (keys / PARTS).max(2) }))
    }

    fn part(&self, key: &K) -> &Mutex<HashMap<K, Nanos>> {
        // A map uses other bits of its own hash, which has its own seed.
        &self.0.parts[self.0.hasher.hash_one(key) as usize % PARTS]
    }

    /// When the bucket is full again; `None`: it is full.
    pub fn full_at(&self, key: &K) -> Option<Nanos> {
        self.part(key).lock().get(key).copied()
    }
}

impl<K: Hash + Eq + Clone> StateStore for Kept<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut part = self.part(key).lock();
        if let Some(full_at) = part.get_mut(key) {
            let (decided, next) = f(Some(*full_at))?;
            *full_at = next;
            return Ok(decided);
        }
        let (decided, next) = f(None)?;
        if part.len() >= self.0.keys_per_part {
            forget_half(&mut part);
        }
        part.insert(key.clone(), next);
        Ok(decided)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Kept<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        for part in &self.0.parts {
            part.lock().retain(|_, full_at| *full_at > drop_below);
        }
    }

    fn shrink_to_fit(&self) {
        for part in &self.0.parts {
            let mut part = part.lock();
            let needed = part.len().max(SMALL);
            // Not at every sweep: what has been needed is needed again.
            if part.capacity() > needed * 4 {
                part.shrink_to(needed * 2);
            }
        }
    }

    fn len(&self) -> usize {
        self.0.parts.iter().map(|part| part.lock().len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn forget_half<K: Hash + Eq>(part: &mut HashMap<K, Nanos>) {
    let mut times: Vec<Nanos> = part.values().copied().collect();
    let middle = times.len() / 2;
    let (_, middle, _) = times.select_nth_unstable(middle);
    let middle = *middle;
    part.retain(|_, full_at| *full_at > middle);
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn put(kept: &Kept<u64>, key: u64, full_at: u64) {
        let put = |_: Option<Nanos>| Ok::<_, Infallible>(((), Nanos::new(full_at)));
        kept.measure_and_replace(&key, put).unwrap();
    }

    #[test]
    fn a_million_addresses_do_not_make_it_grow_and_who_took_much_stays_known() {
        let kept = Kept::new(10_000);
        put(&kept, u64::MAX, u64::MAX);
        for key in 0..1_000_000 {
            put(&kept, key, 1_000 + key / 1_000);
        }
        assert!(kept.len() <= 10_000);
        let capacity: usize = kept.0.parts.iter().map(|part| part.lock().capacity()).sum();
        assert!(capacity < 4 * 10_000, "{capacity}");
        assert_eq!(kept.full_at(&u64::MAX), Some(Nanos::new(u64::MAX)));
    }

    #[test]
    fn full_buckets_are_forgotten_and_their_memory_given_back() {
        let kept = Kept::new(100_000);
        for key in 0..50_000 {
            put(&kept, key, key);
        }
        kept.retain_recent(Nanos::new(49_989));
        assert_eq!(kept.len(), 10);
        kept.shrink_to_fit();
        let capacity: usize = kept.0.parts.iter().map(|part| part.lock().capacity()).sum();
        assert!(capacity <= PARTS * SMALL * 4, "{capacity}");
    }
}
