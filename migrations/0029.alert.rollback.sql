DROP TABLE delivery_attempt;
DROP TABLE delivery;
DROP TABLE alert;
DROP TABLE alert_event;
DROP TABLE alert_rule_endpoint;
DROP TABLE alert_rule;
DROP TABLE alert_endpoint;
DROP FUNCTION hunter_uuid7();
