ALTER TABLE worker_process DROP COLUMN rules_version;
DROP INDEX lead_decays;
ALTER TABLE lead DROP COLUMN judgement_digest, DROP COLUMN decays, DROP COLUMN judged_on;
DROP TABLE rejudge_slice;
DROP TABLE rejudge_run;
DROP TABLE change;
DROP TABLE rule_set;
