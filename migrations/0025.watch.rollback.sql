DROP INDEX change_segment;
DROP INDEX change_kind;
CREATE INDEX change_domain ON change (domain, at DESC);
ALTER TABLE change
    DROP CONSTRAINT change_sequence_once,
    DROP COLUMN score,
    DROP COLUMN provider,
    DROP COLUMN segment,
    DROP COLUMN sequence;
ALTER TABLE lead
    DROP CONSTRAINT lead_pending_whole,
    DROP CONSTRAINT lead_scan_depth_known,
    DROP COLUMN pending_fingerprint,
    DROP COLUMN pending_since,
    DROP COLUMN pending,
    DROP COLUMN scan_depth,
    DROP COLUMN change_sequence;
