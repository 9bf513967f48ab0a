DROP STATISTICS lead_together;
