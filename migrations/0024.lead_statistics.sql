-- What values of leads go together: a filter of two may match far fewer than their shares say.
-- depends: 0023.kpi

CREATE STATISTICS lead_together (mcv) ON segment, priority, provider, tenant_state, mail_state FROM lead;
ALTER STATISTICS lead_together SET STATISTICS 1000;
COMMENT ON STATISTICS lead_together IS 'Lets the planner see that a combination is rare, and not walk a list in call order to find out.';
