//! A bounded map that forgets what has not been used for long.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};

type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A map of two generations: when the young one is full it becomes the old one, and what is left of the former old
/// one is forgotten, but for what is in use. Holds at most about twice `capacity` unused entries. Its hasher is fixed,
/// so that runs repeat.
#[derive(Debug)]
pub struct Generations<K, V> {
    capacity: usize,
    young: Map<K, V>,
    old: Map<K, V>,
}

impl<K: Hash + Eq + Copy, V> Generations<K, V> {
    /// An empty map.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, young: Map::default(), old: Map::default() }
    }

    /// The entry, which counts as used.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.young.insert(*key, value);
        }
        self.young.get_mut(key)
    }

    /// The entry, without counting as a use.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Puts an entry in; `in_use` says which entries must not be forgotten to make room.
    pub fn insert(&mut self, key: K, value: V, in_use: impl Fn(&V) -> bool) {
        if self.young.len() >= self.capacity {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.young.extend(old.into_iter().filter(|(_, v)| in_use(v)));
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Forgets all but these.
    pub fn retain(&mut self, mut stays: impl FnMut(&V) -> bool) {
        self.young.retain(|_, v| stays(v));
        self.old.retain(|_, v| stays(v));
    }

    /// How many entries are kept.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries, in no order that means anything.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.young.iter_mut().chain(self.old.iter_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unused_is_forgotten_and_what_is_in_use_stays() {
        let mut map = Generations::new(10);
        map.insert(0, true, |used| *used);
        for key in 1..1000 {
            map.insert(key, false, |used| *used);
            assert!(map.len() <= 21, "{}", map.len());
        }
        assert!(map.peek(&0).is_some());
        assert!(map.peek(&500).is_none());
        assert!(map.get_mut(&999).is_some());
    }
}
