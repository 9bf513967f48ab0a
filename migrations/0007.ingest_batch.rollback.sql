DROP TABLE ingest_reject;
DROP TABLE ingest_batch;
