-- Stored observations judged anew: the rules that were in force, runs over all leads, and what came of them.
-- depends: 0012.lead_tenant

CREATE TABLE rule_set (
    version       text NOT NULL,
    -- name of each data file to its text
    files         jsonb NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT rule_set_pkey PRIMARY KEY (version)
);

COMMENT ON TABLE rule_set IS 'Every version of the rules that judged here, with its files: what other rules changed can be told from what other records changed.';
COMMENT ON CONSTRAINT rule_set_pkey ON rule_set IS 'The version has digests of what the files say.';

CREATE TABLE change (
    id                 uuid NOT NULL,
    domain             text COLLATE "C" NOT NULL,
    at                 timestamptz NOT NULL DEFAULT now(),
    kind               text NOT NULL,
    before             jsonb NOT NULL,
    after              jsonb NOT NULL,
    observation_before uuid,
    observation_after  uuid,

    CONSTRAINT change_pkey PRIMARY KEY (id),
    CONSTRAINT change_kind_known CHECK (kind IN (
        'mx_changed', 'provider_changed', 'gateway_changed', 'gateway_removed', 'spf_changed',
        'dkim_changed', 'dkim_key_rotated', 'dmarc_added', 'dmarc_removed', 'dmarc_strengthened',
        'dmarc_weakened', 'product_added', 'product_removed', 'score_changed', 'segment_changed',
        'tenant_state_changed', 'nameserver_changed', 'expire_soon', 'expired', 'domain_gone',
        'dane_ready',
        'reclassified', 'fact_table_effect', 'observation_failed', 'scan_health_degraded'
    )),
    CONSTRAINT change_is_one CHECK (before <> after)
);

-- No foreign keys, as in observation: both are written while the lead is locked.
COMMENT ON TABLE change IS 'What became different, of a domain or of what Hunter makes of it; the last four kinds never notify a customer.';
COMMENT ON CONSTRAINT change_pkey ON change IS 'UUIDv7 made by whoever finds the change.';
COMMENT ON CONSTRAINT change_kind_known ON change IS 'reclassified: other rules; fact_table_effect: another fact table; both with the same records.';
COMMENT ON CONSTRAINT change_is_one ON change IS 'Before and after differ.';
COMMENT ON COLUMN change.observation_before IS 'The same as observation_after where records are the same and rules are not.';

CREATE INDEX change_domain ON change (domain, at DESC);
CREATE INDEX change_at ON change (at);

CREATE TABLE rejudge_run (
    id            uuid NOT NULL,
    kind          text NOT NULL,
    rules_version text NOT NULL,
    as_of         date NOT NULL,
    state         text NOT NULL,
    -- leads judged to see how many providers would change, and how many did
    measured      integer NOT NULL DEFAULT 0,
    would_change  integer NOT NULL DEFAULT 0,
    rejudged      bigint NOT NULL DEFAULT 0,
    changed       bigint NOT NULL DEFAULT 0,
    -- the pass under way began when every worker had these rules: nothing is left behind it
    is_last_pass  boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    confirmed_at  timestamptz,
    finished_at   timestamptz,

    CONSTRAINT rejudge_run_pkey PRIMARY KEY (id),
    CONSTRAINT rejudge_run_kind_known CHECK (kind IN ('rules', 'decay')),
    CONSTRAINT rejudge_run_state_known CHECK (
        state IN ('measuring', 'held', 'running', 'done', 'superseded')
    ),
    CONSTRAINT rejudge_run_finished CHECK (
        (state IN ('done', 'superseded')) = (finished_at IS NOT NULL)
    ),
    CONSTRAINT rejudge_run_counts CHECK (would_change <= measured AND changed <= rejudged)
);

COMMENT ON TABLE rejudge_run IS 'All leads judged anew: by other rules, or because dated lines lost points since yesterday.';
COMMENT ON CONSTRAINT rejudge_run_pkey ON rejudge_run IS 'UUIDv7.';
COMMENT ON CONSTRAINT rejudge_run_kind_known ON rejudge_run IS 'Of kind decay nothing is a change.';
COMMENT ON CONSTRAINT rejudge_run_state_known ON rejudge_run IS 'held: too many providers would change; `hunter rules apply` lets it go on.';
COMMENT ON CONSTRAINT rejudge_run_finished ON rejudge_run IS 'What is over has an end.';
COMMENT ON CONSTRAINT rejudge_run_counts ON rejudge_run IS 'A part is not more than the whole.';

CREATE UNIQUE INDEX rejudge_run_open ON rejudge_run (kind)
    WHERE state IN ('measuring', 'held', 'running');
CREATE UNIQUE INDEX rejudge_run_day ON rejudge_run (rules_version, as_of) WHERE kind = 'decay';
CREATE INDEX rejudge_run_created ON rejudge_run (created_at);

CREATE TABLE rejudge_slice (
    run_id   uuid NOT NULL,
    number   integer NOT NULL,
    -- leads after this domain, up to and with the other, are still to be judged
    position text COLLATE "C" NOT NULL,
    upto     text COLLATE "C" NOT NULL,

    CONSTRAINT rejudge_slice_pkey PRIMARY KEY (run_id, number),
    CONSTRAINT rejudge_slice_run_id_fkey FOREIGN KEY (run_id)
        REFERENCES rejudge_run (id) ON DELETE CASCADE
);

COMMENT ON TABLE rejudge_slice IS 'What is left of a run: a worker holds the row locked for one batch and moves it on in the same transaction.';
COMMENT ON CONSTRAINT rejudge_slice_pkey ON rejudge_slice IS 'A slice is one stretch of names.';
COMMENT ON CONSTRAINT rejudge_slice_run_id_fkey ON rejudge_slice IS 'Without its run a slice is nothing.';

ALTER TABLE lead
    ADD COLUMN judged_on date,
    ADD COLUMN decays boolean NOT NULL DEFAULT false,
    ADD COLUMN judgement_digest bigint;

COMMENT ON COLUMN lead.judged_on IS 'The day (UTC) the judgement is of; dated lines are worth less the day after.';
COMMENT ON COLUMN lead.decays IS 'The same records may be judged otherwise on another day.';
COMMENT ON COLUMN lead.judgement_digest IS 'Over the judgement without rules_version, which the column has: equal, nothing is to be written.';

-- neither rules_version nor judged_on is indexed: where its page has room, an unchanged lead is moved on by a HOT update
CREATE INDEX lead_decays ON lead (domain) WHERE decays;

ALTER TABLE worker_process ADD COLUMN rules_version text;
COMMENT ON COLUMN worker_process.rules_version IS 'The rules this worker judges by; NULL: a build that does not say.';
