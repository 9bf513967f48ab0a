DROP TABLE observation;
