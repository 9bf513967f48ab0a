-- Registration data of leads, as registries told it; asked for after a scan of full depth.
-- depends: 0013.rejudge

CREATE TABLE registration (
    domain            text CONSTRAINT registration_pkey PRIMARY KEY
                      CONSTRAINT registration_lead REFERENCES lead (domain) ON DELETE CASCADE,
    state             text NOT NULL DEFAULT 'unknown'
                      CONSTRAINT registration_state CHECK (state IN ('registered', 'unregistered', 'unknown')),
    registrar         text NOT NULL DEFAULT '',
    created           date,
    expires           date,
    statuses          text[] NOT NULL DEFAULT '{}',
    delegation_signed boolean,
    source            text NOT NULL DEFAULT ''
                      CONSTRAINT registration_source CHECK (source IN ('', 'rdap', 'whois')),
    server            text NOT NULL DEFAULT '',
    -- the last time a registry said yes or no
    fetched_at        timestamptz,
    -- why the last try brought nothing; '' when it did
    reason            text NOT NULL DEFAULT '',
    -- tries since then that brought nothing
    failures          integer NOT NULL DEFAULT 0,
    -- a scan asked for it and nobody has answered yet
    wanted            boolean NOT NULL DEFAULT true,
    -- not to be asked for before; a look-up under way moves it on, so that no other begins
    next_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT registration_known CHECK ((state = 'unknown') = (fetched_at IS NULL)),
    CONSTRAINT registration_told CHECK (
        state = 'registered' OR (created IS NULL AND expires IS NULL AND registrar = '')
    )
);
COMMENT ON TABLE registration IS 'What registries say about leads; no registrant, no contact.';
COMMENT ON CONSTRAINT registration_pkey ON registration IS 'One row a domain.';
COMMENT ON CONSTRAINT registration_lead ON registration IS 'Registration data go with their lead.';
COMMENT ON CONSTRAINT registration_state ON registration IS 'The states of hunter.core.registration.';
COMMENT ON CONSTRAINT registration_source ON registration IS 'The protocols Hunter reads.';
COMMENT ON CONSTRAINT registration_known ON registration IS 'Known means answered, and the day is kept.';
COMMENT ON CONSTRAINT registration_told ON registration IS 'Only a registered domain has a registrar and days.';

CREATE INDEX registration_due ON registration (next_at) WHERE wanted;
