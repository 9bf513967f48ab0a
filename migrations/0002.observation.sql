-- What was seen of a domain and from when to when; a new row only when the fingerprint changes.
-- depends: 0001.lead

CREATE TABLE observation (
    id             uuid NOT NULL,
    domain         text COLLATE "C" NOT NULL,
    observed_from  timestamptz NOT NULL,
    observed_to    timestamptz NOT NULL,
    fingerprint    text NOT NULL,
    evidence       jsonb NOT NULL,
    rules_version  text NOT NULL,
    score          smallint NOT NULL,

    CONSTRAINT observation_pkey PRIMARY KEY (id),
    CONSTRAINT observation_period CHECK (observed_from <= observed_to)
);

-- No foreign key to lead: the row is written in the transaction that holds the lead locked, and
-- a check per row would lock it a second time.
COMMENT ON TABLE observation IS 'History of a domain: the merged survey, once per change of its fingerprint.';
COMMENT ON CONSTRAINT observation_pkey ON observation IS 'UUIDv7 made by the scanner.';
COMMENT ON CONSTRAINT observation_period ON observation IS 'A period does not end before it starts.';
COMMENT ON COLUMN observation.evidence IS 'hunter.core.answers.Survey, merged: an unknown answer inherits the last known one.';

CREATE INDEX observation_domain ON observation (domain, observed_from);
