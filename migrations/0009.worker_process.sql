-- Worker processes alive, and how much they take at once.
-- depends: 0008.idempotency

CREATE TABLE worker_process (
    id                 uuid NOT NULL,
    slots              integer NOT NULL,
    interactive_slots  integer NOT NULL,
    seen_at            timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT worker_process_pkey PRIMARY KEY (id),
    CONSTRAINT worker_process_slots CHECK (slots >= 1 AND interactive_slots >= 1)
);

COMMENT ON TABLE worker_process IS 'Refreshed by every heartbeat; the dispatcher sums the slots of those seen lately.';
COMMENT ON CONSTRAINT worker_process_pkey ON worker_process IS 'UUIDv7 made when the process starts.';
COMMENT ON CONSTRAINT worker_process_slots ON worker_process IS 'A worker without slots is none.';
