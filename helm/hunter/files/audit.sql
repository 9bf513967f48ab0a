-- Jobs whose books do not add up, which must be none: completed ones whose results and given-up domains are
-- not their total, open ones whose chunks are not. The first two are Hunter's own audit; the third counts the
-- results themselves, since a restore could have lost some that the job's counters still have.
SELECT (SELECT count(*) FROM scan_job WHERE mismatch <> 0)
  + (
    SELECT count(*) FROM scan_job j
    WHERE status IN ('pending', 'running') AND total <> (
        SELECT coalesce(sum(size), 0) FROM scan_chunk WHERE job_id = j.id AND state <> 'split'
    )
  )
  + (
    SELECT count(*) FROM scan_chunk c JOIN scan_job j ON j.id = c.job_id
    WHERE c.state = 'done' AND j.status IN ('pending', 'running')
      AND (SELECT count(*) FROM scan_result r WHERE r.job_id = c.job_id AND r.domain = ANY (c.domains))
        < c.n_ok + c.n_failed + c.n_unknown
  );
