DROP INDEX scan_job_redrive;
DROP INDEX scan_chunk_suspect;
ALTER TABLE scan_chunk DROP CONSTRAINT scan_chunk_dead;
ALTER TABLE scan_job DROP COLUMN payload_version;
ALTER TABLE scan_chunk DROP COLUMN alone;
