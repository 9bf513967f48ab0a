DROP TABLE scan_chunk;
