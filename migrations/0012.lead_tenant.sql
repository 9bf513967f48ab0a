-- Tenants: the leads of one in call order, and the leads with one in call order.
-- depends: 0011.poison

CREATE INDEX lead_tenant ON lead (tenant_name, call_rank, domain) WHERE tenant_name IS NOT NULL;
CREATE INDEX lead_tenant_call ON lead (call_rank, domain) WHERE tenant_name IS NOT NULL;
