DELETE FROM idempotency WHERE job_id IS NULL;
ALTER TABLE idempotency
    DROP CONSTRAINT idempotency_one_kind,
    DROP COLUMN answer,
    ALTER COLUMN job_id SET NOT NULL;

CREATE OR REPLACE FUNCTION suppression_guard_chunk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM suppression) THEN
        UPDATE scan_chunk c SET domains = (
            SELECT array_agg(coalesce(s.pseudonym, d.name) ORDER BY d.place)
            FROM unnest(c.domains) WITH ORDINALITY AS d(name, place)
            LEFT JOIN suppressed_among(c.domains) s ON s.domain = d.name
        )
        FROM added
        WHERE c.id = added.id AND EXISTS (SELECT FROM suppressed_among(added.domains));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION suppression_guard_lead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM suppression) THEN
        DELETE FROM lead USING added
        WHERE lead.domain = added.domain
          AND EXISTS (SELECT FROM suppression WHERE digest = suppression_digest(added.domain));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION suppressed_among(names text[])
RETURNS TABLE (domain text, pseudonym text) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4851);
    IF NOT EXISTS (SELECT FROM suppression) THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT n.name, 'suppressed-' || left(encode(s.digest, 'hex'), 16)
        FROM unnest(names) AS n(name) JOIN suppression s ON s.digest = suppression_digest(n.name);
END $$;

DROP FUNCTION name_and_above(text);
