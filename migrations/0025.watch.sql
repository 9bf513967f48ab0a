-- What differs from what is known waits for a second look; changes are numbered for each domain.
-- depends: 0014.registration

ALTER TABLE lead
    ADD COLUMN change_sequence bigint NOT NULL DEFAULT 0,
    ADD COLUMN scan_depth text,
    ADD COLUMN pending jsonb,
    ADD COLUMN pending_since timestamptz,
    ADD COLUMN pending_fingerprint text,
    ADD CONSTRAINT lead_scan_depth_known CHECK (scan_depth IN ('quick', 'full')),
    ADD CONSTRAINT lead_pending_whole CHECK (
        (pending IS NULL) = (pending_since IS NULL)
        AND (pending IS NULL) = (pending_fingerprint IS NULL)
    );
COMMENT ON COLUMN lead.change_sequence IS 'Number of the latest change of this domain.';
COMMENT ON COLUMN lead.scan_depth IS 'Deepest scan so far: scans by schedule ask as much.';
COMMENT ON COLUMN lead.pending IS 'Answers not believed yet, hunter.core.pending.Doubt by question; NULL: none.';
COMMENT ON COLUMN lead.pending_fingerprint IS 'Fingerprint of the survey with these answers in it.';
COMMENT ON CONSTRAINT lead_scan_depth_known ON lead IS 'hunter.core.answers.Depth.';
COMMENT ON CONSTRAINT lead_pending_whole ON lead IS 'What waits has its day and its fingerprint.';

ALTER TABLE change
    ADD COLUMN IF NOT EXISTS sequence bigint,
    ADD COLUMN segment text,
    ADD COLUMN provider text,
    ADD COLUMN score smallint;
ALTER TABLE change ALTER COLUMN sequence DROP IDENTITY IF EXISTS;
UPDATE change SET sequence = n.sequence FROM (
    SELECT id, row_number() OVER (PARTITION BY domain ORDER BY at, id) AS sequence FROM change
) AS n WHERE change.id = n.id;
UPDATE lead SET change_sequence = n.latest FROM (
    SELECT domain, max(sequence) AS latest FROM change GROUP BY domain
) AS n WHERE lead.domain = n.domain;
ALTER TABLE change
    ALTER COLUMN sequence SET NOT NULL,
    ADD CONSTRAINT change_sequence_once UNIQUE (domain, sequence);
COMMENT ON CONSTRAINT change_sequence_once ON change IS 'Changes of a domain are counted up by one: who receives them out of order can sort them.';
COMMENT ON COLUMN change.segment IS 'Segment, provider and score of the lead after the change: lists never join.';

DROP INDEX change_domain;
CREATE INDEX change_kind ON change (kind, id);
CREATE INDEX change_segment ON change (segment, id) WHERE segment IS NOT NULL;
