-- Names of a scan request that are no domains, each with the reason.
-- depends: 0005.scan_result

CREATE TABLE scan_reject (
    job_id  uuid NOT NULL,
    line    integer NOT NULL,
    input   text NOT NULL,
    reason  text NOT NULL,

    CONSTRAINT scan_reject_pkey PRIMARY KEY (job_id, line),
    CONSTRAINT scan_reject_job_id_fkey FOREIGN KEY (job_id) REFERENCES scan_job (id) ON DELETE CASCADE,
    CONSTRAINT scan_reject_input_short CHECK (length(input) <= 300)
);

COMMENT ON TABLE scan_reject IS 'Refused names of a job; pruned after 30 days.';
COMMENT ON CONSTRAINT scan_reject_pkey ON scan_reject IS 'A line holds one name.';
COMMENT ON CONSTRAINT scan_reject_job_id_fkey ON scan_reject IS 'Rejects go with their job.';
COMMENT ON CONSTRAINT scan_reject_input_short ON scan_reject IS 'Enough to find the place, not enough to fill a disk.';
