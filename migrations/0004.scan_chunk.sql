-- A chunk: up to some hundred domains of a job, the unit of claim, lease and commit.
-- depends: 0003.scan_job

CREATE TABLE scan_chunk (
    id           bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    job_id       uuid NOT NULL,
    parent_id    bigint,
    lane         text NOT NULL,
    domains      text[] NOT NULL,
    size         integer NOT NULL GENERATED ALWAYS AS (cardinality(domains)) STORED,
    state        text NOT NULL DEFAULT 'ready',
    -- fencing token: a write for (chunk, epoch) commits only under that epoch
    epoch        bigint NOT NULL DEFAULT 0,
    worker_id    uuid,
    leased_at    timestamptz,
    lease_until  timestamptz,
    hinted_at    timestamptz,
    hints        integer NOT NULL DEFAULT 0,
    not_before   timestamptz NOT NULL DEFAULT '-infinity',
    -- leases that ran out, and exceptions; a chunk with too many of either is split or dead
    losses       smallint NOT NULL DEFAULT 0,
    failures     smallint NOT NULL DEFAULT 0,
    reason       text,
    n_ok         integer NOT NULL DEFAULT 0,
    n_failed     integer NOT NULL DEFAULT 0,
    n_unknown    integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    done_at      timestamptz,

    CONSTRAINT scan_chunk_pkey PRIMARY KEY (id),
    CONSTRAINT scan_chunk_job_id_fkey FOREIGN KEY (job_id) REFERENCES scan_job (id) ON DELETE CASCADE,
    CONSTRAINT scan_chunk_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES scan_chunk (id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT scan_chunk_lane_known CHECK (lane IN ('interactive', 'bulk')),
    CONSTRAINT scan_chunk_state_known CHECK (
        state IN ('ready', 'leased', 'done', 'split', 'dead', 'cancelled')
    ),
    CONSTRAINT scan_chunk_size CHECK (cardinality(domains) BETWEEN 1 AND 5000),
    CONSTRAINT scan_chunk_lease CHECK (
        (state = 'leased') = (lease_until IS NOT NULL)
        AND (state <> 'leased' OR (worker_id IS NOT NULL AND leased_at IS NOT NULL))
    ),
    CONSTRAINT scan_chunk_accounted CHECK (
        n_ok + n_failed + n_unknown = CASE WHEN state = 'done' THEN cardinality(domains) ELSE 0 END
    )
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);

COMMENT ON TABLE scan_chunk IS 'States: ready -> leased -> done; leased -> leased (expired, epoch + 1, losses + 1); leased -> ready (drain, backoff); losses >= 3 -> split | dead; ready | leased -> cancelled.';
COMMENT ON CONSTRAINT scan_chunk_pkey ON scan_chunk IS 'Every multi-row update locks in the order of this key.';
COMMENT ON CONSTRAINT scan_chunk_job_id_fkey ON scan_chunk IS 'Chunks go with their job.';
COMMENT ON CONSTRAINT scan_chunk_parent_id_fkey ON scan_chunk IS 'A split chunk keeps its id, its parts point to it.';
COMMENT ON CONSTRAINT scan_chunk_lane_known ON scan_chunk IS 'The lane of the job.';
COMMENT ON CONSTRAINT scan_chunk_state_known ON scan_chunk IS 'See the comment of the table.';
COMMENT ON CONSTRAINT scan_chunk_size ON scan_chunk IS 'A chunk is committed in one transaction.';
COMMENT ON CONSTRAINT scan_chunk_lease ON scan_chunk IS 'A lease has an end, a holder and a start; nothing else has an end.';
COMMENT ON CONSTRAINT scan_chunk_accounted ON scan_chunk IS 'A done chunk counts each of its domains once; no other counts any.';

CREATE INDEX scan_chunk_job ON scan_chunk (job_id, id);
CREATE INDEX scan_chunk_open ON scan_chunk (job_id, id) WHERE state IN ('ready', 'leased');
CREATE INDEX scan_chunk_hinted ON scan_chunk (lane, hinted_at) WHERE state = 'ready' AND hinted_at IS NOT NULL;
CREATE INDEX scan_chunk_leased ON scan_chunk (lease_until) WHERE state = 'leased';
CREATE INDEX scan_chunk_dead ON scan_chunk (job_id) WHERE state = 'dead';
CREATE INDEX scan_chunk_parent ON scan_chunk (parent_id) WHERE parent_id IS NOT NULL;
