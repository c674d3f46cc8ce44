//! What always holds (design.md 5), each in a file of its own.

mod acked;
mod answered;
mod blocked;
mod bounded;
mod made;
mod once;
mod order;
mod own;
mod same;
mod versions;
mod visible;

use std::fmt;

pub use acked::Acked;
pub use answered::nothing_unanswered;
pub use blocked::Blocks;
pub use bounded::{outbox_is_bounded, queues_are_bounded, ring_is_bounded};
pub use made::as_it_was_made;
pub use once::Once;
pub use order::{logs_are_whole, mirror_is_true, same_as_home};
pub use own::{Owed, Own, Promise};
pub use same::same_as_fresh;
pub use versions::Versions;
pub use visible::may_see;

/// Something that must not happen has happened.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Such as "I1".
    pub invariant: &'static str,
    pub story: String,
}

/// What a checker finds.
pub type Found = Result<(), Violation>;

impl Violation {
    /// Of an invariant.
    pub fn of(invariant: &'static str, story: impl Into<String>) -> Self {
        Self { invariant, story: story.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.story)
    }
}

/// All checkers that remember something.
#[derive(Debug, Default)]
pub struct Checkers {
    pub acked: Acked,
    pub blocks: Blocks,
    pub once: Once,
    pub own: Own,
    pub versions: Versions,
}
