-- Finding people. What the first version kept is made anew from the users' rows.
DROP TABLE search_entries;
DROP TABLE search_outbox;

-- Copies of how people of any cell are shown, kept where they are found by a word whose slot is this cell's, or where
-- somebody knows them. home: their cell; the highest (era, version) of it counts. round_ms: the round of their cell that
-- last sent them.
CREATE TABLE profiles (
    user_id uuid PRIMARY KEY,
    home integer NOT NULL,
    era integer NOT NULL,
    version bigint NOT NULL,
    round_ms bigint NOT NULL,
    username text NOT NULL,
    display_name text NOT NULL,
    image text
) WITH (fillfactor = 85);
CREATE INDEX profiles_by_round ON profiles (home, round_ms);

-- By what they are found: a word of their names with the others behind it. Compared by bytes.
CREATE TABLE search_entries (
    user_id uuid NOT NULL,
    word text COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, word)
);
CREATE UNIQUE INDEX search_entries_by_word ON search_entries (word, user_id);

-- Who of this cell shares a direct conversation with whom, under the other's names; empty names: nobody to be found.
-- ask: the other's cell is to be asked for them.
CREATE TABLE known (
    user_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    other_id uuid,
    names text COLLATE "C" NOT NULL DEFAULT '',
    ask boolean NOT NULL DEFAULT true,
    PRIMARY KEY (user_id, conversation_id)
);
CREATE INDEX known_by_names ON known (user_id, names, other_id) WHERE names <> '';
CREATE INDEX known_by_other ON known (other_id, user_id);
CREATE INDEX known_asked ON known (user_id, conversation_id) WHERE ask;

CREATE FUNCTION is_direct(conversation uuid) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN get_byte(uuid_send(conversation), 2) >> 4 = 2;

CREATE FUNCTION memberships_known() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO known (user_id, conversation_id) VALUES (NEW.user_id, NEW.conversation_id) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM known WHERE user_id = OLD.user_id AND conversation_id = OLD.conversation_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_made AFTER INSERT ON memberships
    FOR EACH ROW WHEN (is_direct(NEW.conversation_id)) EXECUTE FUNCTION memberships_known();
CREATE TRIGGER memberships_gone AFTER DELETE ON memberships
    FOR EACH ROW WHEN (is_direct(OLD.conversation_id)) EXECUTE FUNCTION memberships_known();

INSERT INTO known (user_id, conversation_id)
    SELECT user_id, conversation_id FROM memberships WHERE is_direct(conversation_id);

-- People of this cell of whom other cells have to hear: made, renamed, disabled. The names that they had before;
-- cells: those that have not confirmed it, once others have. Written by triggers, so that no writer can forget it.
CREATE TABLE search_outbox (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL,
    username text,
    display_name text,
    cells integer[]
);
CREATE INDEX search_outbox_fresh ON search_outbox (entry_id) WHERE cells IS NULL;

CREATE FUNCTION users_next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
CREATE FUNCTION users_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO search_outbox (user_id) VALUES (NEW.user_id);
    ELSE
        INSERT INTO search_outbox (user_id, username, display_name)
            VALUES (OLD.user_id, OLD.username, OLD.display_name);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_made AFTER INSERT ON users
    FOR EACH ROW WHEN (NEW.state = 'account') EXECUTE FUNCTION users_told();
CREATE TRIGGER users_shown AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.username, OLD.display_name, OLD.image, OLD.disabled)
          IS DISTINCT FROM (NEW.username, NEW.display_name, NEW.image, NEW.disabled)) EXECUTE FUNCTION users_told();
CREATE TRIGGER users_versioned BEFORE UPDATE ON users FOR EACH ROW
    WHEN ((OLD.username, OLD.display_name, OLD.image, OLD.disabled)
          IS DISTINCT FROM (NEW.username, NEW.display_name, NEW.image, NEW.disabled)) EXECUTE FUNCTION users_next_version();

-- The round in which all people of this cell are sent again: one row. era: this shard's when it began; after: the last
-- one sent; hurried: without pauses.
CREATE TABLE search_round (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    begun_ms bigint NOT NULL,
    era integer NOT NULL,
    after uuid NOT NULL,
    hurried boolean NOT NULL
);
-- How the round goes with each cell: its era when it was first heard of in this round, whether it missed anything; and
-- the eras, this shard's and its own, of the last round that it got whole.
CREATE TABLE search_round_cells (
    cell_id integer PRIMARY KEY,
    era integer,
    missed boolean NOT NULL DEFAULT false,
    whole_own integer,
    whole_theirs integer
);
