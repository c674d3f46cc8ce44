//! What the doors of a running cell share: HTTP handlers, sockets, and the calls of other cells.

use std::collections::HashSet;
use std::sync::Arc;

use skep_core::{Answer, Op};
use skep_directory::MapWatch;
use skep_protocol::{CellEntry, CellId, Code, ConversationId, Presence, Refusal, Slot, UserId};

use crate::{
    Config,
    accounts::Accounts,
    cache::Cache,
    images::{Press, Store},
    peer::Peers,
    rates::Rates,
    shell::{AnsweredBy, Hub},
    storage::{Shard, StorageError},
};

/// The running cell, as its doors see it.
pub struct Context {
    pub config: Config,
    pub cell: CellId,
    pub hub: Arc<Hub>,
    pub shard: Arc<Shard>,
    pub map: Arc<MapWatch>,
    pub accounts: Accounts,
    pub peers: Peers,
    pub cache: Cache,
    pub rates: Rates,
    pub press: Press,
    pub images: Store,
}

impl Context {
    pub fn owns(&self, slot: Slot) -> bool {
        self.map.current().owner(slot) == Some(self.cell)
    }

    /// The cell of a slot, when that is another one.
    pub fn elsewhere(&self, slot: Slot) -> Result<Option<CellEntry>, Refusal> {
        let map = self.map.current();
        match map.owner_entry(slot) {
            Some(entry) if entry.cell_id == self.cell => Ok(None),
            Some(entry) => Ok(Some(entry.clone())),
            None => Err(unavailable("the cell that has this is not known yet")),
        }
    }

    /// Asks the lane that decides. What it changed is then visible in this shard, wherever the home is.
    pub async fn ask(&self, actor: UserId, conversation: ConversationId, op: Op) -> Result<Answer, Refusal> {
        Ok(self.ask_by(actor, conversation, op).await?.0)
    }

    /// The same, and how the answer came.
    pub async fn ask_by(
        &self,
        actor: UserId,
        conversation: ConversationId,
        op: Op,
    ) -> Result<(Answer, AnsweredBy), Refusal> {
        let answer = match self.hub.ask(actor, conversation, op).await {
            (Answer::Refused(refusal), _) => return Err(refusal),
            answer => answer,
        };
        if !self.owns(conversation.slot()) {
            self.hub.barrier().await?;
        }
        Ok(answer)
    }

    /// Whether somebody of this cell is there now, or when they last were.
    pub async fn presence(&self, user: UserId) -> Presence {
        let online = self.hub.is_online(user);
        let last_seen = if online { None } else { self.cache.last_seen(user).await };
        Presence { online, last_seen }
    }

    /// The same as somebody sees it whom these people block: they are never there.
    pub async fn presence_to(&self, user: UserId, blockers: &HashSet<UserId>) -> Presence {
        if blockers.contains(&user) {
            return Presence { online: false, last_seen: None };
        }
        self.presence(user).await
    }
}

pub fn unavailable(detail: &str) -> Refusal {
    Refusal::new(Code::Unavailable, detail)
}

/// What a failure of the shard means to whoever asked.
pub fn failed(error: StorageError) -> Refusal {
    match error {
        StorageError::Unavailable(_) | StorageError::Superseded => {
            tracing::warn!(%error, "a request could not be served");
            unavailable("the database does not answer at the moment; trying again is safe")
        }
        error => {
            tracing::error!(%error, "a request failed");
            Refusal::new(Code::Internal, "something is wrong on our side; trying again is safe")
        }
    }
}
