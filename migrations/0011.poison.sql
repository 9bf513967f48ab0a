-- Chunks that kill their workers, and jobs that only a newer worker understands.
-- depends: 0010.lead_filters

-- claimed to run with nothing beside it in its process: the last chance before dead
ALTER TABLE scan_chunk ADD COLUMN alone boolean NOT NULL DEFAULT false;

-- older jobs are of version 1; a worker claims no job of a version above its own
ALTER TABLE scan_job ADD COLUMN payload_version smallint NOT NULL DEFAULT 1;

ALTER TABLE scan_chunk ADD CONSTRAINT scan_chunk_dead CHECK (
    state <> 'dead' OR (cardinality(domains) = 1 AND reason IS NOT NULL)
);
COMMENT ON CONSTRAINT scan_chunk_dead ON scan_chunk IS 'Only a single domain is given up, and it says why.';

CREATE INDEX scan_chunk_suspect ON scan_chunk (id)
    WHERE state IN ('ready', 'leased') AND (losses >= 2 OR failures >= 5);

CREATE INDEX scan_job_redrive ON scan_job (redrive_of) WHERE redrive_of IS NOT NULL;
