DROP INDEX lead_posture;
DROP INDEX lead_dmarc_policy;
DROP INDEX lead_scan_status;
