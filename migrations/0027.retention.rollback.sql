DROP FUNCTION drop_scan_result_partitions;
DROP INDEX scan_job_finished;
DROP INDEX registration_expires;
ALTER TABLE registration
    DROP CONSTRAINT registration_told_whole,
    DROP CONSTRAINT registration_told_kind,
    DROP COLUMN told_kind,
    DROP COLUMN told_expires;
