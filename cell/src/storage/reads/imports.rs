//! What an import asks of a conversation homed here.

use std::collections::HashSet;

use skep_protocol::{ConversationId, UserId};
use uuid::Uuid;

use super::rows;
use crate::storage::{Shard, StorageError, decode};

impl Shard {
    /// Those of these people who are or were members.
    pub async fn known_members(&self, id: ConversationId, users: &[UserId]) -> Result<HashSet<UserId>, StorageError> {
        const SQL: &str = "SELECT user_id FROM members WHERE conversation_id = $1 AND user_id = any($2)";
        let users: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&id.uuid(), &users]).await?;
        found.iter().map(|row| decode::user_id(row, 0)).collect()
    }

    /// One of the admins; every conversation that somebody is in has one.
    pub async fn an_admin(&self, id: ConversationId) -> Result<Option<UserId>, StorageError> {
        const SQL: &str =
            "SELECT user_id FROM members WHERE conversation_id = $1 AND left_seq IS NULL AND role = 2 LIMIT 1";
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&id.uuid()]).await?;
        found.first().map(|row| decode::user_id(row, 0)).transpose()
    }
}
