DROP FUNCTION make_scan_result_partitions;
DROP FUNCTION uuid_floor;
DROP TABLE scan_result;
