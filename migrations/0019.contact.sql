-- People at a company, as somebody entered them: personal data, kept apart and gone with the lead.
-- depends: 0001.lead

CREATE TABLE contact (
    id          uuid NOT NULL,
    domain      text COLLATE "C" NOT NULL,
    -- folded in Python: the e-mail address, else name and phone
    identity    text COLLATE "C" NOT NULL,
    name        text,
    role        text,
    email       text,
    phone       text,
    source      text NOT NULL,
    purpose     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT contact_pkey PRIMARY KEY (id),
    CONSTRAINT contact_domain_fkey FOREIGN KEY (domain) REFERENCES lead (domain) ON DELETE CASCADE,
    CONSTRAINT contact_identity_once UNIQUE (domain, identity),
    CONSTRAINT contact_reachable CHECK (email IS NOT NULL OR phone IS NOT NULL),
    CONSTRAINT contact_purpose_known CHECK (purpose IN ('sales', 'customer_care', 'event')),
    CONSTRAINT contact_source_told CHECK (length(source) BETWEEN 1 AND 200)
);

COMMENT ON TABLE contact IS 'People at a company, each with where the data is from and what it is for.';
COMMENT ON CONSTRAINT contact_pkey ON contact IS 'UUIDv7.';
COMMENT ON CONSTRAINT contact_domain_fkey ON contact IS 'Contacts go with their lead.';
COMMENT ON CONSTRAINT contact_identity_once ON contact IS 'A person is one contact of a lead, however often entered.';
COMMENT ON CONSTRAINT contact_reachable ON contact IS 'Somebody who cannot be reached is not kept.';
COMMENT ON CONSTRAINT contact_purpose_known ON contact IS 'hunter.core.contacts.Purpose.';
COMMENT ON CONSTRAINT contact_source_told ON contact IS 'Where the data is from must be told to whom it concerns.';
