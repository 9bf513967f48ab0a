-- Names that are never to be scanned, taken in or stored again; and what people say is wrong.
-- depends: 0021.lead_lists

CREATE TABLE suppression_salt (
    is_only boolean NOT NULL DEFAULT true,
    salt    bytea NOT NULL,

    CONSTRAINT suppression_salt_pkey PRIMARY KEY (is_only),
    CONSTRAINT suppression_salt_one CHECK (is_only)
);
COMMENT ON TABLE suppression_salt IS 'What digests of suppressed names are keyed with; lives and dies with them, so that no rotation brings a name back.';
COMMENT ON CONSTRAINT suppression_salt_pkey ON suppression_salt IS 'One row.';
COMMENT ON CONSTRAINT suppression_salt_one ON suppression_salt IS 'One row.';

-- 244 random bits out of what every supported PostgreSQL has
INSERT INTO suppression_salt (salt)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE TABLE suppression (
    id          uuid NOT NULL,
    digest      bytea NOT NULL,
    reason      text NOT NULL,
    caller      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT suppression_pkey PRIMARY KEY (id),
    CONSTRAINT suppression_digest_once UNIQUE (digest),
    CONSTRAINT suppression_digest_whole CHECK (length(digest) = 32),
    CONSTRAINT suppression_reason_short CHECK (length(reason) <= 300)
);
COMMENT ON TABLE suppression IS 'Deleted names, of which only a keyed digest is left.';
COMMENT ON CONSTRAINT suppression_pkey ON suppression IS 'UUIDv7.';
COMMENT ON CONSTRAINT suppression_digest_once ON suppression IS 'A name is suppressed once.';
COMMENT ON CONSTRAINT suppression_digest_whole ON suppression IS 'SHA-256.';
COMMENT ON CONSTRAINT suppression_reason_short ON suppression IS 'A sentence.';

CREATE FUNCTION suppression_digest(name text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(salt || convert_to(name, 'UTF8')) FROM suppression_salt
$$;

-- Whoever stores names holds this lock shared until its transaction ends, and a deletion holds it
-- alone: what it does not see was not stored, and what is stored later was asked first.
CREATE FUNCTION suppressed_among(names text[])
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

CREATE FUNCTION suppression_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4851);
    RETURN NULL;
END $$;

-- A statement's own view of the list may be older than its lock; that of these functions is not.
CREATE FUNCTION suppression_guard_lead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM suppression) THEN
        DELETE FROM lead USING added
        WHERE lead.domain = added.domain
          AND EXISTS (SELECT FROM suppression WHERE digest = suppression_digest(added.domain));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION suppression_guard_chunk() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER suppression_wait BEFORE INSERT ON lead
    FOR EACH STATEMENT EXECUTE FUNCTION suppression_wait();
CREATE TRIGGER suppression_guard AFTER INSERT ON lead
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION suppression_guard_lead();
CREATE TRIGGER suppression_wait BEFORE INSERT ON scan_chunk
    FOR EACH STATEMENT EXECUTE FUNCTION suppression_wait();
CREATE TRIGGER suppression_guard AFTER INSERT ON scan_chunk
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION suppression_guard_chunk();
COMMENT ON TRIGGER suppression_guard ON lead IS 'No suppressed name becomes a lead, whoever stores it.';
COMMENT ON TRIGGER suppression_guard ON scan_chunk IS 'No suppressed name is scanned: its place is taken by a pseudonym.';

CREATE TABLE lead_label (
    id            uuid NOT NULL,
    domain        text COLLATE "C" NOT NULL,
    caller        text NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    provider      text,
    tenant_state  text,
    segment       text,
    comment       text NOT NULL DEFAULT '',
    -- what Hunter said then
    said          jsonb NOT NULL,

    CONSTRAINT lead_label_pkey PRIMARY KEY (id),
    CONSTRAINT lead_label_domain_fkey FOREIGN KEY (domain) REFERENCES lead (domain) ON DELETE CASCADE,
    CONSTRAINT lead_label_says_something CHECK (
        provider IS NOT NULL OR tenant_state IS NOT NULL OR segment IS NOT NULL OR comment <> ''
    ),
    CONSTRAINT lead_label_segment_known CHECK (
        segment IN ('migration', 'existing', 'cold', 'skip', 'unknown')
    ),
    CONSTRAINT lead_label_tenant_state_known CHECK (tenant_state IN (
        'm365_mail', 'm365_mail_probable', 'tenant_without_mail', 'migrating_in',
        'migrating_out', 'no_microsoft', 'unknown'
    )),
    CONSTRAINT lead_label_comment_short CHECK (length(comment) <= 2000)
);
COMMENT ON TABLE lead_label IS 'What people who know say of a lead, against what Hunter said: rows for hunter rules fit.';
COMMENT ON CONSTRAINT lead_label_pkey ON lead_label IS 'UUIDv7.';
COMMENT ON CONSTRAINT lead_label_domain_fkey ON lead_label IS 'Labels go with their lead.';
COMMENT ON CONSTRAINT lead_label_says_something ON lead_label IS 'An empty label tells nothing.';
COMMENT ON CONSTRAINT lead_label_segment_known ON lead_label IS 'hunter.core.judgement.Segment.';
COMMENT ON CONSTRAINT lead_label_tenant_state_known ON lead_label IS 'The seven states of a Microsoft tenant.';
COMMENT ON CONSTRAINT lead_label_comment_short ON lead_label IS 'A remark, not a document.';

CREATE INDEX lead_label_domain ON lead_label (domain, id);
