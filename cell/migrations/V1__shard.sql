-- A shard: everything of one cell. Ids are 128 bits (slot, kind, rest) as uuid; times are milliseconds since 1970.

-- Which cell this is, and how many home lanes it was made with. One row.
CREATE TABLE shard (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    cell_id integer NOT NULL,
    home_lanes smallint NOT NULL
);

-- Who may write. One row, renewed every two seconds. FOR KEY SHARE excludes a take-over only because epoch is a key.
CREATE TABLE lease (
    one boolean NOT NULL DEFAULT true UNIQUE CHECK (one),
    epoch bigint PRIMARY KEY,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);
INSERT INTO lease (epoch, holder, expires_at) VALUES (0, 'nobody', '-infinity');

-- The fence of each lane (0: mirror), and its log: one row a batch. The newest pos is where the lane stands.
CREATE TABLE lanes (
    lane smallint PRIMARY KEY,
    writer bigint NOT NULL
);
CREATE TABLE lane_log (
    lane smallint NOT NULL,
    pos bigint NOT NULL,
    PRIMARY KEY (lane, pos)
);

-- Histories of this shard: one restored from an older copy begins a new one. starts[lane + 1] is where each lane stood.
CREATE TABLE eras (
    era integer PRIMARY KEY,
    timeline text NOT NULL,
    starts bigint[] NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now()
);

-- What is not a lane's batch begins with this.
CREATE FUNCTION lease_check(mine bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM lease WHERE epoch = mine FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease is no longer at epoch %', mine USING ERRCODE = 'SK001';
    END IF;
END $$;

-- A batch of several statements begins with this: it raises, so that nothing behind it in the pipeline takes effect.
CREATE FUNCTION lane_fence(of_lane smallint, of_writer bigint, at_pos bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM lanes WHERE lane = of_lane AND writer = of_writer FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'lane % has a newer writer than %', of_lane, of_writer USING ERRCODE = 'SK001';
    END IF;
    INSERT INTO lane_log (lane, pos) VALUES (of_lane, at_pos);
END $$;
