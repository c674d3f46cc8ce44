//! A shard never goes back to an older state of somebody's place or of a conversation: what was shown as left, or
//! renamed, does not come back.

use std::collections::BTreeMap;

use skep_protocol::{CellId, ConversationId, UserId};

use super::{Found, Violation};
use crate::shard::{Shard, Version};

/// The newest versions seen in each shard.
#[derive(Debug, Default)]
pub struct Versions(BTreeMap<(CellId, Option<UserId>, ConversationId), Version>);

impl Versions {
    /// A shard has lost something: it may go back, this once.
    pub fn forget(&mut self, cell: CellId) {
        self.0.retain(|(of, ..), _| *of != cell);
    }

    /// After a commit.
    pub fn never_go_back(&mut self, shard: &Shard) -> Found {
        for ((user, id), version) in shard.versions() {
            let newest = self.0.entry((shard.cell, user, id)).or_insert(version);
            if version < *newest {
                let what = user.map_or_else(|| "the row".to_owned(), |user| format!("the place of {user}"));
                let story = format!("{what} in {id} went back from {newest:?} to {version:?} in {}", shard.cell);
                return Err(Violation::of("I4", story));
            }
            *newest = version;
        }
        Ok(())
    }
}
