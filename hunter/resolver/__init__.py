"""The DNS engine (one question) and the survey (one domain)."""
