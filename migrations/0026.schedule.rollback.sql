DROP TABLE schedule;
DROP INDEX scan_chunk_health;
ALTER TABLE scan_chunk
    DROP CONSTRAINT scan_chunk_health,
    DROP COLUMN n_silent,
    DROP COLUMN n_moved,
    DROP COLUMN n_known;
ALTER TABLE scan_job DROP CONSTRAINT scan_job_purpose_known, DROP COLUMN purpose;
