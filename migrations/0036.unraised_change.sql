-- Changes whose alerts come after their commit, where there are too many to match in it.
-- depends: 0029.alert

CREATE TABLE unraised_change (
    change_id uuid NOT NULL,

    CONSTRAINT unraised_change_pkey PRIMARY KEY (change_id),
    CONSTRAINT unraised_change_change_fkey FOREIGN KEY (change_id)
        REFERENCES change (id) ON DELETE CASCADE
);
COMMENT ON TABLE unraised_change IS 'Changes not matched against the rules yet; written in the transaction of the change, deleted in that of its alerts.';
COMMENT ON CONSTRAINT unraised_change_pkey ON unraised_change IS 'A change is matched once.';
COMMENT ON CONSTRAINT unraised_change_change_fkey ON unraised_change IS 'What is forgotten is not told any more.';
