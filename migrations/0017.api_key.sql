-- Keys of callers: what each may do, how much, and until when; the secret itself is never stored.
-- depends: 0014.registration

CREATE TABLE api_key (
    -- the middle part of hk_<id>_<secret>; also how the caller is called in jobs and logs
    id              text CONSTRAINT api_key_pkey PRIMARY KEY
                    CONSTRAINT api_key_id_form CHECK (id ~ '^[a-z2-7]{16}$'),
    name            text NOT NULL
                    CONSTRAINT api_key_name_length CHECK (length(name) BETWEEN 1 AND 100),
    -- HMAC-SHA256 of the whole key under HUNTER_KEY_PEPPER
    digest          bytea NOT NULL
                    CONSTRAINT api_key_digest_length CHECK (octet_length(digest) = 32),
    -- the secret before the last rotation, until when it still counts
    previous_digest bytea
                    CONSTRAINT api_key_previous_length CHECK (octet_length(previous_digest) = 32),
    previous_until  timestamptz,
    scopes          text[] NOT NULL
                    CONSTRAINT api_key_scopes_known CHECK (
                        cardinality(scopes) > 0 AND scopes <@ ARRAY[
                            'scan:read', 'scan:write', 'leads:read', 'leads:write', 'export:read',
                            'alerts:admin', 'admin'
                        ]
                    ),
    -- requests; NULL takes the server's setting
    rate_per_minute integer
                    CONSTRAINT api_key_rate_range CHECK (rate_per_minute BETWEEN 1 AND 10000000),
    burst           integer
                    CONSTRAINT api_key_burst_range CHECK (burst BETWEEN 1 AND 1000000),
    -- domains accepted for scanning in one day (UTC); NULL is no quota
    domains_per_day bigint
                    CONSTRAINT api_key_quota_range CHECK (domains_per_day BETWEEN 0 AND 1000000000000),
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL,
    rotated_at      timestamptz,
    expires_at      timestamptz,
    revoked_at      timestamptz,
    -- told once a minute at most
    last_used_at    timestamptz,

    CONSTRAINT api_key_previous_whole CHECK ((previous_digest IS NULL) = (previous_until IS NULL))
);
COMMENT ON TABLE api_key IS 'Keys of callers; without the pepper no digest can be turned into a key.';
COMMENT ON CONSTRAINT api_key_pkey ON api_key IS 'A key is found by the id in it.';
COMMENT ON CONSTRAINT api_key_id_form ON api_key IS '80 random bits in base32; never the name of a built-in caller.';
COMMENT ON CONSTRAINT api_key_name_length ON api_key IS 'A label for people.';
COMMENT ON CONSTRAINT api_key_digest_length ON api_key IS 'SHA-256 has 32 bytes.';
COMMENT ON CONSTRAINT api_key_previous_length ON api_key IS 'SHA-256 has 32 bytes.';
COMMENT ON CONSTRAINT api_key_scopes_known ON api_key IS 'The scopes of hunter.core.scopes, at least one.';
COMMENT ON CONSTRAINT api_key_rate_range ON api_key IS 'A key that may never ask is a revoked key.';
COMMENT ON CONSTRAINT api_key_burst_range ON api_key IS 'At least one request fits.';
COMMENT ON CONSTRAINT api_key_quota_range ON api_key IS '0 is a key that may not scan.';
COMMENT ON CONSTRAINT api_key_previous_whole ON api_key IS 'An earlier secret counts until a moment, never for ever.';

CREATE INDEX api_key_created ON api_key (created_at DESC, id DESC);

CREATE TABLE api_key_usage (
    key_id  text NOT NULL
            CONSTRAINT api_key_usage_key REFERENCES api_key (id) ON DELETE CASCADE,
    day     date NOT NULL,
    domains bigint NOT NULL
            CONSTRAINT api_key_usage_positive CHECK (domains >= 0),
    CONSTRAINT api_key_usage_pkey PRIMARY KEY (key_id, day)
);
COMMENT ON TABLE api_key_usage IS 'Domains accepted a day (UTC) for keys with a quota, written by the transaction that accepts them.';
COMMENT ON CONSTRAINT api_key_usage_key ON api_key_usage IS 'Usage goes with its key.';
COMMENT ON CONSTRAINT api_key_usage_positive ON api_key_usage IS 'Nothing is given back below zero.';
COMMENT ON CONSTRAINT api_key_usage_pkey ON api_key_usage IS 'One count per key and day.';
