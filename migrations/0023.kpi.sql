-- Counts for the dashboard: kept by what is written, not scanned for.
-- depends: 0022.suppression

CREATE TABLE kpi_delta (
    id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    dimension  text NOT NULL,
    value      text NOT NULL,
    n          bigint NOT NULL,

    CONSTRAINT kpi_delta_pkey PRIMARY KEY (id),
    CONSTRAINT kpi_delta_says_something CHECK (n <> 0)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE kpi_count (
    dimension  text NOT NULL,
    value      text NOT NULL,
    n          bigint NOT NULL,

    CONSTRAINT kpi_count_pkey PRIMARY KEY (dimension, value)
) WITH (fillfactor = 50);

COMMENT ON TABLE kpi_delta IS 'What transactions added to the counts; a sweep folds it into kpi_count. Appended only, so nobody waits for a shared row.';
COMMENT ON CONSTRAINT kpi_delta_pkey ON kpi_delta IS 'Folded in this order.';
COMMENT ON CONSTRAINT kpi_delta_says_something ON kpi_delta IS 'A sum that did not change is not written.';
COMMENT ON TABLE kpi_count IS 'Folded counts; the truth is their sum with kpi_delta.';
COMMENT ON CONSTRAINT kpi_count_pkey ON kpi_count IS 'Dimensions: leads, segment, priority, provider, tenant_state, confidence, scan_status, mark, favourite; scans by day; changes by day and kind.';

CREATE FUNCTION kpi_band(confidence real) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN confidence >= 0.95::real THEN 'sure' WHEN confidence >= 0.75::real THEN 'likely'
        WHEN confidence IS NOT NULL THEN 'unsure' ELSE 'unknown' END
$$;

CREATE VIEW kpi_lead AS
    SELECT segment, priority, provider, tenant_state, kpi_band(confidence) AS band, scan_status,
        mark, is_favourite
    FROM lead;
COMMENT ON VIEW kpi_lead IS 'What of a lead is counted.';

-- One statement of many rows is one small sum: rows alike fall together before they are told apart.
CREATE FUNCTION kpi_count_leads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO kpi_delta (dimension, value, n)
        SELECT d.dimension, coalesce(d.value, ''), sum(s.n) FROM (
            SELECT segment, priority, provider, tenant_state, kpi_band(confidence) AS band,
                scan_status, mark, is_favourite, count(*) AS n
            FROM added GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ) s CROSS JOIN LATERAL (VALUES
            ('leads', ''), ('segment', segment), ('priority', priority::text), ('provider', provider),
            ('tenant_state', tenant_state), ('confidence', band), ('scan_status', scan_status),
            ('mark', mark), ('favourite', is_favourite::text)
        ) AS d(dimension, value) GROUP BY 1, 2;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO kpi_delta (dimension, value, n)
        SELECT d.dimension, coalesce(d.value, ''), -sum(s.n) FROM (
            SELECT segment, priority, provider, tenant_state, kpi_band(confidence) AS band,
                scan_status, mark, is_favourite, count(*) AS n
            FROM removed GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ) s CROSS JOIN LATERAL (VALUES
            ('leads', ''), ('segment', segment), ('priority', priority::text), ('provider', provider),
            ('tenant_state', tenant_state), ('confidence', band), ('scan_status', scan_status),
            ('mark', mark), ('favourite', is_favourite::text)
        ) AS d(dimension, value) GROUP BY 1, 2;
    ELSE
        INSERT INTO kpi_delta (dimension, value, n)
        SELECT d.dimension, coalesce(d.value, ''), sum(s.n) FROM (
            SELECT segment, priority, provider, tenant_state, band, scan_status, mark, is_favourite,
                sum(sign) AS n
            FROM (
                SELECT 1 AS sign, segment, priority, provider, tenant_state,
                    kpi_band(confidence) AS band, scan_status, mark, is_favourite FROM added
                UNION ALL
                SELECT -1, segment, priority, provider, tenant_state,
                    kpi_band(confidence), scan_status, mark, is_favourite FROM removed
            ) both_sides
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(sign) <> 0
        ) s CROSS JOIN LATERAL (VALUES
            ('segment', segment), ('priority', priority::text), ('provider', provider),
            ('tenant_state', tenant_state), ('confidence', band), ('scan_status', scan_status),
            ('mark', mark), ('favourite', is_favourite::text)
        ) AS d(dimension, value) GROUP BY 1, 2 HAVING sum(s.n) <> 0;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION kpi_count_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kpi_delta (dimension, value, n)
    SELECT 'changes', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' ' || kind, count(*)
    FROM added GROUP BY 2;
    RETURN NULL;
END $$;

CREATE TRIGGER kpi_of_new AFTER INSERT ON lead
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION kpi_count_leads();
CREATE TRIGGER kpi_of_gone AFTER DELETE ON lead
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION kpi_count_leads();
CREATE TRIGGER kpi_of_changed AFTER UPDATE ON lead
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION kpi_count_leads();
CREATE TRIGGER kpi_of_new AFTER INSERT ON change
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION kpi_count_changes();
COMMENT ON TRIGGER kpi_of_changed ON lead IS 'Counts are right whoever writes leads, and roll back with them.';

INSERT INTO kpi_count (dimension, value, n)
SELECT d.dimension, coalesce(d.value, ''), count(*)
FROM kpi_lead s CROSS JOIN LATERAL (VALUES
    ('leads', ''), ('segment', segment), ('priority', priority::text), ('provider', provider),
    ('tenant_state', tenant_state), ('confidence', band), ('scan_status', scan_status),
    ('mark', mark), ('favourite', is_favourite::text)
) AS d(dimension, value)
GROUP BY 1, 2;
