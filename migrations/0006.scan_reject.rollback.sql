DROP TABLE scan_reject;
