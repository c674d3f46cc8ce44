-- Messages of another home that its shard lost when it was restored from an older copy. Kept for people to look at;
-- nothing reads them.
CREATE TABLE set_aside (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    sender_id uuid NOT NULL,
    client_message_id uuid NOT NULL,
    sent_at_ms bigint NOT NULL,
    text text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
