DROP TRIGGER change_moves_lead ON change;
DROP FUNCTION lead_note_changes();
DROP INDEX lead_tags;
DROP INDEX lead_favourite;
DROP INDEX lead_mark;
DROP INDEX lead_market;
DROP INDEX lead_changed;
DROP INDEX lead_confidence;
CREATE INDEX lead_confidence ON lead (coalesce(confidence, -1), domain);
CREATE INDEX lead_score ON lead (coalesce(score, -1), domain);
ALTER TABLE lead ALTER COLUMN search SET STATISTICS -1;
ALTER TABLE lead
    DROP COLUMN market, DROP COLUMN last_changed_at, DROP COLUMN mark, DROP COLUMN is_favourite,
    DROP COLUMN tags;
