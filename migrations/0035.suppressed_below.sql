-- A suppressed name covers the names below it; small writes are done once too.
-- depends: 0022.suppression 0027.retention 0029.alert 0032.backup_run

CREATE FUNCTION name_and_above(name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_string(l.labels[first:], '.')
    FROM (SELECT string_to_array(name, '.') AS labels) l,
        generate_series(1, greatest(1, cardinality(l.labels) - 1)) AS first
$$;
COMMENT ON FUNCTION name_and_above IS 'A name and those above it of two labels and more: nobody owns what has one.';

-- The pseudonym is of the name itself: two names below one suppressed name stay two.
CREATE OR REPLACE FUNCTION suppressed_among(names text[])
RETURNS TABLE (domain text, pseudonym text) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    key bytea;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4851);
    IF NOT EXISTS (SELECT FROM suppression) THEN
        RETURN;
    END IF;
    SELECT salt INTO key FROM suppression_salt;
    RETURN QUERY
        SELECT n.name, 'suppressed-' || left(encode(sha256(key || convert_to(n.name, 'UTF8')), 'hex'), 16)
        FROM (SELECT DISTINCT unnest(names)) AS n(name)
        WHERE EXISTS (
            SELECT FROM name_and_above(n.name) AS a(name)
            JOIN suppression s ON s.digest = sha256(key || convert_to(a.name, 'UTF8'))
        );
END $$;

CREATE OR REPLACE FUNCTION suppression_guard_lead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM suppression) THEN
        DELETE FROM lead
        USING suppressed_among((SELECT array_agg(added.domain::text) FROM added)) AS s
        WHERE lead.domain = s.domain;
    END IF;
    RETURN NULL;
END $$;

-- Asked once for all names of a statement: an upload adds fifty chunks by one.
CREATE OR REPLACE FUNCTION suppression_guard_chunk() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone text[];
BEGIN
    IF NOT EXISTS (SELECT FROM suppression) THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(s.domain) INTO gone FROM suppressed_among((
        SELECT array_agg(d.name) FROM added CROSS JOIN unnest(added.domains) AS d(name)
    )) s;
    UPDATE scan_chunk c SET domains = (
        SELECT array_agg(coalesce(s.pseudonym, d.name) ORDER BY d.place)
        FROM unnest(c.domains) WITH ORDINALITY AS d(name, place)
        LEFT JOIN suppressed_among(c.domains) s ON s.domain = d.name
    )
    FROM added
    WHERE c.id = added.id AND added.domains && gone;
    RETURN NULL;
END $$;

ALTER TABLE idempotency
    ALTER COLUMN job_id DROP NOT NULL,
    -- of a small write: what it was answered
    ADD COLUMN answer bytea,
    ADD CONSTRAINT idempotency_one_kind CHECK ((job_id IS NULL) <> (answer IS NULL));
COMMENT ON CONSTRAINT idempotency_one_kind ON idempotency IS 'The answer is a job, or stands here.';
