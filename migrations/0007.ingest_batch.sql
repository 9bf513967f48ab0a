-- A file of companies that was taken in, and the rows of it that could not be.
-- depends: 0006.scan_reject

CREATE TABLE ingest_batch (
    id           uuid NOT NULL,
    filename     text,
    source       text,
    caller       text NOT NULL,
    status       text NOT NULL DEFAULT 'receiving',
    row_count    integer NOT NULL DEFAULT 0,
    accepted     integer NOT NULL DEFAULT 0,
    rejected     integer NOT NULL DEFAULT 0,
    duplicates   integer NOT NULL DEFAULT 0,
    detected     jsonb,
    job_id       uuid,
    reason       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,

    CONSTRAINT ingest_batch_pkey PRIMARY KEY (id),
    CONSTRAINT ingest_batch_status_known CHECK (status IN ('receiving', 'accepted', 'failed')),
    CONSTRAINT ingest_batch_finished CHECK ((status = 'receiving') = (finished_at IS NULL)),
    CONSTRAINT ingest_batch_job_id_fkey FOREIGN KEY (job_id) REFERENCES scan_job (id) ON DELETE SET NULL
);

COMMENT ON TABLE ingest_batch IS 'One file or push of companies.';
COMMENT ON CONSTRAINT ingest_batch_pkey ON ingest_batch IS 'UUIDv7 made at the start of the upload.';
COMMENT ON CONSTRAINT ingest_batch_status_known ON ingest_batch IS 'receiving -> accepted | failed.';
COMMENT ON CONSTRAINT ingest_batch_finished ON ingest_batch IS 'A finished batch says when.';
COMMENT ON CONSTRAINT ingest_batch_job_id_fkey ON ingest_batch IS 'The scan of its companies.';
COMMENT ON COLUMN ingest_batch.detected IS 'Encoding, delimiter and columns found in the file.';

CREATE INDEX ingest_batch_job ON ingest_batch (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE ingest_reject (
    batch_id  uuid NOT NULL,
    line      integer NOT NULL,
    value     text NOT NULL,
    reason    text NOT NULL,

    CONSTRAINT ingest_reject_pkey PRIMARY KEY (batch_id, line),
    CONSTRAINT ingest_reject_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES ingest_batch (id) ON DELETE CASCADE,
    CONSTRAINT ingest_reject_value_short CHECK (length(value) <= 300)
);

COMMENT ON TABLE ingest_reject IS 'Refused rows of a file; pruned after 30 days.';
COMMENT ON CONSTRAINT ingest_reject_pkey ON ingest_reject IS 'A line is one row.';
COMMENT ON CONSTRAINT ingest_reject_batch_id_fkey ON ingest_reject IS 'Rejects go with their batch.';
COMMENT ON CONSTRAINT ingest_reject_value_short ON ingest_reject IS 'Enough to find the place, not enough to fill a disk.';
