-- A replay sends rows ahead of messages: how far a peer's lane has been taken is told by both.
ALTER TABLE cursors
    ADD COLUMN rows_era integer NOT NULL DEFAULT 0,
    ADD COLUMN rows_pos bigint NOT NULL DEFAULT 0;

-- At the home of a direct conversation, whether it has begun or not: what each of the two says of the other.
CREATE TABLE direct_blocks (
    conversation_id uuid NOT NULL,
    side uuid NOT NULL,
    version bigint NOT NULL,
    blocked boolean NOT NULL,
    PRIMARY KEY (conversation_id, side)
);

-- In the cell of the one who blocks. Told to the home of the direct conversation until it has confirmed the version.
CREATE TABLE blocks (
    user_id uuid NOT NULL,
    other_id uuid NOT NULL,
    version bigint NOT NULL,
    blocked boolean NOT NULL,
    confirmed boolean NOT NULL,
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX blocks_unconfirmed ON blocks (user_id, other_id) WHERE NOT confirmed;
