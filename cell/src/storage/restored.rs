//! When a peer's shard was restored from an older copy: what it says stands, and setting aside what it has lost.

use skep_core::Cursor;
use skep_protocol::{ConversationId, Lane, Pos, Seq, Slot, UserId};
use uuid::Uuid;

use super::connect::Purpose;
use super::eras::{DOUBT_BLOCKS, NEXT_ERA};
use super::reads::{bit_map, rows};
use super::{Shard, StorageError, decode};

/// How a conversation stood when its home's new history began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub conversation_id: ConversationId,
    pub head: Seq,
    /// The asking cell's people who are or were in it.
    pub members: Vec<UserId>,
}

/// What was done to a mirror.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetAside {
    pub messages: u64,
    pub memberships: u64,
}

const PAGE: i64 = 500;

impl Shard {
    /// A page of the conversations of a home lane that have members in these slots, as they stood at `pos`.
    pub async fn standing(
        &self,
        lane: Lane,
        pos: Pos,
        slots: &[Slot],
        after: Option<ConversationId>,
    ) -> Result<Vec<Standing>, StorageError> {
        const SQL: &str = "SELECT c.conversation_id,
                coalesce((SELECT m.seq FROM messages m WHERE m.conversation_id = c.conversation_id AND m.pos <= $2
                          ORDER BY m.seq DESC LIMIT 1), 0),
                b.members
            FROM conversations c
            CROSS JOIN LATERAL (SELECT array_agg(b.user_id) AS members FROM members b
                WHERE b.conversation_id = c.conversation_id AND get_bit($3::bytea, b.slot) = 1) b
            WHERE c.lane = $1 AND c.conversation_id > $4 AND b.members IS NOT NULL
            ORDER BY c.conversation_id LIMIT $5";
        let client = self.loader().await?;
        let after = after.map_or(Uuid::nil(), ConversationId::uuid);
        let found = rows(&client, SQL, &[&(lane.0 as i16), &(pos.0 as i64), &bit_map(slots), &after, &PAGE]).await?;
        let standing = |row: &tokio_postgres::Row| {
            let members: Vec<Uuid> = row.try_get(2)?;
            let user = |id| UserId::from_uuid(id).map_err(|e| StorageError::Unreadable(e.to_string()));
            Ok(Standing {
                conversation_id: decode::conversation_id(row, 0)?,
                head: decode::seq(row, 1)?,
                members: members.into_iter().map(user).collect::<Result<_, _>>()?,
            })
        };
        found.iter().map(standing).collect()
    }

    /// Brings the mirror of one lane of a peer back to how the peer stands: messages above its heads are set aside,
    /// places that it does not know go. `slots`: those of the lane. The cursor goes back, and this shard begins an era
    /// in which no sync token from before holds. It is one transaction, which also shuts this process's own mirror
    /// writer out: the process must end after it.
    pub async fn set_aside(
        &self,
        cursor: Cursor,
        slots: &[Slot],
        standing: &[Standing],
    ) -> Result<SetAside, StorageError> {
        let mut link = self.database.connect(Purpose::Upgrade, Some(self.epoch())).await?;
        let tx = link.client.transaction().await?;
        tx.execute("SELECT lease_check($1)", &[&(self.epoch().0 as i64)]).await?;
        tx.execute("UPDATE lanes SET writer = writer + 1 WHERE lane = $1", &[&(Lane::MIRROR.0 as i16)]).await?;
        tx.batch_execute(
            "CREATE TEMP TABLE stands (conversation_id uuid PRIMARY KEY, head bigint NOT NULL) ON COMMIT DROP;
             CREATE TEMP TABLE places (conversation_id uuid, user_id uuid, PRIMARY KEY (conversation_id, user_id))
                 ON COMMIT DROP;
             CREATE TEMP TABLE mirrored (conversation_id uuid PRIMARY KEY) ON COMMIT DROP",
        )
        .await?;
        for page in standing.chunks(PAGE as usize) {
            let (ids, heads): (Vec<Uuid>, Vec<i64>) =
                page.iter().map(|s| (s.conversation_id.uuid(), s.head.0 as i64)).unzip();
            tx.execute("INSERT INTO stands SELECT * FROM unnest($1::uuid[], $2::bigint[])", &[&ids, &heads]).await?;
            let places = page.iter().flat_map(|s| s.members.iter().map(|user| (s.conversation_id.uuid(), user.uuid())));
            let (ids, users): (Vec<Uuid>, Vec<Uuid>) = places.unzip();
            tx.execute("INSERT INTO places SELECT * FROM unnest($1::uuid[], $2::uuid[])", &[&ids, &users]).await?;
        }
        let slot = "get_byte(uuid_send(conversation_id), 0) * 256 + get_byte(uuid_send(conversation_id), 1)";
        let mirrored = format!(
            "INSERT INTO mirrored SELECT conversation_id FROM conversations WHERE lane = 0 AND get_bit($1::bytea, {slot}) = 1"
        );
        tx.execute(&mirrored, &[&bit_map(slots)]).await?;
        let messages = tx
            .execute(
                "WITH lost AS (DELETE FROM messages m USING mirrored c LEFT JOIN stands s USING (conversation_id)
                     WHERE m.conversation_id = c.conversation_id AND m.seq > coalesce(s.head, 0)
                     RETURNING m.conversation_id, m.seq, m.sender_id, m.client_message_id, m.sent_at_ms, m.text)
                 INSERT INTO set_aside (conversation_id, seq, sender_id, client_message_id, sent_at_ms, text)
                 SELECT * FROM lost",
                &[],
            )
            .await?;
        let memberships = tx
            .execute(
                "DELETE FROM memberships p USING mirrored c WHERE p.conversation_id = c.conversation_id
                     AND NOT EXISTS (SELECT 1 FROM places b WHERE b.conversation_id = p.conversation_id
                                     AND b.user_id = p.user_id)",
                &[],
            )
            .await?;
        tx.batch_execute(
            // Rows come anew, but somebody may look before: nobody is shown a head that is no more.
            "DELETE FROM conversations c USING mirrored d WHERE c.conversation_id = d.conversation_id
                 AND NOT EXISTS (SELECT 1 FROM stands s WHERE s.conversation_id = c.conversation_id);
             UPDATE memberships p SET joined_seq = least(p.joined_seq, s.head), read_seq = least(p.read_seq, s.head),
                     left_seq = CASE WHEN p.left_seq > s.head THEN s.head ELSE p.left_seq END,
                     hidden_seq = CASE WHEN p.hidden_seq > s.head THEN s.head ELSE p.hidden_seq END
                 FROM stands s WHERE s.conversation_id = p.conversation_id
                     AND greatest(p.joined_seq, p.left_seq, p.read_seq, p.hidden_seq) > s.head",
        )
        .await?;
        let Cursor { peer, lane, era, pos, rows: (rows_era, rows_pos) } = cursor;
        tx.execute(
            "UPDATE cursors SET era = $3, pos = $4, rows_era = $5, rows_pos = $6 WHERE peer = $1 AND lane = $2",
            &[
                &(peer.0 as i32),
                &(lane.0 as i16),
                &(era.0 as i32),
                &(pos.0 as i64),
                &(rows_era.0 as i32),
                &(rows_pos.0 as i64),
            ],
        )
        .await?;
        // The home lanes stand where they stood; the mirror lane's past is another.
        tx.execute(
            &format!(
                "INSERT INTO eras (era, timeline, starts)
                 SELECT ({NEXT_ERA}), (SELECT timeline FROM eras ORDER BY era DESC LIMIT 1),
                     array_agg(CASE WHEN l.lane = 0 THEN 0 ELSE
                         coalesce((SELECT max(g.pos) FROM lane_log g WHERE g.lane = l.lane), 0) END ORDER BY l.lane)
                 FROM lanes l"
            ),
            &[],
        )
        .await?;
        tx.execute(DOUBT_BLOCKS, &[]).await?;
        tx.commit().await?;
        Ok(SetAside { messages, memberships })
    }
}
