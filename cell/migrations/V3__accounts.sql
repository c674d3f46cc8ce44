-- People whose slot is this cell's. A tombstone stands where a sign-up was given up: it has the key that the sign-up's
-- row would have, so one of the two fails.
CREATE TABLE users (
    user_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('account', 'tombstone')),
    username text UNIQUE,
    display_name text,
    email text,
    password_hash text,
    image text,
    disabled boolean NOT NULL DEFAULT false,
    created_at_ms bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    CHECK (state = 'tombstone' OR (username IS NOT NULL AND display_name IS NOT NULL AND email IS NOT NULL
                                   AND password_hash IS NOT NULL))
);

-- Who has an e-mail address whose slot is this cell's. Not active: the sign-up is not known to have been finished.
CREATE TABLE email_claims (
    email text PRIMARY KEY,
    user_id uuid NOT NULL,
    active boolean NOT NULL,
    claimed_at_ms bigint NOT NULL
);

-- Log-ins. digest is SHA-256 of the token's secret.
CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    device text,
    created_at_ms bigint NOT NULL,
    last_used_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    revoked boolean NOT NULL DEFAULT false
) WITH (fillfactor = 90);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Words of names whose slot is this cell's, of people of any cell. The highest version counts; a deleted word stays,
-- so that an older version of it that comes late is not taken.
CREATE TABLE search_entries (
    word text NOT NULL,
    user_id uuid NOT NULL,
    username text NOT NULL,
    display_name text NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (word, user_id)
);
CREATE INDEX search_entries_by_prefix ON search_entries (word text_pattern_ops, username) WHERE NOT deleted;

-- Entries on their way to the cells that own their slots; deleted when confirmed.
CREATE TABLE search_outbox (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word text NOT NULL,
    user_id uuid NOT NULL,
    username text NOT NULL,
    display_name text NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL
);
