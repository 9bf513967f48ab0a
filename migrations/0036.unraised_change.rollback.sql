DROP TABLE unraised_change;
