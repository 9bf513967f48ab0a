"""Commands in."""
