-- Rare values of a filter in call order: without these a page reads the whole list to find them.
-- depends: 0009.worker_process

CREATE INDEX lead_scan_status ON lead (scan_status, call_rank, domain) WHERE scan_status <> 'ok';
CREATE INDEX lead_dmarc_policy ON lead (dmarc_policy, call_rank, domain)
    WHERE dmarc_policy IN ('reject', 'quarantine');
CREATE INDEX lead_posture ON lead (posture, call_rank, domain);
