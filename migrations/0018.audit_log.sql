-- Who changed what and when.
-- depends: 0017.api_key

CREATE TABLE audit_log (
    id         uuid CONSTRAINT audit_log_pkey PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    -- id of a key, or a built-in caller
    actor      text NOT NULL
               CONSTRAINT audit_log_actor_length CHECK (length(actor) BETWEEN 1 AND 100),
    action     text NOT NULL
               CONSTRAINT audit_log_action_form CHECK (action ~ '^[a-z_]+\.[a-z_]+$' AND length(action) <= 60),
    target     text NOT NULL
               CONSTRAINT audit_log_target_length CHECK (length(target) <= 300),
    request_id text NOT NULL
               CONSTRAINT audit_log_request_id_length CHECK (length(request_id) <= 64)
);
COMMENT ON TABLE audit_log IS 'Every write by a caller: who, what, which, when; no bodies, nothing personal.';
COMMENT ON CONSTRAINT audit_log_pkey ON audit_log IS 'UUIDv7, so that entries sort by the time they were made.';
COMMENT ON CONSTRAINT audit_log_actor_length ON audit_log IS 'A short name.';
COMMENT ON CONSTRAINT audit_log_action_form ON audit_log IS 'thing.done, such as key.created.';
COMMENT ON CONSTRAINT audit_log_target_length ON audit_log IS 'An id, not a body.';
COMMENT ON CONSTRAINT audit_log_request_id_length ON audit_log IS 'As long as an X-Request-ID may be.';

CREATE INDEX audit_log_target ON audit_log (target, id DESC);
CREATE INDEX audit_log_at ON audit_log (at);
