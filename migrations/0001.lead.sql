-- A lead: one row per company domain, with what ingest told us and the current judgement.
-- depends:

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE lead (
    domain          text COLLATE "C" NOT NULL,
    display_name    text NOT NULL,
    company_name    text,
    source          text,
    notes           text,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    -- folded in Python (fold of domain, display name and company): unaccent is not immutable
    search          text COLLATE "C" NOT NULL,

    scan_status     text NOT NULL DEFAULT 'pending',
    last_scanned_at timestamptz,
    next_scan_at    timestamptz,
    provider        text,
    mx_operator     text,
    gateway         text,
    local_provider  boolean,
    mail_state      text,
    tenant_state    text,
    tenant_name     text,
    segment         text,
    priority        smallint,
    score           smallint,
    fit             smallint,
    urgency         smallint,
    confidence      real,
    posture         text,
    dmarc_policy    text,
    reason          text,
    rules_version   text,
    fingerprint     text,
    observation_id  uuid,
    judgement       jsonb,
    seen            jsonb,

    -- priority, then score, then confidence, best first, as one number that an index can hold
    call_rank       integer NOT NULL GENERATED ALWAYS AS (
        coalesce(priority::integer, 7) * 10000000
        + (1000 - coalesce(score::integer, 0)) * 10000
        + (1001 - coalesce(round(confidence::numeric * 1000)::integer, -1))
    ) STORED,

    CONSTRAINT lead_pkey PRIMARY KEY (domain),
    CONSTRAINT lead_domain_canonical CHECK (
        domain = lower(domain) AND length(domain) BETWEEN 1 AND 253 AND right(domain, 1) <> '.'
    ),
    CONSTRAINT lead_scan_status_known CHECK (scan_status IN ('pending', 'ok', 'unknown', 'failed')),
    CONSTRAINT lead_segment_known CHECK (
        segment IN ('migration', 'existing', 'cold', 'skip', 'unknown')
    ),
    CONSTRAINT lead_tenant_state_known CHECK (tenant_state IN (
        'm365_mail', 'm365_mail_probable', 'tenant_without_mail', 'migrating_in',
        'migrating_out', 'no_microsoft', 'unknown'
    )),
    CONSTRAINT lead_mail_state_known CHECK (mail_state IN (
        'forwarding', 'parked', 'consumer', 'no_mail', 'no_mail_likely', 'domain_missing',
        'mail', 'unknown'
    )),
    CONSTRAINT lead_dmarc_policy_known CHECK (
        dmarc_policy IN ('reject', 'quarantine', 'none', 'absent', 'unknown')
    ),
    CONSTRAINT lead_posture_grade CHECK (posture IN ('A', 'B', 'C', 'D', 'E', 'F')),
    CONSTRAINT lead_priority_range CHECK (priority BETWEEN 1 AND 6),
    CONSTRAINT lead_score_adds_up CHECK (score = fit + urgency AND score BETWEEN 0 AND 100),
    CONSTRAINT lead_confidence_range CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT lead_judged_whole CHECK (
        (judgement IS NULL) = (last_scanned_at IS NULL)
        AND (judgement IS NULL) = (priority IS NULL)
        AND (judgement IS NULL) = (fingerprint IS NULL)
    )
) WITH (fillfactor = 85);

COMMENT ON TABLE lead IS 'One row per company domain: what ingest told us and the current judgement.';
COMMENT ON CONSTRAINT lead_pkey ON lead IS 'A domain is one lead, whoever names it and how often.';
COMMENT ON CONSTRAINT lead_domain_canonical ON lead IS 'Lower-case A-label without the trailing dot; length by RFC 1035 section 2.3.4.';
COMMENT ON CONSTRAINT lead_scan_status_known ON lead IS 'hunter.core.judgement.ScanStatus.';
COMMENT ON CONSTRAINT lead_segment_known ON lead IS 'hunter.core.judgement.Segment.';
COMMENT ON CONSTRAINT lead_tenant_state_known ON lead IS 'The seven states of a Microsoft tenant.';
COMMENT ON CONSTRAINT lead_mail_state_known ON lead IS 'What the domain does with mail.';
COMMENT ON CONSTRAINT lead_dmarc_policy_known ON lead IS 'RFC 9989 policies; absent is proved, unknown is not.';
COMMENT ON CONSTRAINT lead_posture_grade ON lead IS 'School grade of mail security; NULL when not known.';
COMMENT ON CONSTRAINT lead_priority_range ON lead IS '1 is called first, 6 is not called.';
COMMENT ON CONSTRAINT lead_score_adds_up ON lead IS 'Score is fit plus urgency, no hidden third.';
COMMENT ON CONSTRAINT lead_confidence_range ON lead IS 'A probability; NULL when the deciding questions were not answered.';
COMMENT ON CONSTRAINT lead_judged_whole ON lead IS 'A judgement is there with its date, priority and fingerprint, or not at all.';
COMMENT ON COLUMN lead.seen IS 'Dates of each signal by name: hunter.core.judgement.SignalDates (ADR 0004).';
COMMENT ON COLUMN lead.last_scanned_at IS 'Start of the survey behind the judgement, on the database clock; an older survey never overwrites it.';

CREATE INDEX lead_call ON lead (call_rank, domain);
CREATE INDEX lead_score ON lead (coalesce(score, -1), domain);
CREATE INDEX lead_confidence ON lead (coalesce(confidence, -1), domain);
CREATE INDEX lead_scanned ON lead (coalesce(last_scanned_at, '-infinity'::timestamptz), domain);
CREATE INDEX lead_segment ON lead (segment, call_rank, domain);
CREATE INDEX lead_provider ON lead (provider, call_rank, domain);
CREATE INDEX lead_mx_operator ON lead (mx_operator, call_rank, domain);
CREATE INDEX lead_gateway ON lead (gateway, call_rank, domain) WHERE gateway IS NOT NULL;
CREATE INDEX lead_tenant_state ON lead (tenant_state, call_rank, domain);
CREATE INDEX lead_mail_state ON lead (mail_state, call_rank, domain);
CREATE INDEX lead_due ON lead (next_scan_at) WHERE next_scan_at IS NOT NULL;
CREATE INDEX lead_search ON lead USING gin (search gin_trgm_ops);
