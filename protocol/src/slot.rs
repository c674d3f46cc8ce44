//! Slots: the 65,536 parts into which people and conversations are hashed, for life.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// How many slots there are. Frozen: every id carries its slot.
pub const SLOTS: usize = 65_536;

/// One of the 65,536 parts of the whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot of a key: the high 16 bits of xxh3-64. Frozen, see the vectors below.
    pub fn of(key: &[u8]) -> Self {
        Self((xxh3_64(key) >> 48) as u16)
    }

    /// Where a username's claim and its account live.
    pub fn of_username(canonical: &str) -> Self {
        Self::of(format!("username:{canonical}").as_bytes())
    }

    /// Where an e-mail address's claim lives.
    pub fn of_email(canonical: &str) -> Self {
        Self::of(format!("email:{canonical}").as_bytes())
    }

    /// Where the search entries of names that begin with these (up to three) letters live.
    pub fn of_search(prefix: &str) -> Self {
        Self::of(format!("search:{prefix}").as_bytes())
    }

    /// As an index into a map of slots.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot{:04x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_frozen() {
        assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(xxh3_64(b"a"), 0xe6c6_32b6_1e96_4e1f);
        assert_eq!(xxh3_64(b"conv:42"), 0x6c20_ae1b_4662_0f38);
        assert_eq!(Slot::of(b"a"), Slot(0xe6c6));
    }
}
