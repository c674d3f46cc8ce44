//! The statements of a lane, prepared once per connection.

use skep_protocol::Lane;
use tokio_postgres::{Client, Statement};

/// All of them.
#[derive(Debug)]
pub(super) struct Statements {
    /// Fence, log, messages, own read marks (and cursors in the mirror lane).
    pub append: Statement,
    pub fence: Statement,
    pub messages: Statement,
    pub conversations: Statement,
    pub members: Statement,
    pub memberships: Statement,
    pub marks: Statement,
    pub outcomes: Statement,
    pub cursors: Statement,
    pub blocks: Statement,
}

impl Statements {
    pub async fn prepare(client: &Client, lane: Lane) -> Result<Self, tokio_postgres::Error> {
        let is_mirror = lane == Lane::MIRROR;
        let append = if is_mirror { APPEND_MIRROR } else { APPEND_HOME };
        let messages = if is_mirror { MESSAGES_MIRROR } else { MESSAGES_HOME };
        // Sent together: one round trip for all.
        let (append, fence, messages, conversations, members, memberships, marks, outcomes, cursors, blocks) = tokio::try_join!(
            client.prepare(append),
            client.prepare("SELECT lane_fence($1, $2, $3)"),
            client.prepare(messages),
            client.prepare(CONVERSATIONS),
            client.prepare(MEMBERS),
            client.prepare(MEMBERSHIPS),
            client.prepare(MARKS),
            client.prepare(OUTCOMES),
            client.prepare(CURSORS),
            client.prepare(BLOCKS),
        )?;
        Ok(Self { append, fence, messages, conversations, members, memberships, marks, outcomes, cursors, blocks })
    }
}

/// The fence is checked by the first part; nothing else takes effect without its row. A batch that waits for a new
/// writer's update sees its outcome, although its snapshot is older (tried).
macro_rules! append {
    ($on_conflict:literal, $cursors:literal) => {
        concat!(
            "WITH fence AS (SELECT 1 FROM lanes WHERE lane = $1 AND writer = $2 FOR SHARE),
             log AS (
                 INSERT INTO lane_log (lane, pos) SELECT $1, $3::bigint WHERE EXISTS (SELECT 1 FROM fence)),
             sent AS (
                 INSERT INTO messages
                     (conversation_id, seq, lane, pos, sender_id, client_message_id, sent_at_ms, text)
                 SELECT u.c, u.seq, $1, $3, u.sender, u.id, u.at, u.text
                 FROM unnest($4::uuid[], $5::bigint[], $6::uuid[], $7::uuid[], $8::bigint[], $9::text[])
                     AS u (c, seq, sender, id, at, text)
                 WHERE EXISTS (SELECT 1 FROM fence) ",
            $on_conflict,
            "),
             own AS (
                 UPDATE memberships p SET read_seq = u.seq, lane = $1, pos = $3
                 FROM unnest($10::uuid[], $11::uuid[], $12::bigint[]) AS u (user_id, c, seq)
                 WHERE p.user_id = u.user_id AND p.conversation_id = u.c AND p.left_seq IS NULL
                     AND p.read_seq < u.seq AND EXISTS (SELECT 1 FROM fence)) ",
            $cursors,
            " SELECT 1 FROM fence"
        )
    };
}

const APPEND_HOME: &str = append!("", "");
const APPEND_MIRROR: &str = append!(
    "ON CONFLICT (conversation_id, seq) DO NOTHING",
    ", taken AS (
         INSERT INTO cursors AS k (peer, lane, era, pos, rows_era, rows_pos)
         SELECT u.peer, u.lane, u.era, u.pos, u.rows_era, u.rows_pos
         FROM unnest($13::integer[], $14::smallint[], $15::integer[], $16::bigint[], $17::integer[], $18::bigint[])
             AS u (peer, lane, era, pos, rows_era, rows_pos)
         WHERE EXISTS (SELECT 1 FROM fence)
         ON CONFLICT (peer, lane) DO UPDATE SET era = excluded.era, pos = excluded.pos,
             rows_era = excluded.rows_era, rows_pos = excluded.rows_pos
         WHERE (excluded.era, excluded.pos, excluded.rows_era, excluded.rows_pos)
             > (k.era, k.pos, k.rows_era, k.rows_pos))"
);

macro_rules! messages {
    ($on_conflict:literal) => {
        concat!(
            "INSERT INTO messages (conversation_id, seq, lane, pos, sender_id, client_message_id, sent_at_ms, text)
             SELECT u.c, u.seq, $1::smallint, $2::bigint, u.sender, u.id, u.at, u.text
             FROM unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::uuid[], $7::bigint[], $8::text[])
                 AS u (c, seq, sender, id, at, text) ",
            $on_conflict
        )
    };
}
const MESSAGES_HOME: &str = messages!("");
const MESSAGES_MIRROR: &str = messages!("ON CONFLICT (conversation_id, seq) DO NOTHING");

/// $3: whether this lane is the rows' home, which writes them as they are. A mirror takes only newer ones, and shows
/// a change only if the home does.
const CONVERSATIONS: &str = "
    INSERT INTO conversations AS c
        (conversation_id, title, topic, created_at_ms, created_by, member_count, seniors, code,
         home_era, home_pos, home_shown_pos, lane, pos, shown_pos)
    SELECT u.id, u.title, u.topic, u.created_at, u.created_by, u.member_count, u.seniors::uuid[], u.code,
         u.home_era, u.home_pos, u.home_shown_pos, $1::smallint, $2::bigint, $2
    FROM unnest($4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::uuid[], $9::integer[], $10::text[], $11::text[],
                $12::integer[], $13::bigint[], $14::bigint[])
        AS u (id, title, topic, created_at, created_by, member_count, seniors, code, home_era, home_pos, home_shown_pos)
    ON CONFLICT (conversation_id) DO UPDATE SET
        title = excluded.title, topic = excluded.topic, member_count = excluded.member_count,
        seniors = excluded.seniors, code = excluded.code,
        home_era = excluded.home_era, home_pos = excluded.home_pos, home_shown_pos = excluded.home_shown_pos,
        lane = excluded.lane, pos = excluded.pos,
        shown_pos = CASE WHEN (excluded.home_era, excluded.home_shown_pos) > (c.home_era, c.home_shown_pos)
                         THEN excluded.shown_pos ELSE c.shown_pos END
    WHERE $3::boolean OR (excluded.home_era, excluded.home_pos) > (c.home_era, c.home_pos)";

const MEMBERS: &str = "
    INSERT INTO members
        (conversation_id, user_id, slot, role, joined_seq, left_seq, left_reason, joined_at_ms, lane, pos)
    SELECT u.*, $1::smallint, $2::bigint
    FROM unnest($3::uuid[], $4::uuid[], $5::integer[], $6::smallint[], $7::bigint[], $8::bigint[], $9::smallint[],
                $10::bigint[]) AS u
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET
        role = excluded.role, joined_seq = excluded.joined_seq, left_seq = excluded.left_seq,
        left_reason = excluded.left_reason, joined_at_ms = excluded.joined_at_ms,
        lane = excluded.lane, pos = excluded.pos";

/// Of the person's own columns, joining anew moves the read mark and clears the hidden one.
const MEMBERSHIPS: &str = "
    INSERT INTO memberships AS p
        (user_id, conversation_id, role, joined_seq, left_seq, left_reason, read_seq, hidden_seq,
         home_era, home_pos, lane, pos)
    SELECT u.user_id, u.c, u.role, u.joined, u.left_seq, u.left_reason, u.joined, NULL::bigint, u.home_era, u.home_pos,
         $1::smallint, $2::bigint
    FROM unnest($4::uuid[], $5::uuid[], $6::smallint[], $7::bigint[], $8::bigint[], $9::smallint[], $10::integer[],
                $11::bigint[]) AS u (user_id, c, role, joined, left_seq, left_reason, home_era, home_pos)
    ON CONFLICT (user_id, conversation_id) DO UPDATE SET
        role = excluded.role, joined_seq = excluded.joined_seq, left_seq = excluded.left_seq,
        left_reason = excluded.left_reason,
        read_seq = greatest(p.read_seq, excluded.joined_seq),
        hidden_seq = CASE WHEN excluded.joined_seq > p.joined_seq THEN NULL ELSE p.hidden_seq END,
        home_era = excluded.home_era, home_pos = excluded.home_pos, lane = excluded.lane, pos = excluded.pos
    WHERE $3::boolean OR (excluded.home_era, excluded.home_pos) > (p.home_era, p.home_pos)";

/// Gives each row as it stands: user, conversation, read, head, hidden, whether it moved, whether they have left. Who
/// has left marks nothing.
const MARKS: &str = "
    WITH stand AS MATERIALIZED (
        SELECT u.user_id, u.c, u.hide, u.hide_at, p.read_seq, p.hidden_seq, u.read, u.read_clamped,
               p.left_seq IS NOT NULL AS has_left,
               greatest(p.joined_seq, (SELECT m.seq FROM messages m WHERE m.conversation_id = u.c
                                       ORDER BY m.seq DESC LIMIT 1)) AS head
        FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bigint[])
            AS u (user_id, c, read, read_clamped, hide, hide_at)
        JOIN memberships p ON p.user_id = u.user_id AND p.conversation_id = u.c),
    wanted AS MATERIALIZED (
        SELECT user_id, c, head, read_seq, hidden_seq, has_left,
               greatest(read_seq, read, least(read_clamped, head)) AS new_read,
               CASE hide WHEN 1 THEN least(hide_at, head) WHEN -1 THEN NULL ELSE hidden_seq END AS new_hidden
        FROM stand),
    moved AS (
        UPDATE memberships p SET read_seq = w.new_read, hidden_seq = w.new_hidden, lane = $1, pos = $2
        FROM wanted w
        WHERE p.user_id = w.user_id AND p.conversation_id = w.c AND NOT w.has_left
            AND (w.new_read <> w.read_seq OR w.new_hidden IS DISTINCT FROM w.hidden_seq))
    SELECT user_id, c, new_read, head, new_hidden,
           new_read <> read_seq OR new_hidden IS DISTINCT FROM hidden_seq, has_left
    FROM wanted";

const OUTCOMES: &str = "
    INSERT INTO outcomes (request_id, outcome) SELECT * FROM unnest($1::uuid[], $2::bytea[])
    ON CONFLICT (request_id) DO UPDATE SET outcome = excluded.outcome, at = excluded.at";

const CURSORS: &str = "
    INSERT INTO cursors AS k (peer, lane, era, pos, rows_era, rows_pos)
    SELECT * FROM unnest($1::integer[], $2::smallint[], $3::integer[], $4::bigint[], $5::integer[], $6::bigint[])
    ON CONFLICT (peer, lane) DO UPDATE SET era = excluded.era, pos = excluded.pos,
        rows_era = excluded.rows_era, rows_pos = excluded.rows_pos
    WHERE (excluded.era, excluded.pos, excluded.rows_era, excluded.rows_pos) > (k.era, k.pos, k.rows_era, k.rows_pos)";

/// Of two, the higher version stands.
const BLOCKS: &str = "
    INSERT INTO direct_blocks AS b (conversation_id, side, version, blocked)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::boolean[])
    ON CONFLICT (conversation_id, side) DO UPDATE SET version = excluded.version, blocked = excluded.blocked
    WHERE excluded.version > b.version";
