-- A scan job: what somebody asked to be scanned, as a whole.
-- depends: 0002.observation

CREATE TABLE scan_job (
    id             uuid NOT NULL,
    lane           text NOT NULL,
    depth          text NOT NULL,
    status         text NOT NULL DEFAULT 'receiving',
    caller         text NOT NULL,
    -- domains to scan; grows while receiving
    total          integer NOT NULL DEFAULT 0,
    duplicates     integer NOT NULL DEFAULT 0,
    rejected       integer NOT NULL DEFAULT 0,
    -- written once, when the job finishes; until then the sums are those of its chunks
    n_ok           integer NOT NULL DEFAULT 0,
    n_failed       integer NOT NULL DEFAULT 0,
    n_unknown      integer NOT NULL DEFAULT 0,
    n_dead         integer NOT NULL DEFAULT 0,
    -- total minus what is recorded, of a job with no open chunk; must be NULL or 0
    mismatch       integer,
    audited_at     timestamptz,
    last_dispatch  timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    touched_at     timestamptz NOT NULL DEFAULT now(),
    accepted_at    timestamptz,
    started_at     timestamptz,
    finished_at    timestamptz,
    redrive_of     uuid,

    CONSTRAINT scan_job_pkey PRIMARY KEY (id),
    CONSTRAINT scan_job_lane_known CHECK (lane IN ('interactive', 'bulk')),
    CONSTRAINT scan_job_depth_known CHECK (depth IN ('quick', 'full')),
    CONSTRAINT scan_job_status_known CHECK (
        status IN ('receiving', 'pending', 'running', 'completed', 'cancelled')
    ),
    CONSTRAINT scan_job_accepted CHECK ((status = 'receiving') = (accepted_at IS NULL)),
    CONSTRAINT scan_job_finished CHECK (
        (status IN ('completed', 'cancelled')) = (finished_at IS NOT NULL)
    ),
    CONSTRAINT scan_job_accounted CHECK (
        status <> 'completed' OR n_ok + n_failed + n_unknown + n_dead = total
    ),
    CONSTRAINT scan_job_redrive_of_fkey FOREIGN KEY (redrive_of) REFERENCES scan_job (id)
        ON DELETE SET NULL
);

COMMENT ON TABLE scan_job IS 'What somebody asked to be scanned. States: receiving -> pending -> running -> completed; pending, running -> cancelled.';
COMMENT ON CONSTRAINT scan_job_pkey ON scan_job IS 'UUIDv7 made at acceptance: ids sort by time.';
COMMENT ON CONSTRAINT scan_job_lane_known ON scan_job IS 'A single scan somebody waits for never queues behind a bulk.';
COMMENT ON CONSTRAINT scan_job_depth_known ON scan_job IS 'hunter.core.answers.Depth.';
COMMENT ON CONSTRAINT scan_job_status_known ON scan_job IS 'Dispatcher, claim and lists ignore receiving jobs.';
COMMENT ON CONSTRAINT scan_job_accepted ON scan_job IS 'The commit that sets accepted_at is the acceptance.';
COMMENT ON CONSTRAINT scan_job_finished ON scan_job IS 'A finished job says when.';
COMMENT ON CONSTRAINT scan_job_accounted ON scan_job IS 'Completed means that every domain has a result or is dead.';
COMMENT ON CONSTRAINT scan_job_redrive_of_fkey ON scan_job IS 'A redrive is a job of its own.';

CREATE INDEX scan_job_open ON scan_job (lane, last_dispatch NULLS FIRST, id)
    WHERE status IN ('pending', 'running');
CREATE INDEX scan_job_receiving ON scan_job (touched_at) WHERE status = 'receiving';
CREATE INDEX scan_job_mismatched ON scan_job (id) WHERE mismatch <> 0;
