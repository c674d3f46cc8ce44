-- Messages of conversations homed here and of mirrors alike. Only ever inserted.
CREATE TABLE messages (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    lane smallint NOT NULL,
    pos bigint NOT NULL,
    sender_id uuid NOT NULL,
    client_message_id uuid NOT NULL,
    sent_at_ms bigint NOT NULL,
    text text NOT NULL,
    CONSTRAINT messages_key PRIMARY KEY (conversation_id, seq),
    CONSTRAINT messages_client_id UNIQUE (client_message_id, conversation_id)
) WITH (
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);
-- For replay. A B-tree: with several lanes a BRIN index finds the tail tens of times slower (measured).
CREATE INDEX messages_replay ON messages (lane, pos);

-- home_*: where the row stands at its home. lane, pos, shown_pos: where it stands in this shard.
CREATE TABLE conversations (
    conversation_id uuid PRIMARY KEY,
    title text,
    topic text,
    created_at_ms bigint NOT NULL,
    created_by uuid,
    member_count integer NOT NULL,
    seniors uuid[] NOT NULL,
    code text,
    home_era integer NOT NULL,
    home_pos bigint NOT NULL,
    home_shown_pos bigint NOT NULL,
    lane smallint NOT NULL,
    pos bigint NOT NULL,
    shown_pos bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX conversations_replay ON conversations (lane, pos);
-- Only its home finds a conversation by its link; a mirror may hold a code that is replaced already.
CREATE UNIQUE INDEX conversations_code ON conversations (code) WHERE code IS NOT NULL AND lane > 0;

-- The home's own list of members, people of all cells.
CREATE TABLE members (
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    slot integer NOT NULL,
    role smallint NOT NULL,
    joined_seq bigint NOT NULL,
    left_seq bigint,
    left_reason smallint,
    joined_at_ms bigint NOT NULL,
    lane smallint NOT NULL,
    pos bigint NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX members_replay ON members (lane, pos);
CREATE INDEX members_by_joining ON members (conversation_id, joined_at_ms, user_id) WHERE left_seq IS NULL;
CREATE INDEX members_admins ON members (conversation_id) WHERE left_seq IS NULL AND role = 2;

-- The places of the people of this cell, in conversations homed anywhere. lane and pos are not indexed: a read mark
-- is then an update within its page.
CREATE TABLE memberships (
    user_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    role smallint NOT NULL,
    joined_seq bigint NOT NULL,
    left_seq bigint,
    left_reason smallint,
    read_seq bigint NOT NULL,
    hidden_seq bigint,
    home_era integer NOT NULL,
    home_pos bigint NOT NULL,
    lane smallint NOT NULL,
    pos bigint NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX memberships_by_conversation ON memberships (conversation_id);

-- Member operations that changed something, kept for a day: a repeat is answered the same.
CREATE TABLE outcomes (
    request_id uuid PRIMARY KEY,
    outcome bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outcomes_by_age ON outcomes (at);

-- How far each peer's lanes have been taken into the mirror.
CREATE TABLE cursors (
    peer integer NOT NULL,
    lane smallint NOT NULL,
    era integer NOT NULL,
    pos bigint NOT NULL,
    PRIMARY KEY (peer, lane)
) WITH (fillfactor = 50);
