//! The numbers that put things in order. Each is a type of its own, so that one never stands for another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $short:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// The number after this one.
            pub fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("counters of this width never wrap in practice"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($short, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// A cell, from 1. Zero stands for "nobody" in maps.
    CellId, u32, "cell"
);
number!(
    /// A message's place in its conversation: 1, 2, 3 ... without gaps. Zero is before the first.
    Seq, u64, "#"
);
number!(
    /// A batch's place in its lane: 1, 2, 3 ... in commit order.
    Pos, u64, "@"
);
number!(
    /// A unit of order and group commit in a cell. Zero is the mirror lane; home lanes count from 1.
    Lane, u16, "lane"
);
number!(
    /// A history of a shard. A shard restored from an older copy begins a new one.
    Era, u32, "era"
);
number!(
    /// A version of the slot map, or of a lease.
    Epoch, u64, "epoch"
);

impl Lane {
    /// The lane that writes what comes from other homes.
    pub const MIRROR: Self = Self(0);

    /// The home lane of a conversation, among `home_lanes`.
    pub fn of_home(slot: crate::Slot, home_lanes: u16) -> Self {
        assert!(home_lanes > 0, "a shard has at least one home lane");
        Self(1 + slot.0 % home_lanes)
    }
}
