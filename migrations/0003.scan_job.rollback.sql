DROP TABLE scan_job;
