-- Requests that must not be done twice.
-- depends: 0007.ingest_batch

CREATE TABLE idempotency (
    caller      text NOT NULL,
    key         text NOT NULL,
    method      text NOT NULL,
    path        text NOT NULL,
    -- NULL while the first request is still running
    body_hash   bytea,
    job_id      uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT idempotency_pkey PRIMARY KEY (caller, key, method, path),
    CONSTRAINT idempotency_key_short CHECK (length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_job_id_fkey FOREIGN KEY (job_id) REFERENCES scan_job (id) ON DELETE CASCADE
);

COMMENT ON TABLE idempotency IS 'Idempotency-Key of accepted requests, kept 24 hours.';
COMMENT ON CONSTRAINT idempotency_pkey ON idempotency IS 'One request per caller, key, method and path.';
COMMENT ON CONSTRAINT idempotency_key_short ON idempotency IS 'A key is a label, not a body.';
COMMENT ON CONSTRAINT idempotency_job_id_fkey ON idempotency IS 'The answer of the first request; a dropped upload frees its key.';

CREATE INDEX idempotency_created ON idempotency (created_at);
CREATE INDEX idempotency_job ON idempotency (job_id);
