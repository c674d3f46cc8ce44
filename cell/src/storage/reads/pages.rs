//! Messages of one conversation, by seq.

use skep_protocol::{ConversationId, Message, Seq};

use super::rows;
use crate::storage::decode::{self, message_columns};
use crate::storage::{Shard, StorageError};

/// Which end of a range a page is taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    Oldest,
    Newest,
}

impl Shard {
    /// The newest stored messages with `above < seq <= upto`, at most `limit`, ascending.
    pub async fn newest(
        &self,
        id: ConversationId,
        above: Seq,
        upto: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StorageError> {
        self.page(id, above.next(), upto, Edge::Newest, limit).await
    }

    /// Stored messages with `first <= seq <= last`, at most `limit` from one edge, ascending. A mirror may have holes.
    pub async fn page(
        &self,
        id: ConversationId,
        first: Seq,
        last: Seq,
        edge: Edge,
        limit: usize,
    ) -> Result<Vec<Message>, StorageError> {
        macro_rules! page {
            ($order:literal) => {
                concat!(
                    "SELECT ",
                    message_columns!(),
                    " FROM messages m WHERE m.conversation_id = $1 AND m.seq BETWEEN $2 AND $3 ORDER BY m.seq ",
                    $order,
                    " LIMIT $4"
                )
            };
        }
        let sql = match edge {
            Edge::Oldest => page!("ASC"),
            Edge::Newest => page!("DESC"),
        };
        let width = |seq: Seq| i64::try_from(seq.0).unwrap_or(i64::MAX);
        let client = self.connection().await?;
        let found = rows(&client, sql, &[&id.uuid(), &width(first), &width(last), &(limit as i64)]).await?;
        let mut messages: Vec<Message> = found.iter().map(|row| decode::message(row, 0)).collect::<Result<_, _>>()?;
        if edge == Edge::Newest {
            messages.reverse();
        }
        Ok(messages)
    }
}
