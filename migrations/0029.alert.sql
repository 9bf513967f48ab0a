-- Who is told of changes: endpoints, rules, what the rules matched, and the messages that are to go out.
-- depends: 0021.lead_lists 0025.watch

-- RFC 9562 section 5.7, for rows that a statement makes: PostgreSQL has uuidv7() from version 18 on
CREATE FUNCTION hunter_uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6
        ), 52, 1), 53, 1),
        'hex'
    )::uuid
$$;
COMMENT ON FUNCTION hunter_uuid7 IS 'Version 4 with its first 48 bits replaced by milliseconds and the version by 7.';

CREATE TABLE alert_endpoint (
    id               uuid NOT NULL,
    name             text NOT NULL,
    kind             text NOT NULL,
    language         text NOT NULL DEFAULT 'en',
    -- URL or mail address, sealed: the URLs of chats hold their secret
    target           bytea NOT NULL,
    -- what may be shown of it
    shown            text NOT NULL,
    -- sealed; of a webhook only
    secret           bytea,
    old_secret       bytea,
    old_secret_until timestamptz,
    state            text NOT NULL DEFAULT 'active',
    state_reason     text NOT NULL DEFAULT '',
    -- the breaker: failures since the last success, and until when nothing is sent
    failures         integer NOT NULL DEFAULT 0,
    open_until       timestamptz,
    last_ok_at       timestamptz,
    last_failed_at   timestamptz,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT alert_endpoint_pkey PRIMARY KEY (id),
    CONSTRAINT alert_endpoint_name UNIQUE (name),
    CONSTRAINT alert_endpoint_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT alert_endpoint_kind_known CHECK (kind IN ('webhook', 'email', 'slack', 'teams')),
    CONSTRAINT alert_endpoint_language_known CHECK (language IN ('en', 'tr')),
    CONSTRAINT alert_endpoint_state_known CHECK (state IN ('active', 'disabled')),
    CONSTRAINT alert_endpoint_state_reason CHECK (
        state_reason IN ('', 'gone', 'operator') AND (state = 'active') = (state_reason = '')
    ),
    CONSTRAINT alert_endpoint_secret CHECK ((kind = 'webhook') = (secret IS NOT NULL)),
    CONSTRAINT alert_endpoint_old_secret CHECK (
        (old_secret IS NULL) = (old_secret_until IS NULL) AND (old_secret IS NULL OR secret IS NOT NULL)
    ),
    CONSTRAINT alert_endpoint_failures CHECK (failures >= 0)
);

COMMENT ON TABLE alert_endpoint IS 'Where messages go: a webhook, a mailbox, a channel of a chat. Its breaker is here, for all workers.';
COMMENT ON CONSTRAINT alert_endpoint_pkey ON alert_endpoint IS 'UUIDv7.';
COMMENT ON CONSTRAINT alert_endpoint_name ON alert_endpoint IS 'People tell endpoints apart by name.';
COMMENT ON CONSTRAINT alert_endpoint_name_length ON alert_endpoint IS 'A name, not a text.';
COMMENT ON CONSTRAINT alert_endpoint_kind_known ON alert_endpoint IS 'hunter.core.channels.Channel.';
COMMENT ON CONSTRAINT alert_endpoint_language_known ON alert_endpoint IS 'hunter.core.advice.Language.';
COMMENT ON CONSTRAINT alert_endpoint_state_known ON alert_endpoint IS 'disabled: nothing is sent; what is due waits, and dies after the last step of the ladder.';
COMMENT ON CONSTRAINT alert_endpoint_state_reason ON alert_endpoint IS 'gone: it answered 410; operator: somebody switched it off.';
COMMENT ON CONSTRAINT alert_endpoint_secret ON alert_endpoint IS 'Webhooks are signed, the others have no place for a signature.';
COMMENT ON CONSTRAINT alert_endpoint_old_secret ON alert_endpoint IS 'After a rotation both secrets sign until the old one ends.';
COMMENT ON CONSTRAINT alert_endpoint_failures ON alert_endpoint IS 'A count.';

CREATE TABLE alert_rule (
    id             uuid NOT NULL,
    name           text NOT NULL,
    is_enabled     boolean NOT NULL DEFAULT true,
    kinds          text[] NOT NULL,
    -- NULL in a filter: any
    segments       text[],
    providers      text[],
    min_score      smallint,
    -- 1 is the most urgent: this one and those above it
    lowest_priority smallint,
    tags           text[],
    domains        text[],
    markets        text[],
    cadence        text NOT NULL DEFAULT 'immediate',
    timezone       text NOT NULL DEFAULT 'UTC',
    digest_hour    smallint NOT NULL DEFAULT 8,
    digest_at      timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz,

    CONSTRAINT alert_rule_pkey PRIMARY KEY (id),
    CONSTRAINT alert_rule_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT alert_rule_kinds_notify CHECK (
        cardinality(kinds) > 0 AND kinds <@ ARRAY[
            'mx_changed', 'provider_changed', 'gateway_changed', 'gateway_removed', 'spf_changed',
            'dkim_changed', 'dkim_key_rotated', 'dmarc_added', 'dmarc_removed',
            'dmarc_strengthened', 'dmarc_weakened', 'product_added', 'product_removed',
            'score_changed', 'segment_changed', 'tenant_state_changed', 'nameserver_changed',
            'expire_soon', 'expired', 'domain_gone', 'dane_ready'
        ]
    ),
    CONSTRAINT alert_rule_segments_known CHECK (
        segments <@ ARRAY['migration', 'existing', 'cold', 'skip', 'unknown']
    ),
    CONSTRAINT alert_rule_min_score_range CHECK (min_score BETWEEN 0 AND 100),
    CONSTRAINT alert_rule_priority_range CHECK (lowest_priority BETWEEN 1 AND 6),
    CONSTRAINT alert_rule_cadence_known CHECK (cadence IN ('immediate', 'daily')),
    CONSTRAINT alert_rule_digest_hour CHECK (digest_hour BETWEEN 0 AND 23),
    CONSTRAINT alert_rule_digest_at CHECK ((cadence = 'daily') = (digest_at IS NOT NULL))
);

COMMENT ON TABLE alert_rule IS 'Which changes somebody wants to hear of. A deleted rule matches nothing and is kept while its alerts are.';
COMMENT ON CONSTRAINT alert_rule_pkey ON alert_rule IS 'UUIDv7.';
COMMENT ON CONSTRAINT alert_rule_name_length ON alert_rule IS 'A name, not a text.';
COMMENT ON CONSTRAINT alert_rule_kinds_notify ON alert_rule IS 'The kinds of change that may notify a customer; what other rules or an outage did is not among them.';
COMMENT ON CONSTRAINT alert_rule_segments_known ON alert_rule IS 'hunter.core.judgement.Segment.';
COMMENT ON CONSTRAINT alert_rule_min_score_range ON alert_rule IS 'A score.';
COMMENT ON CONSTRAINT alert_rule_priority_range ON alert_rule IS 'P1 to P6.';
COMMENT ON CONSTRAINT alert_rule_cadence_known ON alert_rule IS 'daily: one message a day, none when there is nothing to tell.';
COMMENT ON CONSTRAINT alert_rule_digest_hour ON alert_rule IS 'An hour of the day in the time zone of the rule.';
COMMENT ON CONSTRAINT alert_rule_digest_at ON alert_rule IS 'A daily rule has its next instant.';

CREATE INDEX alert_rule_live ON alert_rule (id) WHERE deleted_at IS NULL;
CREATE INDEX alert_rule_digest ON alert_rule (digest_at) WHERE digest_at IS NOT NULL;

CREATE TABLE alert_rule_endpoint (
    rule_id     uuid NOT NULL,
    endpoint_id uuid NOT NULL,

    CONSTRAINT alert_rule_endpoint_pkey PRIMARY KEY (rule_id, endpoint_id),
    CONSTRAINT alert_rule_endpoint_rule_fkey FOREIGN KEY (rule_id)
        REFERENCES alert_rule (id) ON DELETE CASCADE,
    CONSTRAINT alert_rule_endpoint_endpoint_fkey FOREIGN KEY (endpoint_id)
        REFERENCES alert_endpoint (id)
);

COMMENT ON TABLE alert_rule_endpoint IS 'Where a rule tells what it matches.';
COMMENT ON CONSTRAINT alert_rule_endpoint_pkey ON alert_rule_endpoint IS 'A rule tells an endpoint once.';
COMMENT ON CONSTRAINT alert_rule_endpoint_rule_fkey ON alert_rule_endpoint IS 'Goes with its rule.';
COMMENT ON CONSTRAINT alert_rule_endpoint_endpoint_fkey ON alert_rule_endpoint IS 'An endpoint in use is not deleted.';

CREATE INDEX alert_rule_endpoint_endpoint ON alert_rule_endpoint (endpoint_id);

CREATE TABLE alert_event (
    change_id uuid NOT NULL,
    domain    text COLLATE "C" NOT NULL,
    kind      text NOT NULL,
    at        timestamptz NOT NULL,
    sequence  bigint NOT NULL,
    content   jsonb NOT NULL,

    CONSTRAINT alert_event_pkey PRIMARY KEY (change_id),
    CONSTRAINT alert_event_kind_notifies CHECK (kind NOT IN (
        'reclassified', 'fact_table_effect', 'observation_failed', 'scan_health_degraded'
    ))
);

COMMENT ON TABLE alert_event IS 'What is told of a change, as it was when it was written: the record before and after, and the lead without contacts.';
COMMENT ON CONSTRAINT alert_event_pkey ON alert_event IS 'The change; once, however many rules match it.';
COMMENT ON CONSTRAINT alert_event_kind_notifies ON alert_event IS 'What other rules or an outage did never notifies a customer.';

CREATE INDEX alert_event_domain ON alert_event (domain);
CREATE INDEX alert_event_at ON alert_event (at);

CREATE TABLE alert (
    id              uuid NOT NULL,
    rule_id         uuid NOT NULL,
    change_id       uuid NOT NULL,
    domain          text COLLATE "C" NOT NULL,
    kind            text NOT NULL,
    raised_at       timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    acknowledged_by text,
    -- of a daily rule: waits, then the day whose digest tells it
    awaits_digest   boolean NOT NULL DEFAULT false,
    digest_day      date,

    CONSTRAINT alert_pkey PRIMARY KEY (id),
    CONSTRAINT alert_once UNIQUE (rule_id, change_id),
    CONSTRAINT alert_digested_once CHECK (NOT awaits_digest OR digest_day IS NULL),
    CONSTRAINT alert_acknowledged_whole CHECK (
        (acknowledged_at IS NULL) = (acknowledged_by IS NULL)
    )
);

-- No foreign keys, as in change: alerts are written while leads are locked, hundreds at a time.
COMMENT ON TABLE alert IS 'One rule matched one change; written in the transaction of the change.';
COMMENT ON CONSTRAINT alert_pkey ON alert IS 'UUIDv7.';
COMMENT ON CONSTRAINT alert_once ON alert IS 'A change is one alert of a rule, however often its transaction is run.';
COMMENT ON CONSTRAINT alert_digested_once ON alert IS 'What a digest told does not wait for another.';
COMMENT ON CONSTRAINT alert_acknowledged_whole ON alert IS 'Somebody did it at some time, or nobody did.';

CREATE INDEX alert_domain ON alert (domain);
CREATE INDEX alert_change ON alert (change_id);
CREATE INDEX alert_open ON alert (id) WHERE acknowledged_at IS NULL;
CREATE INDEX alert_awaits_digest ON alert (rule_id) WHERE awaits_digest;
CREATE INDEX alert_digest ON alert (rule_id, digest_day) WHERE digest_day IS NOT NULL;
CREATE INDEX alert_raised ON alert (raised_at);

CREATE TABLE delivery (
    id          uuid NOT NULL,
    kind        text NOT NULL,
    rule_id     uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    change_id   uuid,
    digest_day  date,
    domain      text COLLATE "C",
    state       text NOT NULL DEFAULT 'ready',
    epoch       integer NOT NULL DEFAULT 0,
    -- ready: when it is tried next; leased: when the lease ends
    due_at      timestamptz NOT NULL DEFAULT now(),
    -- tries of this round; a replay begins a new one
    attempts    integer NOT NULL DEFAULT 0,
    -- when the round began
    since       timestamptz NOT NULL DEFAULT now(),
    replays     integer NOT NULL DEFAULT 0,
    -- written before the first try and never changed
    body        bytea,
    last_error  text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,

    CONSTRAINT delivery_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_kind_known CHECK (kind IN ('event', 'digest', 'test')),
    CONSTRAINT delivery_subject CHECK (
        (kind = 'event') = (change_id IS NOT NULL)
        AND (kind = 'digest') = (digest_day IS NOT NULL)
        AND (change_id IS NULL) = (domain IS NULL)
    ),
    CONSTRAINT delivery_event_once UNIQUE (rule_id, change_id, endpoint_id),
    CONSTRAINT delivery_digest_once UNIQUE (rule_id, digest_day, endpoint_id),
    CONSTRAINT delivery_state_known CHECK (state IN ('ready', 'leased', 'done', 'dead')),
    CONSTRAINT delivery_ended CHECK ((state IN ('done', 'dead')) = (ended_at IS NOT NULL)),
    CONSTRAINT delivery_error_known CHECK (last_error IN (
        'no_host', 'unresolved', 'forbidden', 'unreachable', 'certificate', 'timeout', 'protocol',
        'redirect', 'status', 'throttled', 'gone', 'refused', 'deferred', 'unsealable', 'unset',
        'expired', 'rule_deleted', 'internal'
    )),
    CONSTRAINT delivery_dead_has_error CHECK (state <> 'dead' OR last_error IS NOT NULL)
);

COMMENT ON TABLE delivery IS 'One message to one endpoint. Its id is what the receiver knows it by, the same at every try.';
COMMENT ON CONSTRAINT delivery_pkey ON delivery IS 'UUIDv7.';
COMMENT ON CONSTRAINT delivery_kind_known ON delivery IS 'event: one change; digest: a day of a rule; test: somebody pressed the button.';
COMMENT ON CONSTRAINT delivery_subject ON delivery IS 'What it tells of goes with its kind.';
COMMENT ON CONSTRAINT delivery_event_once ON delivery IS 'A rule tells an endpoint of a change once.';
COMMENT ON CONSTRAINT delivery_digest_once ON delivery IS 'A rule tells an endpoint of a day once.';
COMMENT ON CONSTRAINT delivery_state_known ON delivery IS 'ready → leased → done | ready again | dead; leased past due_at may be claimed by anybody.';
COMMENT ON CONSTRAINT delivery_ended ON delivery IS 'What is over has an end.';
COMMENT ON CONSTRAINT delivery_error_known ON delivery IS 'hunter.core.channels.Outcome, without ok.';
COMMENT ON CONSTRAINT delivery_dead_has_error ON delivery IS 'Nothing is given up without a reason.';

CREATE INDEX delivery_due ON delivery (endpoint_id, due_at) WHERE state IN ('ready', 'leased');
CREATE INDEX delivery_ended_at ON delivery (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX delivery_domain ON delivery (domain) WHERE domain IS NOT NULL;
CREATE INDEX delivery_rule ON delivery (rule_id, id);
CREATE INDEX delivery_endpoint ON delivery (endpoint_id, id);
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';

CREATE TABLE delivery_attempt (
    delivery_id uuid NOT NULL,
    epoch       integer NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    outcome     text NOT NULL,
    -- HTTP status or SMTP reply code, NULL when there was no answer
    status      smallint,
    duration_ms integer NOT NULL,
    -- what the endpoint said, cut short
    detail      text NOT NULL,

    CONSTRAINT delivery_attempt_pkey PRIMARY KEY (delivery_id, epoch),
    CONSTRAINT delivery_attempt_delivery_fkey FOREIGN KEY (delivery_id)
        REFERENCES delivery (id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT delivery_attempt_outcome_known CHECK (outcome IN (
        'ok', 'no_host', 'unresolved', 'forbidden', 'unreachable', 'certificate', 'timeout',
        'protocol', 'redirect', 'status', 'throttled', 'gone', 'refused', 'deferred', 'unsealable',
        'unset', 'internal'
    )),
    CONSTRAINT delivery_attempt_detail_length CHECK (length(detail) <= 500)
);

COMMENT ON TABLE delivery_attempt IS 'Every try that was recorded. A worker killed in between leaves none: then the endpoint may have seen the message twice.';
COMMENT ON CONSTRAINT delivery_attempt_pkey ON delivery_attempt IS 'A lease is one try.';
COMMENT ON CONSTRAINT delivery_attempt_delivery_fkey ON delivery_attempt IS 'Goes with its message.';
COMMENT ON CONSTRAINT delivery_attempt_outcome_known ON delivery_attempt IS 'hunter.core.channels.Outcome.';
COMMENT ON CONSTRAINT delivery_attempt_detail_length ON delivery_attempt IS 'An endpoint does not fill our disk.';
