-- Leads scanned again by themselves: whose idea a job was, and the switch over all of it.
-- depends: 0025.watch

ALTER TABLE scan_job
    ADD COLUMN purpose text NOT NULL DEFAULT 'asked',
    ADD CONSTRAINT scan_job_purpose_known CHECK (purpose IN ('asked', 'watch', 'confirm'));
COMMENT ON CONSTRAINT scan_job_purpose_known ON scan_job IS 'asked: by a caller; watch: the lead was due; confirm: a change waits for a second look. Callers go first.';

ALTER TABLE scan_chunk
    ADD COLUMN n_known integer NOT NULL DEFAULT 0,
    ADD COLUMN n_moved integer NOT NULL DEFAULT 0,
    ADD COLUMN n_silent integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT scan_chunk_health CHECK (n_moved <= n_known AND n_silent <= n_known);
COMMENT ON COLUMN scan_chunk.n_known IS 'Domains whose mailboxes were known before.';
COMMENT ON COLUMN scan_chunk.n_moved IS 'Of these, seen elsewhere or gone, believed or not.';
COMMENT ON COLUMN scan_chunk.n_silent IS 'Of these, a deciding question went unanswered.';
COMMENT ON CONSTRAINT scan_chunk_health ON scan_chunk IS 'A part is not more than the whole.';
CREATE INDEX scan_chunk_health ON scan_chunk (done_at) WHERE n_known > 0;

CREATE TABLE schedule (
    only_one       boolean NOT NULL DEFAULT true,
    paused_at      timestamptz,
    -- no change is confirmed: too many companies seem to have moved at once
    held_at        timestamptz,
    -- too much goes unanswered
    silent_at      timestamptz,
    reason         text,
    -- an operator knows about what is seen until then
    released_until timestamptz,

    CONSTRAINT schedule_pkey PRIMARY KEY (only_one),
    CONSTRAINT schedule_only_one CHECK (only_one),
    CONSTRAINT schedule_reason CHECK ((held_at IS NULL AND silent_at IS NULL) = (reason IS NULL))
);
COMMENT ON TABLE schedule IS 'One row: whether leads are scanned by themselves, and whether what is seen can be trusted.';
COMMENT ON CONSTRAINT schedule_pkey ON schedule IS 'The row.';
COMMENT ON CONSTRAINT schedule_only_one ON schedule IS 'There is no second one.';
COMMENT ON CONSTRAINT schedule_reason ON schedule IS 'What is the matter has words.';
INSERT INTO schedule DEFAULT VALUES;
