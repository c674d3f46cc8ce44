-- Pictures in the store, of people whose slot is this cell's. A row is written before its picture is, so that what a
-- crash leaves behind is known. remove_at_ms is null while the picture is shown. What is being removed is never shown again.
CREATE TABLE images (
    user_id uuid NOT NULL,
    name text NOT NULL,
    remove_at_ms bigint,
    removing boolean NOT NULL DEFAULT false,
    PRIMARY KEY (user_id, name)
);
CREATE INDEX images_by_removal ON images (remove_at_ms) WHERE remove_at_ms IS NOT NULL;

-- users.image, and these, are the name of the picture that is shown.
ALTER TABLE search_entries ADD COLUMN image text;
ALTER TABLE search_outbox ADD COLUMN image text;
