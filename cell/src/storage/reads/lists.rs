//! A person's conversations, a conversation's members, links.

use std::collections::HashSet;

use skep_core::fanout::LocalMember;
use skep_core::{ConversationRow, MemberRow};
use skep_protocol::{ConversationId, Message, Millis, Seq, UserId, limits};

use super::{loads, rows};
use crate::storage::decode::{
    self, CONVERSATION_COLUMNS, MEMBERSHIP_COLUMNS, conversation_columns, member_columns, membership_columns,
    message_columns,
};
use crate::storage::{Shard, StorageError};

/// A person's place in a conversation, current or former.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub row: ConversationRow,
    pub member: LocalMember,
    /// The newest stored seq of the conversation.
    pub head: Seq,
}

/// Where a page of a person's conversations ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activity {
    pub at: Millis,
    pub conversation_id: ConversationId,
}

/// A conversation as a person's list shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedConversation {
    pub place: Place,
    /// The newest message that the person may see, of those stored here.
    pub last_message: Option<Message>,
    pub activity: Activity,
}

impl Shard {
    /// A person's place in a conversation; `None`: they were never in it.
    pub async fn membership(&self, user: UserId, id: ConversationId) -> Result<Option<Place>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            membership_columns!(),
            ", ",
            conversation_columns!(),
            ", coalesce((SELECT m.seq FROM messages m WHERE m.conversation_id = $2 ORDER BY m.seq DESC LIMIT 1), 0)
              FROM memberships p JOIN conversations c ON c.conversation_id = p.conversation_id
              WHERE p.user_id = $1 AND p.conversation_id = $2"
        );
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&user.uuid(), &id.uuid()]).await?;
        let place = |row| {
            Ok(Place {
                member: decode::membership(row, 0)?,
                row: decode::conversation(row, MEMBERSHIP_COLUMNS)?,
                head: decode::seq(row, MEMBERSHIP_COLUMNS + CONVERSATION_COLUMNS)?,
            })
        };
        found.first().map(place).transpose()
    }

    /// Conversations that a person is in and has not hidden, most recently active first, behind `after`.
    pub async fn conversations_of(
        &self,
        user: UserId,
        after: Option<Activity>,
        limit: usize,
    ) -> Result<Vec<ListedConversation>, StorageError> {
        // A group's messages from before one's joining are nobody's business; a channel's are.
        const SQL: &str = concat!(
            "SELECT ",
            membership_columns!(),
            ", ",
            conversation_columns!(),
            ", a.at, coalesce(m.seq, 0), m.seq IS NOT NULL AND (NOT k.is_group OR m.seq > p.joined_seq), ",
            message_columns!(),
            " FROM memberships p
              JOIN conversations c ON c.conversation_id = p.conversation_id
              LEFT JOIN LATERAL (SELECT * FROM messages n WHERE n.conversation_id = p.conversation_id
                                 ORDER BY n.seq DESC LIMIT 1) m ON true
              CROSS JOIN LATERAL (SELECT greatest(c.created_at_ms, m.sent_at_ms) AS at) a
              CROSS JOIN LATERAL (SELECT get_byte(uuid_send(p.conversation_id), 2) >> 4 = 3 AS is_group) k
              WHERE p.user_id = $1 AND p.left_seq IS NULL
                  AND (p.hidden_seq IS NULL OR p.hidden_seq < coalesce(m.seq, 0))
                  AND (a.at, p.conversation_id) < ($2, $3)
              ORDER BY a.at DESC, p.conversation_id DESC LIMIT $4"
        );
        const AT: usize = MEMBERSHIP_COLUMNS + CONVERSATION_COLUMNS;
        let (before_ms, before_id) = after
            .map_or((i64::MAX, uuid::Uuid::max()), |Activity { at, conversation_id }| (at.0, conversation_id.uuid()));
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&user.uuid(), &before_ms, &before_id, &(limit as i64)]).await?;
        let listed = |row: &tokio_postgres::Row| {
            let conversation = decode::conversation(row, MEMBERSHIP_COLUMNS)?;
            let activity = Activity { at: decode::millis(row, AT)?, conversation_id: conversation.conversation_id };
            let head = decode::seq(row, AT + 1)?;
            let sees_it: bool = row.try_get(AT + 2)?;
            let last_message = if sees_it { Some(decode::message(row, AT + 3)?) } else { None };
            let place = Place { row: conversation, member: decode::membership(row, 0)?, head };
            Ok(ListedConversation { place, last_message, activity })
        };
        found.iter().map(listed).collect()
    }

    /// Those of these people who are in as many conversations as one can be.
    pub async fn full_users(&self, users: &[UserId]) -> Result<HashSet<UserId>, StorageError> {
        const SQL: &str = "SELECT user_id FROM memberships WHERE user_id = any($1) AND left_seq IS NULL
              GROUP BY user_id HAVING count(*) >= $2";
        let ids: Vec<uuid::Uuid> = users.iter().map(|user| user.uuid()).collect();
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&ids, &(limits::CONVERSATIONS_PER_USER as i64)]).await?;
        found.iter().map(|row| decode::user_id(row, 0)).collect()
    }

    /// Current members of a conversation homed here, by joining, behind `after`.
    pub async fn members_page(
        &self,
        id: ConversationId,
        after: Option<(Millis, UserId)>,
        limit: usize,
    ) -> Result<Vec<MemberRow>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            member_columns!(),
            " FROM members m WHERE m.conversation_id = $1 AND m.left_seq IS NULL AND (m.joined_at_ms, m.user_id) > ($2, $3)
              ORDER BY m.joined_at_ms, m.user_id LIMIT $4"
        );
        let (at, user) = after.map_or((i64::MIN, uuid::Uuid::nil()), |(at, user)| (at.0, user.uuid()));
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&id.uuid(), &at, &user, &(limit as i64)]).await?;
        found.iter().map(|row| decode::member(row, 0)).collect()
    }

    /// A person's row in a conversation homed here, as its home has it; `None`: never a member.
    pub async fn member(&self, id: ConversationId, user: UserId) -> Result<Option<MemberRow>, StorageError> {
        const SQL: &str =
            concat!("SELECT ", member_columns!(), " FROM members m WHERE m.conversation_id = $1 AND m.user_id = $2");
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&id.uuid(), &user.uuid()]).await?;
        found.first().map(|row| decode::member(row, 0)).transpose()
    }

    /// The conversation homed here that a link leads to.
    pub async fn link(&self, code: &str) -> Result<Option<ConversationRow>, StorageError> {
        const SQL: &str = concat!(
            "SELECT ",
            conversation_columns!(),
            " FROM conversations c WHERE c.code = $1 AND c.code IS NOT NULL AND c.lane > 0 AND c.member_count > 0"
        );
        let client = self.connection().await?;
        let found = rows(&client, SQL, &[&code]).await?;
        found.first().map(|row| decode::conversation(row, 0)).transpose()
    }

    /// A conversation's row as this shard has it.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>, StorageError> {
        loads::conversation(&self.connection().await?, id).await
    }
}
