DROP INDEX lead_tenant_call;
DROP INDEX lead_tenant;
