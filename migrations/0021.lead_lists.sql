-- What people note about a lead, and the indexes that lists of leads walk.
-- depends: 0014.registration

ALTER TABLE lead
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN is_favourite boolean NOT NULL DEFAULT false,
    ADD COLUMN mark text,
    ADD COLUMN last_changed_at timestamptz,
    ADD COLUMN market text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
        coalesce(substring(domain FROM '\.([a-z0-9]{2})$'), 'global')
    ) STORED;

ALTER TABLE lead
    ADD CONSTRAINT lead_mark_known CHECK (mark IN ('called', 'won', 'lost')),
    ADD CONSTRAINT lead_tags_few CHECK (cardinality(tags) <= 50);

COMMENT ON CONSTRAINT lead_mark_known ON lead IS 'How far a salesperson came; NULL: nobody called.';
COMMENT ON CONSTRAINT lead_tags_few ON lead IS 'A tag is a label, not a place to keep things.';
COMMENT ON COLUMN lead.tags IS 'Sorted, each once.';
COMMENT ON COLUMN lead.last_changed_at IS 'Time of the latest change of its records, as the table change has it.';
COMMENT ON COLUMN lead.market IS 'hunter.core.identity.market_of.';

-- Terms of a search are common or rare: the planner is to see which from the histogram.
ALTER TABLE lead ALTER COLUMN search SET STATISTICS 500;

-- In call order a list by score is a merge of six stretches, one of each priority.
DROP INDEX lead_score;
DROP INDEX lead_confidence;
CREATE INDEX lead_confidence ON lead (coalesce(segment, ''), coalesce(confidence, -1), domain);
CREATE INDEX lead_changed ON lead (coalesce(last_changed_at, '-infinity'::timestamptz), domain);
CREATE INDEX lead_market ON lead (market, call_rank, domain);
CREATE INDEX lead_mark ON lead (mark, call_rank, domain) WHERE mark IS NOT NULL;
CREATE INDEX lead_favourite ON lead (call_rank, domain) WHERE is_favourite;
CREATE INDEX lead_tags ON lead USING gin (tags) WHERE tags <> '{}';

-- A change of records moves its lead; what rules and tables did to it does not.
CREATE FUNCTION lead_note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE lead SET last_changed_at = c.at
    FROM (
        SELECT domain, max(at) AS at FROM added
        WHERE kind NOT IN (
            'reclassified', 'fact_table_effect', 'observation_failed', 'scan_health_degraded'
        )
        GROUP BY domain
    ) c
    WHERE lead.domain = c.domain
      AND (lead.last_changed_at IS NULL OR lead.last_changed_at < c.at);
    RETURN NULL;
END $$;

CREATE TRIGGER change_moves_lead AFTER INSERT ON change
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION lead_note_changes();
COMMENT ON TRIGGER change_moves_lead ON change IS 'Keeps lead.last_changed_at, whoever finds the change.';
