-- What each scan said about each domain; one partition a month, so that old months drop at once.
-- depends: 0004.scan_chunk

CREATE TABLE scan_result (
    job_id       uuid NOT NULL,
    domain       text COLLATE "C" NOT NULL,
    outcome      text NOT NULL,
    reason       text,
    scanned_at   timestamptz NOT NULL,
    -- json, not jsonb: written once, handed out as it stands, never searched
    judgement    json,
    -- this scan's own answers where they differ from the observation's merged ones
    survey       json,
    observation_id uuid,

    CONSTRAINT scan_result_pkey PRIMARY KEY (job_id, domain),
    CONSTRAINT scan_result_outcome_known CHECK (outcome IN ('ok', 'unknown', 'failed')),
    CONSTRAINT scan_result_explained CHECK (
        CASE WHEN outcome = 'failed' THEN reason IS NOT NULL ELSE judgement IS NOT NULL END
    )
) PARTITION BY RANGE (job_id);

COMMENT ON TABLE scan_result IS 'One row per domain of a job, written in the transaction that ends its chunk.';
COMMENT ON CONSTRAINT scan_result_pkey ON scan_result IS 'A domain has one result in a job: a second one is a bug and must not commit.';
COMMENT ON CONSTRAINT scan_result_outcome_known ON scan_result IS 'ok: decided; unknown: a deciding question went unanswered; failed: Hunter itself failed.';
COMMENT ON CONSTRAINT scan_result_explained ON scan_result IS 'A failure has its reason, everything else its judgement.';

CREATE TABLE scan_result_default PARTITION OF scan_result DEFAULT;
COMMENT ON TABLE scan_result_default IS 'Results whose month has no partition yet: a safety net that should stay empty.';

-- UUIDv7 starts with 48 bits of milliseconds (RFC 9562 section 5.7), so a month is a range of ids.
CREATE FUNCTION uuid_floor(moment timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

CREATE FUNCTION make_scan_result_partitions(first_month date, months integer) RETURNS integer
    LANGUAGE plpgsql AS $body$
DECLARE
    month timestamptz;
    name text;
    made integer := 0;
BEGIN
    FOR i IN 0 .. months - 1 LOOP
        month := (date_trunc('month', first_month::timestamp) + make_interval(months => i)) AT TIME ZONE 'UTC';
        name := 'scan_result_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF scan_result FOR VALUES FROM (%L) TO (%L)', name,
                uuid_floor(month),
                uuid_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$body$;
COMMENT ON FUNCTION make_scan_result_partitions IS 'Makes the partitions of some months from the given one on; returns how many were missing.';
