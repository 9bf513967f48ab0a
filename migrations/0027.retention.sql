-- What is kept for how long, and which ends of registrations were told.
-- depends: 0026.schedule

ALTER TABLE registration
    ADD COLUMN told_expires date,
    ADD COLUMN told_kind text,
    ADD CONSTRAINT registration_told_kind CHECK (told_kind IN ('expire_soon', 'expired')),
    ADD CONSTRAINT registration_told_whole CHECK ((told_expires IS NULL) = (told_kind IS NULL));
COMMENT ON CONSTRAINT registration_told_kind ON registration IS 'Changes that days bring.';
COMMENT ON CONSTRAINT registration_told_whole ON registration IS 'What was told, and of which end: a renewal makes another.';
CREATE INDEX registration_expires ON registration (expires) WHERE expires IS NOT NULL;
CREATE INDEX scan_job_finished ON scan_job (finished_at) WHERE finished_at IS NOT NULL;

CREATE FUNCTION drop_scan_result_partitions(before timestamptz) RETURNS integer
    LANGUAGE plpgsql AS $body$
DECLARE
    found record;
    dropped integer := 0;
BEGIN
    FOR found IN
        SELECT c.relname AS name, to_date(right(c.relname, 7), 'YYYY_MM') AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'scan_result'::regclass AND c.relname ~ '^scan_result_\d{4}_\d{2}$'
    LOOP
        IF (found.month + interval '1 month') AT TIME ZONE 'UTC' <= before THEN
            EXECUTE format('DROP TABLE %I', found.name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$body$;
COMMENT ON FUNCTION drop_scan_result_partitions IS 'Drops the months of results that ended before a moment; returns how many.';
